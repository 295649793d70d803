"""The ROC curve of all pairs of N images, computed from a histogram so that no list of scores is kept.

35,000 images make 6e8 pairs, whose scores would take 2.4 GB. Here each block of the N x N matrix is computed, counted
into fine bins and discarded. A score is rounded to the nearest of 2^20 steps between 0 and 1, about what float32
resolves of a dot product. Everything after that is exact: no pair is sampled or left out.
"""

import argparse
import resource
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from experiments.errors import FacesError
from experiments.metrics.roc import RocCurve

STEPS = 1 << 20
MARGIN = 32  # steps beyond -1 and 1, for the rounding error of a dot product of unit vectors
BINS = 2 * (STEPS + MARGIN) + 1
BLOCK = 1024


@dataclass(frozen=True, eq=False)
class ScoreCounts:
    """The number of pairs in each bin, (BINS,) int64; bin i holds the score (i - MARGIN) / STEPS - 1."""

    genuine: np.ndarray
    impostor: np.ndarray

    def roc_curve(self) -> RocCurve:
        """Compute the curve over all bins in use. Raises FacesError where all pairs are of one kind."""
        if not (self.genuine.any() and self.impostor.any()):
            kind = "of two people" if self.impostor.any() else "of one person"
            raise FacesError(f"all pairs are {kind}: give several images each of several people")
        steps = np.flatnonzero(self.genuine + self.impostor)[::-1]
        return RocCurve(
            np.append(np.inf, score_of(steps)),
            np.append(0, np.cumsum(self.genuine[steps])).astype(np.float64),
            np.append(0, np.cumsum(self.impostor[steps])).astype(np.float64),
        )


def step_of(scores: np.ndarray) -> np.ndarray:
    """Return the bin of each score, -1 to 1."""
    return np.rint(scores * STEPS).astype(np.int64) + (STEPS + MARGIN)


def score_of(steps: np.ndarray) -> np.ndarray:
    """Return the score at the center of a bin."""
    return (steps - (STEPS + MARGIN)) / STEPS


def count_all_pairs(
    embeddings: np.ndarray, labels: np.ndarray, block: int = BLOCK, progress: Callable[[int, int], None] | None = None
) -> ScoreCounts:
    """Count the scores of all N (N - 1) / 2 pairs. embeddings: (N, D) float32 of length 1; labels: (N,) the person.

    Memory: three arrays of block x block in addition to the embeddings. Raises FacesError for another length.
    """
    if len(embeddings) < 2 or len(embeddings) != len(labels):
        raise FacesError(f"{len(embeddings)} embeddings of {len(labels)} images: expected one each, and at least two")
    lengths = np.linalg.norm(embeddings, axis=1)
    if not np.allclose(lengths, 1, atol=1e-5):
        raise FacesError(
            f"embeddings with lengths of {lengths.min():.3g} to {lengths.max():.3g}, expected 1: divide by them"
        )
    # Sorted by person, genuine pairs are near the diagonal, and most blocks hold none.
    order = np.argsort(labels, kind="stable")
    embeddings, labels = np.ascontiguousarray(embeddings[order], np.float32), labels[order]
    genuine, total = np.zeros(BINS, np.int64), np.zeros(BINS, np.int64)
    edges = range(0, len(labels), block)
    done, pairs = 0, len(labels) * (len(labels) - 1) // 2
    for steps, same in _blocks(embeddings, labels, edges, block):
        total += np.bincount(steps, minlength=BINS)
        if same is not None:
            genuine += np.bincount(steps[same], minlength=BINS)
        done += len(steps)
        if progress:
            progress(done, pairs)
    return ScoreCounts(genuine, total - genuine)


def _blocks(
    embeddings: np.ndarray, labels: np.ndarray, edges: range, block: int
) -> Iterator[tuple[np.ndarray, np.ndarray | None]]:
    """Yield each block's bins, flat, and which of them are genuine pairs, None where none are."""
    table = np.empty((block, block), np.float32)
    for top in edges:
        rows, row_labels = embeddings[top : top + block], labels[top : top + block]
        for left in range(top, len(labels), block):
            columns, column_labels = embeddings[left : left + block], labels[left : left + block]
            scores = table.reshape(-1)[: len(rows) * len(columns)].reshape(len(rows), len(columns))
            np.matmul(rows, columns.T, out=scores)
            scores *= STEPS
            np.rint(scores, out=scores)
            scores += STEPS + MARGIN
            steps = scores.astype(np.int64)
            mixed = column_labels[0] <= row_labels[-1]
            same = row_labels[:, None] == column_labels if mixed else None
            if left == top:
                upper = np.triu(np.ones(steps.shape, bool), 1)
                yield steps[upper], None if same is None else same[upper]
            else:
                yield steps.reshape(-1), None if same is None else same.reshape(-1)


def draw_embeddings(images: int, per_person: int, size: int, noise: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw embeddings (N, size) float32 of length 1 and labels (N,): a random direction per person, plus noise."""
    generator = np.random.default_rng(seed)
    labels = np.arange(images) // per_person
    centers = generator.standard_normal((labels[-1] + 1, size), np.float32)
    drawn = centers[labels] + noise * generator.standard_normal((images, size), np.float32)
    return drawn / np.linalg.norm(drawn, axis=1, keepdims=True), labels


def peak_memory() -> float:
    """Return the peak resident memory of this process, in GiB.

    Read from /proc on Linux, where getrusage starts with the parent's peak.
    """
    status = Path("/proc/self/status")
    if status.exists():
        fields = dict(line.split(":", 1) for line in status.read_text(encoding="utf-8").splitlines())
        return int(fields["VmHWM"].split()[0]) / 2**20
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**30 if sys.platform == "darwin" else peak / 2**20


def main() -> None:
    """Time the count on random embeddings: `python -m experiments.metrics.all_pairs --images 35000`."""
    parser = argparse.ArgumentParser(description="All pairs of random embeddings: time, memory, TAR at FAR.")
    parser.add_argument("--images", type=int, default=35_000)
    parser.add_argument("--images-per-person", type=int, default=5)
    parser.add_argument("--size", type=int, default=128, help="length of an embedding")
    parser.add_argument("--noise", type=float, default=1.1, help="standard deviation around a person's direction")
    parser.add_argument("--block", type=int, default=BLOCK)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    embeddings, labels = draw_embeddings(given.images, given.images_per_person, given.size, given.noise, given.seed)
    started = time.perf_counter()
    curve = count_all_pairs(embeddings, labels, given.block).roc_curve()
    took = time.perf_counter() - started
    genuine, impostor = int(curve.genuine[-1]), int(curve.impostor[-1])
    pairs = genuine + impostor
    print(f"{given.images:,} images: {genuine:,} genuine and {impostor:,} impostor pairs, {pairs:,} in all")
    print(f"{took:.1f} s, {pairs / took / 1e6:.0f} million pairs/s; peak memory {peak_memory():.2f} GiB")
    for far in (1e-3, 1e-4, 1e-5, 1e-6):
        print(f"TAR at FAR {far:g}: {curve.tar_at(far):.4f}, threshold {curve.threshold_at(far):.4f}")


if __name__ == "__main__":
    main()
