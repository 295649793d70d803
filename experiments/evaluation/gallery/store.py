"""A gallery in a database: people, their photos' embeddings, and a log of who changed what.

`GalleryStore` is the one interface for commands and services. SQLite in a file is the default; PostgreSQL with pgvector
is for a gallery that several machines share. Every change is one transaction: it happens whole or not at all, also when
its process is killed, and two writers follow one another.

    with GalleryStore.open("people.gallery", network=embedder.fingerprint) as store:
        store.enroll({"Anna": [NewPhoto("anna.jpg", digest, embedding)]}, actor="key 3")
        ((best, *_),) = store.search(embeddings, top=3)
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Self

import numpy as np
from sqlalchemy import Connection, delete, func, select, update

from experiments.data.preparation import Preparation
from experiments.errors import FacesError
from experiments.evaluation.embedding import EmbedOptions
from experiments.evaluation.gallery import queries
from experiments.evaluation.gallery.database import (
    REMEDY,
    Location,
    create_tables,
    drop_tables,
    erase,
    exists,
    explained,
    leave_no_line,
    open_engine,
    shown,
    writers_turn,
)
from experiments.evaluation.gallery.records import (
    AuditEntry,
    ConflictError,
    Enrollment,
    GalleryStats,
    Match,
    NewPhoto,
    Person,
    Photo,
    UnknownPersonError,
    check_name,
)
from experiments.evaluation.gallery.search import MemorySearch, ServerSearch
from experiments.evaluation.gallery.snapshot import Gallery
from experiments.evaluation.gallery.tables import AUDIT, FORMAT, GALLERY, PERSON, PHOTO
from experiments.progress import say


class GalleryStore:
    """A gallery in a database. Safe for several threads; every process opens its own.

    All methods raise FacesError, in words for the user, where the database is missing, damaged, full or out of reach.
    UnknownPersonError and ConflictError are of that kind. `actor` says in the audit log who made a change.
    """

    def __init__(self, location: Location, network: str | None = None):
        """Open an existing gallery. Raises FacesError where another network than `network` made it."""
        self.location = location
        self.title = shown(location)
        with explained(location):
            self._engine = open_engine(location)
        try:
            with self._read() as connection:
                row = connection.execute(select(GALLERY)).one_or_none()
            if row is None or row.format != FORMAT:
                raise FacesError(f"{self.title}: not a gallery of this version ({row and row.format}): {REMEDY}")
            self.network: str = row.network
            self.dimension: int = row.dimension
            self.created: datetime = row.created
            self.options, self.preparation = queries.read_settings(row, self.title)
            self._search = ServerSearch() if self._on_server else MemorySearch(self.dimension)
            if network is not None:
                self._require_network(network)
            if row.erase_pending:
                self._erase()
        except BaseException:
            self.close()
            raise

    @classmethod
    def open(cls, location: Location, network: str | None = None) -> Self:
        """Open an existing gallery: a file, or the URL of a PostgreSQL database.

        Raises FacesError where there is none, it is damaged, or another network than `network` (a fingerprint) made it.
        """
        return cls(location, network)

    @classmethod
    def create(
        cls,
        location: Location,
        network: str,
        dimension: int,
        options: EmbedOptions,
        preparation: Preparation | None = None,
    ) -> Self:
        """Make an empty gallery for embeddings (D,) of a network, and open it. A file is for its owner alone (0600).

        Raises FacesError where there is one already.
        """
        try:
            with explained(location):
                create_tables(location, queries.new_settings(network, dimension, options, preparation))
        except FileExistsError as error:
            raise ConflictError(f"{shown(location)} exists already: choose another --out, or --add to it") from error
        store = cls(location, network)
        with store._write() as connection:
            queries.log_change(connection, "library", "create")
        return store

    @classmethod
    def open_or_create(
        cls,
        location: Location,
        network: str,
        dimension: int,
        options: EmbedOptions,
        preparation: Preparation | None = None,
    ) -> Self:
        """Open a gallery, or make an empty one where there is none. Raises FacesError as `open` does."""
        if not exists(location):
            try:
                return cls.create(location, network, dimension, options, preparation)
            except ConflictError:  # another process was faster
                pass
        return cls.open(location, network)

    def close(self) -> None:
        """Close the connections. The store cannot be used afterwards."""
        self._engine.dispose()
        leave_no_line(self.location)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    # --- people ---

    def people(self, containing: str = "", limit: int | None = None, offset: int = 0) -> list[Person]:
        """List people, sorted by name; those whose name contains a text, whatever its case."""
        with self._read() as connection:
            return queries.list_people(connection, containing, limit, offset)

    def count(self) -> int:
        """Return how many people are enrolled."""
        with self._read() as connection:
            return connection.execute(select(func.count()).select_from(PERSON)).scalar_one()

    def summary(self) -> str:
        """Return how many people and images there are, in words."""
        found = self.stats()
        people = "person" if found.people == 1 else "people"
        return f"{found.people:,} {people} with {found.photos:,} image{'s' * (found.photos != 1)}"

    def digests(self) -> dict[str, str]:
        """Return whose each image is: a person's name by the image's digest."""
        with self._read() as connection:
            rows = connection.execute(select(PHOTO.c.digest, PERSON.c.name).join(PERSON))
            return {row.digest: row.name for row in rows}

    def person(self, key: str) -> Person:
        """Return a person by name or id. Raises UnknownPersonError, with the most similar name."""
        with self._read() as connection:
            return queries.to_person(queries.find_person(connection, key))

    def photos(self, key: str) -> list[Photo]:
        """List the photos of a person (a name or an id), the first enrolled first."""
        with self._read() as connection:
            return queries.list_photos(connection, queries.find_person(connection, key).id)

    def thumbnail(self, photo: int) -> bytes | None:
        """Return the thumbnail of a photo, or None where there is none."""
        with self._read() as connection:
            return connection.execute(select(PHOTO.c.thumbnail).where(PHOTO.c.id == photo)).scalar_one_or_none()

    # --- changes ---

    def enroll(
        self, photos: Mapping[str, Sequence[NewPhoto]], network: str, actor: str, action: str = "enroll"
    ) -> Enrollment:
        """Add photos of people, by name: new people, or more photos of those there are. All or nothing.

        network: the fingerprint of the one that computed the embeddings. An image that the person has already is left
        out, and listed. Raises ConflictError for an image of another person, and FacesError for another network, a
        name that `check_name` refuses, and for embeddings of another length, or that are not finite and of length 1.
        """
        self._require_network(network)
        by_name: dict[str, list[NewPhoto]] = {}
        for name, own in photos.items():
            by_name.setdefault(check_name(name), []).extend(own)
        people: list[Person] = []
        known: list[str] = []
        added = 0
        with self._write() as connection:
            for name, own in by_name.items():
                new, there = queries.new_photos(connection, name, own, self.dimension)
                known += there
                if new:
                    people.append(queries.add_photos(connection, name, new, self.network))
                    queries.log_change(connection, actor, action, people[-1].id, len(new))
                    added += len(new)
        return Enrollment(tuple(people), added, tuple(known))

    def remove(self, keys: Sequence[str], actor: str) -> list[Person]:
        """Remove people (names or ids) and overwrite every trace of them. All or none; returns who they were.

        Raises UnknownPersonError where one is not in the gallery.
        """
        with self._write() as connection:
            rows = {row.id: row for row in (queries.find_person(connection, key) for key in keys)}
            people = [queries.to_person(row) for row in rows.values()]
            queries.delete_people(connection, people, actor, "remove")
        self._erase()
        return people

    def remove_photos(self, photos: Sequence[int], actor: str) -> list[Person]:
        """Remove photos by their ids; a person without any is removed too. Returns the people left, as they are now.

        Raises FacesError where one is not in the gallery.
        """
        left = []
        with self._write() as connection:
            rows = connection.execute(select(PHOTO.c.id, PHOTO.c.person).where(PHOTO.c.id.in_(photos))).all()
            if missing := sorted(set(photos) - {row.id for row in rows}):
                raise UnknownPersonError(f"{self.title}: no photo with the number {missing[0]}")
            connection.execute(delete(PHOTO).where(PHOTO.c.id.in_(photos)))
            for person in sorted({row.person for row in rows}):
                queries.log_change(
                    connection, actor, "remove photos", person, sum(row.person == person for row in rows)
                )
                if renewed := queries.renew_template(connection, person):
                    left.append(renewed)
            queries.mark_for_erasure(connection)
        self._erase()
        return left

    def rename(self, key: str, name: str, actor: str) -> Person:
        """Give a person another name. Raises ConflictError where another person has it: they can be merged."""
        name = check_name(name)
        with self._write() as connection:
            person = queries.find_person(connection, key)
            other = connection.execute(select(PERSON.c.id).where(PERSON.c.name == name)).scalar_one_or_none()
            if other not in (None, person.id):
                raise ConflictError(f"{name!r} is another person in the gallery; `faces gallery merge` joins the two")
            values = {"name": name, "folded": name.casefold(), "changed": datetime.now(UTC)}
            connection.execute(update(PERSON).where(PERSON.c.id == person.id).values(values))
            queries.log_change(connection, actor, "rename", person.id)
            queries.mark_for_erasure(connection)
            renamed = queries.to_person(queries.find_person(connection, person.id))
        self._erase()
        return renamed

    def merge(self, into: str, others: Sequence[str], actor: str) -> Person:
        """Give a person the photos of others (names or ids), and remove those. Returns the person, as it is now."""
        with self._write() as connection:
            target = queries.find_person(connection, into)
            sources = [queries.find_person(connection, key) for key in dict.fromkeys(others)]
            if any(source.id == target.id for source in sources):
                raise FacesError(f"{target.name!r} cannot be merged into itself: name other people")
            for source in {source.id: source for source in sources}.values():
                connection.execute(update(PHOTO).where(PHOTO.c.person == source.id).values(person=target.id))
                connection.execute(delete(PERSON).where(PERSON.c.id == source.id))
                queries.log_change(connection, actor, "merge away", source.id, source.photos)
            merged = queries.renew_template(connection, target.id)
            assert merged is not None
            queries.log_change(connection, actor, "merge", target.id, merged.photos - target.photos)
            queries.mark_for_erasure(connection)
        self._erase()
        return merged

    def older_than(self, age: timedelta) -> list[Person]:
        """List the people whose newest photo was enrolled longer ago than `age`, sorted by name."""
        with self._read() as connection:
            return queries.list_older(connection, age)

    def purge(self, age: timedelta, actor: str) -> list[Person]:
        """Remove the people whose newest photo was enrolled longer ago than `age`, with every trace of them."""
        with self._write() as connection:
            people = queries.list_older(connection, age)
            queries.delete_people(connection, people, actor, "purge")
        self._erase()
        return people

    def discard(self) -> None:
        """Delete the gallery itself and close it, where it is empty: one whose making failed."""
        with self._write() as connection:
            if connection.execute(select(func.count()).select_from(PERSON)).scalar_one():
                return
            drop_tables(connection, self.location)
        self.close()

    # --- search ---

    def search(self, probes: np.ndarray, top: int = 1, approximate: bool | None = None) -> list[list[Match]]:
        """Find the `top` people most similar to each probe (N, D) of length 1, the most similar first.

        Compares with each person's template, the mean of their embeddings. Notices what other processes have changed.
        approximate: by an HNSW graph, of FAISS or pgvector; by default from MANY_PEOPLE people on. Raises FacesError
        for probes of another length, and where `approximate` needs FAISS and it is absent.
        """
        probes = np.ascontiguousarray(probes, np.float32)
        if probes.ndim != 2 or probes.shape[1] != self.dimension:
            raise FacesError(f"{self.title}: probes of shape {probes.shape}, expected (N, {self.dimension})")
        with self._read() as connection:
            return self._search.search(connection, probes, top, approximate)

    def snapshot(self) -> Gallery:
        """Read the whole gallery into memory, person by person in the order of their first photos."""
        query = select(PERSON.c.name, PHOTO.c.image, PHOTO.c.digest, PHOTO.c.embedding).join(PERSON)
        with self._read() as connection:
            rows = connection.execute(query.order_by(PHOTO.c.id)).all()
        names, images, digests, embeddings = zip(*rows, strict=True) if rows else ((), (), (), ())
        stacked = queries.stack(embeddings, self.dimension)
        return Gallery(stacked, names, images, digests, self.network, self.options, self.preparation)

    def contents(self) -> Iterator[tuple[str, list[NewPhoto]]]:
        """Yield each person's name and photos with everything that is stored, sorted by name."""
        for person in self.people():
            with self._read() as connection:
                photos = queries.full_photos(connection, person.id)
            if photos:  # removed in the meantime
                yield person.name, photos

    # --- about the gallery ---

    def stats(self) -> GalleryStats:
        """Count what the gallery holds."""
        with self._read() as connection:
            return queries.read_stats(connection, self.network, self.dimension, self.created)

    def audit(self, person: str | None = None, limit: int = 100) -> list[AuditEntry]:
        """List the latest changes, the last one first; of a person (an id, also of one removed) only."""
        query = select(AUDIT).order_by(AUDIT.c.id.desc()).limit(limit)
        if person is not None:
            query = query.where(AUDIT.c.person == person)
        with self._read() as connection:
            return [AuditEntry(*row) for row in connection.execute(query)]

    # --- inside ---

    @property
    def _on_server(self) -> bool:
        return self._engine.dialect.name == "postgresql"

    def _require_network(self, network: str) -> None:
        if network != self.network:
            raise FacesError(
                f"{self.title}: made by another network, whose embeddings mean something else: enroll again"
            )

    @contextmanager
    def _read(self) -> Iterator[Connection]:
        with explained(self.location), self._engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def _write(self) -> Iterator[Connection]:
        """A transaction that no other writer shares."""
        options = {"writes": True}
        with (
            explained(self.location),
            writers_turn(self.location),
            self._engine.connect().execution_options(**options) as connection,
            connection.begin(),
        ):
            if self._on_server:
                connection.execute(select(GALLERY.c.id).with_for_update())
            yield connection

    def _erase(self) -> None:
        """Overwrite what was deleted. Where that fails, the deletion holds, and it is done at the next opening."""
        with self._read() as connection:
            pending = connection.execute(select(GALLERY.c.erase_pending)).scalar_one()
        if not pending:
            return
        try:
            with explained(self.location), writers_turn(self.location):
                done = erase(self._engine)
            if done:
                with self._write() as connection:  # another process may have deleted something since
                    same = GALLERY.c.erase_pending == pending
                    connection.execute(update(GALLERY).where(same).values(erase_pending=0))
        except FacesError as error:
            say(f"note: deleted, but not overwritten yet ({error}); that is done when the gallery is opened next")


def read_gallery(location: Location, network: str | None = None) -> Gallery:
    """Read a whole gallery into memory. Raises FacesError as `GalleryStore.open` does."""
    with GalleryStore.open(location, network) as store:
        return store.snapshot()
