"""Grouping embeddings of unknown people by average linkage, and comparing the groups with the truth.

Average linkage joins the two groups whose mean similarity is largest, until none is at least the threshold. It is
UPGMA: Sokal and Michener 1958. Why this one: results/cluster/README.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from experiments.errors import FacesError

MAX_FACES = 30_000
"""More would take over 7 GB for the similarities of all pairs."""

BLOCK = 1024


@dataclass(frozen=True)
class PairwiseScores:
    """How well groups fit the truth, over all pairs of faces.

    precision: of the pairs in one group, the fraction of one person. recall: of the pairs of one person, the fraction
    in one group. f1: their harmonic mean. groups, people: how many there are.
    """

    precision: float
    recall: float
    f1: float
    groups: int
    people: int


@dataclass(frozen=True, eq=False)
class Linkage:
    """A tree of N - 1 joins, in the order in which they were made: the most similar first.

    parts: (N - 1, 2), the two groups that each joins: below N a single face, above it the join of number minus N.
    similarity: (N - 1,), the mean similarity of their faces, not rising.
    """

    parts: np.ndarray
    similarity: np.ndarray

    def groups(self, threshold: float) -> np.ndarray:
        """Return the group (N,) of each face where only groups of at least this mean similarity are joined.

        Groups are numbered by their size, the largest first; equal ones by their first face.
        """
        count = len(self.parts) + 1
        owner = np.arange(count + len(self.parts))
        for join in range(int(np.sum(self.similarity >= threshold)) - 1, -1, -1):
            owner[self.parts[join]] = owner[count + join]
        return number_by_size(owner[:count])

    def members(self, node: int) -> np.ndarray:
        """Return the faces of a group: a face itself, or all that a join holds."""
        count, waiting, found = len(self.parts) + 1, [node], list[int]()
        while waiting:
            one = waiting.pop()
            if one < count:
                found.append(one)
            else:
                waiting += self.parts[one - count].tolist()
        return np.sort(np.array(found))


def average_linkage(embeddings: np.ndarray) -> Linkage:
    """Build the tree of embeddings (N, D) of length 1. Raises FacesError for more than MAX_FACES."""
    from scipy.cluster.hierarchy import linkage

    if len(embeddings) > MAX_FACES:
        raise FacesError(
            f"{len(embeddings):,} faces: at most {MAX_FACES:,} can be compared with each other in memory: give a part "
            "of them, or leave out small ones by --min-side and doubtful ones by --min-score"
        )
    if len(embeddings) < 2:
        return Linkage(np.empty((0, 2), np.int64), np.empty(0))
    tree = linkage(condensed_distances(embeddings), "average")
    return Linkage(tree[:, :2].astype(np.int64), 1 - tree[:, 2])


def condensed_distances(embeddings: np.ndarray) -> np.ndarray:
    """Return 1 minus the similarity of each pair, (N (N - 1) / 2,) float64, in SciPy's order."""
    count = len(embeddings)
    distances, place = np.empty(count * (count - 1) // 2), 0
    for top in range(0, count, BLOCK):
        rows = embeddings[top : top + BLOCK].astype(np.float64) @ embeddings[top:].T.astype(np.float64)
        for row, similarities in enumerate(rows):
            end = place + count - top - row - 1
            distances[place:end] = 1 - similarities[row + 1 :]
            place = end
    return np.maximum(distances, 0)


def number_by_size(labels: np.ndarray) -> np.ndarray:
    """Number groups (N,) from 0, the largest first; equal ones by their first face."""
    _, first, group, sizes = np.unique(labels, return_index=True, return_inverse=True, return_counts=True)
    rank = np.empty(len(sizes), np.int64)
    rank[np.lexsort((first, -sizes))] = np.arange(len(sizes))
    return rank[group]


def group_centers(embeddings: np.ndarray, groups: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean embedding (G, D) of each group, and its length (G,) before it was scaled to 1."""
    sums = np.zeros((int(groups.max()) + 1, embeddings.shape[1]))
    np.add.at(sums, groups, embeddings)
    means = sums / np.bincount(groups)[:, None]
    lengths = np.linalg.norm(means, axis=1)
    return means / np.maximum(lengths, 1e-12)[:, None], lengths


def nearest_groups(embeddings: np.ndarray, groups: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the other group (G,) that is most similar to each group, and the mean similarity of their faces (G,).

    A single group has none: it is its own, with the similarity minus infinity.
    """
    centers, lengths = group_centers(embeddings, groups)
    means = centers * lengths[:, None]
    nearest, similarity = np.empty(len(means), np.int64), np.empty(len(means))
    for top in range(0, len(means), BLOCK):
        rows = np.arange(top, min(top + BLOCK, len(means)))
        table = means[rows] @ means.T
        table[rows - top, rows] = -np.inf
        nearest[rows] = table.argmax(1)
        similarity[rows] = table.max(1)
    return nearest, similarity


def pairwise_scores(groups: Sequence[int] | np.ndarray, people: Sequence[str] | np.ndarray) -> PairwiseScores:
    """Compare groups (N,) with whom each face shows (N,). Without pairs of one kind, its rate is 1."""
    _, found = np.unique(np.asarray(groups), return_inverse=True)
    _, truth = np.unique(np.asarray(people), return_inverse=True)
    if len(found) != len(truth) or not len(found):
        raise FacesError(f"{len(found)} faces in groups and {len(truth)} names: expected one name for each face")
    _, both = np.unique(np.stack([found, truth]), axis=1, return_counts=True)
    right, together, same = (_pairs(counts) for counts in (both, np.bincount(found), np.bincount(truth)))
    precision, recall = right / together if together else 1.0, right / same if same else 1.0
    f1 = 2 * right / (together + same) if together + same else 1.0
    return PairwiseScores(precision, recall, f1, int(found.max()) + 1, int(truth.max()) + 1)


def _pairs(counts: np.ndarray) -> int:
    return int(np.sum(counts.astype(np.int64) * (counts - 1) // 2))
