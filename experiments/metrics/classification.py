"""Figures of a classifier, from its logits and the true labels."""

from collections.abc import Callable
from typing import Any

import numpy as np

from mytorch.ops.loss import cross_entropy

ROWS = 2048
"""Pictures looked at together: of 7,000 people and 28,000 pictures a single copy of the logits is 800 MB."""


def by_rows(function: Callable[..., np.ndarray], *arrays: np.ndarray) -> np.ndarray:
    """function(*arrays) of a value a row, computed some rows at a time, so that its intermediate arrays stay small."""
    starts = range(0, len(arrays[0]), ROWS) or [0]
    return np.concatenate([function(*(array[start : start + ROWS] for array in arrays)) for start in starts])


def rank_of_truth(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """How many classes are preferred to the true one, (N,): 0 where the answer is right.

    A tie counts against the network, so that constant logits, or NaN, earn nothing.
    """
    own = np.take_along_axis(logits, labels[:, None], 1)
    return (~(logits < own)).sum(1) - 1


def losses(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Cross entropy of each picture, (N,): nats, no smoothing."""
    return by_rows(cross_entropy, logits, labels)


def classification_metrics(logits: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """top1, top5 (shares) and loss (mean cross entropy, nats, no smoothing)."""
    match_ranks = by_rows(rank_of_truth, logits, labels)
    return {
        "top1": float((match_ranks == 0).mean()),
        "top5": float((match_ranks < 5).mean()),
        "loss": float(losses(logits, labels).mean(dtype="d")),
    }


def confidence(logits: np.ndarray, temperature: float = 1.0) -> np.ndarray:
    """Probability of each picture's likeliest class, (N,): the largest of softmax(logits / temperature)."""

    def largest(rows: np.ndarray) -> np.ndarray:
        return 1 / np.exp((rows - rows.max(1, keepdims=True)) / temperature).sum(1)

    return by_rows(largest, logits)


def confusion_counts(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Counts (classes, classes): row the true label, column the predicted one."""
    classes = logits.shape[1]
    counts = np.zeros((classes, classes), np.int64)
    np.add.at(counts, (labels, logits.argmax(1)), 1)
    return counts


def most_confused(counts: np.ndarray, names: list[str], most: int = 10) -> list[dict[str, Any]]:
    """The commonest mistakes, the commonest first: who was taken for whom, how often, of how many."""
    rows, columns = np.nonzero(counts)
    wrong = rows != columns
    rows, columns = rows[wrong], columns[wrong]
    order = np.argsort(-counts[rows, columns], kind="stable")[:most]
    return [
        {"true": names[r], "taken_for": names[c], "times": int(counts[r, c]), "of": int(counts[r].sum())}
        for r, c in zip(rows[order], columns[order], strict=True)
    ]
