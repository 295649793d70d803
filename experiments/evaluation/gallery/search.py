"""Search a gallery's database: in memory for SQLite, in the server for PostgreSQL."""

import threading
from importlib.util import find_spec

import numpy as np
from sqlalchemy import Connection, Float, bindparam, func, select, text

from experiments.evaluation.gallery.index import TemplateIndex
from experiments.evaluation.gallery.queries import stack
from experiments.evaluation.gallery.records import Match
from experiments.evaluation.gallery.tables import AUDIT, PERSON, Embedding

MANY_PEOPLE = 200_000
"""From so many people on, a search is approximate by default, where FAISS or pgvector is there."""

MAX_EF_SEARCH = 1000
"""pgvector's limit."""


class MemorySearch:
    """The templates of all people in memory. Each search first reads what was changed since, by whatever process."""

    def __init__(self, dimension: int):
        self._lock = threading.Lock()
        self._dimension = dimension
        self._index: TemplateIndex | None = None
        self._names: dict[str, str] = {}
        self._seen = 0

    def search(
        self, connection: Connection, probes: np.ndarray, top: int, approximate: bool | None
    ) -> list[list[Match]]:
        """Find the `top` people most similar to each probe (N, D). approximate: None decides by how many there are."""
        with self._lock:
            index = self._refresh(connection)
            if approximate is None:
                approximate = len(index) >= MANY_PEOPLE and find_spec("faiss") is not None
            found = index.search(probes, top, approximate)
            return [[Match(one, self._names[one], score) for one, score in row] for row in found]

    def _refresh(self, connection: Connection) -> TemplateIndex:
        last = connection.execute(select(func.coalesce(func.max(AUDIT.c.id), 0))).scalar_one()
        if self._index is not None and last == self._seen:
            return self._index
        columns = select(PERSON.c.id, PERSON.c.name, PERSON.c.template)
        if self._index is None:
            rows = connection.execute(columns).all()
            index = TemplateIndex(self._dimension)
            index.fill([row.id for row in rows], stack([row.template for row in rows], self._dimension))
            self._names = {row.id: row.name for row in rows}
            self._index = index
        else:
            since = select(AUDIT.c.person).where(AUDIT.c.id > self._seen, AUDIT.c.person.is_not(None))
            rows = connection.execute(columns.where(PERSON.c.id.in_(since))).all()
            templates = stack([row.template for row in rows], self._dimension)
            for person in set(connection.execute(since).scalars()) - {row.id for row in rows}:
                self._index.discard(str(person))
                self._names.pop(str(person), None)
            for row, template in zip(rows, templates, strict=True):
                self._index.put(row.id, template)
                self._names[row.id] = row.name
        self._seen = last
        return self._index


class ServerSearch:
    """Search in PostgreSQL, by pgvector's negative inner product, with or without its HNSW index."""

    def search(
        self, connection: Connection, probes: np.ndarray, top: int, approximate: bool | None
    ) -> list[list[Match]]:
        """Find the `top` people most similar to each probe (N, D). approximate: None decides by how many there are."""
        if approximate is None:
            people = connection.execute(select(func.count()).select_from(PERSON)).scalar_one()
            approximate = people >= MANY_PEOPLE
        breadth = min(max(128, 2 * top), MAX_EF_SEARCH)
        settings = f"hnsw.ef_search = {breadth}" if approximate else "enable_indexscan = off"
        if approximate:  # pgvector is loaded by its first use, and only then knows its settings
            connection.execute(text("SELECT '[1]'::vector"))
        connection.execute(text(f"SET LOCAL {settings}"))
        found = []
        for probe in probes:
            distance = PERSON.c.template.op("<#>", return_type=Float())(bindparam(None, probe, Embedding()))
            query = select(PERSON.c.id, PERSON.c.name, distance.label("distance")).order_by(text("distance")).limit(top)
            found.append([Match(row.id, row.name, -row.distance) for row in connection.execute(query)])
        return found
