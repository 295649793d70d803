"""Everything against everything: the scores of all pairs of N pictures, counted as they come and never kept.

35,000 pictures make 6e8 pairs, whose scores would fill 2.4 GB. Here each block of the N x N table is made, counted into
fine bins and forgotten. A score is rounded to the nearest of 2^20 steps between 0 and 1, about what float32 resolves of
a dot product, and everything after is exact: no pair is sampled or left out.
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
MARGIN = 32  # steps beyond -1 and 1, for what rounding adds to a dot product of unit vectors
BINS = 2 * (STEPS + MARGIN) + 1
BLOCK = 1024


@dataclass(frozen=True, eq=False)
class ScoreCounts:
    """How many pairs scored in each step, (BINS,) int64; step i stands for the score (i - MARGIN) / STEPS - 1."""

    genuine: np.ndarray
    impostor: np.ndarray

    def roc_curve(self) -> RocCurve:
        """The curve over all steps that occur. Raises FacesError where all pairs are of one kind."""
        if not (self.genuine.any() and self.impostor.any()):
            kind = "of two people" if self.impostor.any() else "of one person"
            raise FacesError(f"all pairs are {kind}: give several pictures each of several people")
        steps = np.flatnonzero(self.genuine + self.impostor)[::-1]
        return RocCurve(
            np.append(np.inf, score_of(steps)),
            np.append(0, np.cumsum(self.genuine[steps])).astype(np.float64),
            np.append(0, np.cumsum(self.impostor[steps])).astype(np.float64),
        )


def step_of(scores: np.ndarray) -> np.ndarray:
    """The step that each score, -1 to 1, is counted in."""
    return np.rint(scores * STEPS).astype(np.int64) + (STEPS + MARGIN)


def score_of(steps: np.ndarray) -> np.ndarray:
    """The score that a step stands for."""
    return (steps - (STEPS + MARGIN)) / STEPS


def count_all_pairs(
    embeddings: np.ndarray, labels: np.ndarray, block: int = BLOCK, progress: Callable[[int, int], None] | None = None
) -> ScoreCounts:
    """Count the scores of all N (N - 1) / 2 pairs. embeddings: (N, D) float32 of length 1; labels: (N,) who it is.

    Memory: three tables of block x block besides the embeddings. Raises FacesError for embeddings of another length.
    """
    if len(embeddings) < 2 or len(embeddings) != len(labels):
        raise FacesError(f"{len(embeddings)} embeddings of {len(labels)} pictures: expected one each, and two at least")
    lengths = np.linalg.norm(embeddings, axis=1)
    if not np.allclose(lengths, 1, atol=1e-5):
        raise FacesError(
            f"embeddings with lengths of {lengths.min():.3g} to {lengths.max():.3g}, expected 1: normalise"
        )
    # Sorted by person, genuine pairs stand near the diagonal, and most blocks hold none.
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
    """Yield each block's steps, flat, and which of them are genuine pairs, None where none are."""
    table = np.empty((block, block), np.float32)
    for top in edges:
        rows, who = embeddings[top : top + block], labels[top : top + block]
        for left in range(top, len(labels), block):
            columns, whom = embeddings[left : left + block], labels[left : left + block]
            scores = table.reshape(-1)[: len(rows) * len(columns)].reshape(len(rows), len(columns))
            np.matmul(rows, columns.T, out=scores)
            scores *= STEPS
            np.rint(scores, out=scores)
            scores += STEPS + MARGIN
            steps = scores.astype(np.int64)
            same = who[:, None] == whom if whom[0] <= who[-1] else None
            if left == top:
                upper = np.triu(np.ones(steps.shape, bool), 1)
                yield steps[upper], None if same is None else same[upper]
            else:
                yield steps.reshape(-1), None if same is None else same.reshape(-1)


def draw_embeddings(pictures: int, each: int, size: int, noise: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Embeddings of made-up people, (N, size) float32 of length 1, and who each is: a direction each, and noise."""
    generator = np.random.default_rng(seed)
    labels = np.arange(pictures) // each
    centres = generator.standard_normal((labels[-1] + 1, size), np.float32)
    drawn = centres[labels] + noise * generator.standard_normal((pictures, size), np.float32)
    return drawn / np.linalg.norm(drawn, axis=1, keepdims=True), labels


def peak_memory() -> float:
    """The most memory that this process has held, in GiB.

    As Linux lists it: what getrusage gives there begins with the parent's.
    """
    status = Path("/proc/self/status")
    if status.exists():
        fields = dict(line.split(":", 1) for line in status.read_text(encoding="utf-8").splitlines())
        return int(fields["VmHWM"].split()[0]) / 2**20
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**30 if sys.platform == "darwin" else peak / 2**20


def main() -> None:
    """Time the count on made-up people: `python -m experiments.metrics.all_pairs --pictures 35000`."""
    parser = argparse.ArgumentParser(description="All pairs of made-up embeddings: time, memory, TAR at FAR.")
    parser.add_argument("--pictures", type=int, default=35_000)
    parser.add_argument("--each", type=int, default=5, help="pictures a person")
    parser.add_argument("--size", type=int, default=128, help="numbers in an embedding")
    parser.add_argument("--noise", type=float, default=1.1, help="spread about a person's own direction, which has 1")
    parser.add_argument("--block", type=int, default=BLOCK)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    embeddings, labels = draw_embeddings(given.pictures, given.each, given.size, given.noise, given.seed)
    started = time.perf_counter()
    curve = count_all_pairs(embeddings, labels, given.block).roc_curve()
    took = time.perf_counter() - started
    genuine, impostor = int(curve.genuine[-1]), int(curve.impostor[-1])
    pairs = genuine + impostor
    print(f"{given.pictures:,} pictures: {genuine:,} genuine and {impostor:,} impostor pairs, {pairs:,} in all")
    print(f"{took:.1f} s, {pairs / took / 1e6:.0f} million pairs/s; peak memory {peak_memory():.2f} GiB")
    for far in (1e-3, 1e-4, 1e-5, 1e-6):
        print(f"TAR at FAR {far:g}: {curve.tar_at(far):.4f}, threshold {curve.threshold_at(far):.4f}")


if __name__ == "__main__":
    main()
