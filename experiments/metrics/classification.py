"""Metrics of a classifier, from its logits and the true labels."""

from collections.abc import Callable
from typing import Any

import numpy as np

from mytorch.ops.loss import cross_entropy

ROWS = 2048
"""Images processed together: of 28,000 images and 7,000 people a single copy of the logits takes 800 MB."""


def by_rows(function: Callable[..., np.ndarray], *arrays: np.ndarray) -> np.ndarray:
    """Return function(*arrays), one value a row, computed `ROWS` rows at a time to keep intermediate arrays small."""
    starts = range(0, len(arrays[0]), ROWS) or [0]
    return np.concatenate([function(*(array[start : start + ROWS] for array in arrays)) for start in starts])


def rank_of_truth(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return how many classes score at least as high as the true one, (N,): 0 where the answer is right.

    A tie counts against the network, so that constant or NaN logits earn nothing.
    """
    own = np.take_along_axis(logits, labels[:, None], 1)
    return (~(logits < own)).sum(1) - 1


def losses(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return the cross entropy of each image, (N,): in nats, without label smoothing."""
    return by_rows(cross_entropy, logits, labels)


def classification_metrics(logits: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """Return top1 and top5 (fractions of the images) and loss (mean cross entropy in nats, no label smoothing)."""
    ranks = by_rows(rank_of_truth, logits, labels)
    return {
        "top1": float((ranks == 0).mean()),
        "top5": float((ranks < 5).mean()),
        "loss": float(losses(logits, labels).mean(dtype="d")),
    }


def confidence(logits: np.ndarray, temperature: float = 1.0) -> np.ndarray:
    """Return the probability of each image's most likely class, (N,): the largest of softmax(logits / temperature)."""

    def largest(rows: np.ndarray) -> np.ndarray:
        return 1 / np.exp((rows - rows.max(1, keepdims=True)) / temperature).sum(1)

    return by_rows(largest, logits)


def confusion_counts(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return counts (classes, classes): the row is the true label, the column the predicted one."""
    classes = logits.shape[1]
    counts = np.zeros((classes, classes), np.int64)
    np.add.at(counts, (labels, logits.argmax(1)), 1)
    return counts


def most_confused(counts: np.ndarray, names: list[str], most: int = 10) -> list[dict[str, Any]]:
    """Return the `most` common mistakes, the most common first: who was taken for whom, how often, of how many."""
    rows, columns = np.nonzero(counts)
    wrong = rows != columns
    rows, columns = rows[wrong], columns[wrong]
    order = np.argsort(-counts[rows, columns], kind="stable")[:most]
    return [
        {"true": names[r], "taken_for": names[c], "times": int(counts[r, c]), "of": int(counts[r].sum())}
        for r, c in zip(rows[order], columns[order], strict=True)
    ]
