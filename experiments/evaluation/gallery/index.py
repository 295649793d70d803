"""Find the most similar templates in memory: exactly by a matrix product, or by FAISS's graph where they are many."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from experiments.errors import FacesError
from experiments.requirements import install_command

PROBES_PER_CHUNK = 4096

GRAPH_NEIGHBORS = 32
"""Of each template in the graph: M of Malkov and Yashunin 2018."""

MAX_EXCLUDED = 0.2
"""Fraction of a graph's templates that may be outdated before it is built again."""


def nearest_exact(templates: np.ndarray, probes: np.ndarray, most: int) -> tuple[np.ndarray, np.ndarray]:
    """Find the `most` templates (G, D) most similar to each probe (P, D): similarities and rows, (P, most), best first.

    One matrix product for each few thousand probes. Equally similar templates keep their order.
    """
    most = min(most, len(templates))
    scores, rows = [np.empty((0, most), templates.dtype)], [np.empty((0, most), np.int64)]
    for start in range(0, len(probes), PROBES_PER_CHUNK):
        table = probes[start : start + PROBES_PER_CHUNK] @ templates.T
        best = np.argpartition(-table, most - 1, axis=1)[:, :most] if most else np.empty((len(table), 0), np.int64)
        found = np.take_along_axis(table, best, 1)
        order = np.argsort(-found, axis=1, kind="stable")
        scores.append(np.take_along_axis(found, order, 1))
        rows.append(np.take_along_axis(best, order, 1))
    return np.concatenate(scores), np.concatenate(rows)


class TemplateIndex:
    """People's templates by their ids, kept up to date one by one. Not safe for several threads at once."""

    def __init__(self, dimension: int):
        self.dimension = dimension
        self.ids: list[str] = []
        self._rows: dict[str, int] = {}
        self._matrix = np.empty((16, dimension), np.float32)
        self._graph: _Graph | None = None

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def templates(self) -> np.ndarray:
        """All templates (P, D), in the order of `ids`."""
        return self._matrix[: len(self.ids)]

    def fill(self, ids: Sequence[str], templates: np.ndarray) -> None:
        """Replace everything by these people's templates (P, D)."""
        self.ids, self._rows = list(ids), {one: row for row, one in enumerate(ids)}
        self._matrix = np.array(templates, np.float32).reshape(len(ids), self.dimension)
        self._graph = None

    def put(self, person: str, template: np.ndarray) -> None:
        """Add a person, or replace the template of one."""
        row = self._rows.get(person)
        if row is None:
            row = len(self.ids)
            if row == len(self._matrix):
                grown = np.empty((max(16, 2 * row), self.dimension), np.float32)
                grown[:row] = self._matrix
                self._matrix = grown
            self.ids.append(person)
            self._rows[person] = row
        self._matrix[row] = template
        if self._graph is not None:
            self._graph.put(person, template)

    def discard(self, person: str) -> None:
        """Forget a person, where it knows them; the last one takes the row, which is overwritten."""
        row = self._rows.pop(person, None)
        if row is None:
            return
        last = self.ids.pop()
        if last != person:
            self.ids[row], self._rows[last] = last, row
            self._matrix[row] = self._matrix[len(self.ids)]
        self._matrix[len(self.ids)] = 0
        if self._graph is not None:
            self._graph.discard(person)

    def search(self, probes: np.ndarray, most: int, approximate: bool = False) -> list[list[tuple[str, float]]]:
        """Find the `most` people most similar to each probe (N, D), with similarities, the most similar first.

        approximate: by FAISS. Raises FacesError where it is not installed.
        """
        if approximate and len(self):
            if self._graph is None or self._graph.is_outdated():
                self._graph = _Graph(self.ids, self.templates)
            return self._graph.search(probes, min(most, len(self)))
        scores, rows = nearest_exact(self.templates, probes, most)
        return [
            [(self.ids[row], float(score)) for row, score in zip(found, similar, strict=True)]
            for found, similar in zip(rows, scores, strict=True)
        ]


class _Graph:
    """An HNSW graph (Malkov and Yashunin 2018, arXiv 1603.09320), which grows; what has left it is excluded."""

    def __init__(self, ids: Sequence[str], templates: np.ndarray):
        self._faiss = _import_faiss()
        self._graph = self._faiss.IndexHNSWFlat(templates.shape[1], GRAPH_NEIGHBORS, self._faiss.METRIC_INNER_PRODUCT)
        self._graph.hnsw.efConstruction = 80
        self._graph.add(np.ascontiguousarray(templates, np.float32))
        self._ids = list(ids)
        self._rows = {one: row for row, one in enumerate(ids)}
        self._excluded: list[int] = []

    def put(self, person: str, template: np.ndarray) -> None:
        self.discard(person)
        self._rows[person] = len(self._ids)
        self._ids.append(person)
        self._graph.add(np.ascontiguousarray(template[None], np.float32))

    def discard(self, person: str) -> None:
        row = self._rows.pop(person, None)
        if row is not None:
            self._excluded.append(row)

    def is_outdated(self) -> bool:
        return len(self._excluded) > MAX_EXCLUDED * len(self._ids)

    def search(self, probes: np.ndarray, most: int) -> list[list[tuple[str, float]]]:
        settings: Any = self._faiss.SearchParametersHNSW(efSearch=max(128, 2 * most))
        if self._excluded:
            excluded = self._faiss.IDSelectorBatch(np.array(self._excluded, np.int64))
            settings.sel = self._faiss.IDSelectorNot(excluded)
        scores, rows = self._graph.search(np.ascontiguousarray(probes, np.float32), most, params=settings)
        return [
            [(self._ids[row], float(score)) for row, score in zip(found, similar, strict=True) if row >= 0]
            for found, similar in zip(rows, scores, strict=True)
        ]


def _import_faiss() -> Any:
    try:
        import faiss
    except ImportError as error:
        command = install_command("gallery")
        raise FacesError(f"--faiss needs FAISS: in the project's folder, {command}; or leave it out") from error
    return faiss
