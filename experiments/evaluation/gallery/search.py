"""Whose template is nearest: exactly, by one matrix product, or by FAISS for a million people and more."""

from typing import Literal

import numpy as np

from experiments.errors import FacesError

Search = Literal["exact", "faiss"]
CHUNK = 4096


def nearest(
    templates: np.ndarray, probes: np.ndarray, most: int, search: Search = "exact"
) -> tuple[np.ndarray, np.ndarray]:
    """The `most` templates (G, D) most alike to each probe (P, D): similarities and rows, both (P, most), best first.

    "faiss" looks through an HNSW graph (Malkov and Yashunin 2018, arXiv 1603.09320), which finds nearly always the
    nearest, in a time that hardly grows with G. Raises FacesError where FAISS is not installed.
    """
    most = min(most, len(templates))
    if search == "faiss":
        return _by_graph(templates, probes, most)
    scores, rows = [], []
    for start in range(0, len(probes), CHUNK):
        table = probes[start : start + CHUNK] @ templates.T
        best = np.argpartition(-table, most - 1, axis=1)[:, :most]
        found = np.take_along_axis(table, best, 1)
        order = np.argsort(-found, axis=1, kind="stable")
        scores.append(np.take_along_axis(found, order, 1))
        rows.append(np.take_along_axis(best, order, 1))
    return np.concatenate(scores), np.concatenate(rows)


def _by_graph(templates: np.ndarray, probes: np.ndarray, most: int) -> tuple[np.ndarray, np.ndarray]:
    try:
        import faiss
    except ImportError as error:
        raise FacesError("--search faiss needs FAISS: pip install 'mytorch-faces[gallery]', or leave it out") from error
    index = faiss.IndexHNSWFlat(templates.shape[1], 32, faiss.METRIC_INNER_PRODUCT)
    index.hnsw.efConstruction, index.hnsw.efSearch = 80, max(128, 2 * most)
    index.add(np.ascontiguousarray(templates, np.float32))
    scores, rows = index.search(np.ascontiguousarray(probes, np.float32), most)
    return scores, rows
