"""Figures of a classifier, from its logits and the true labels."""

from typing import Any

import numpy as np

from mytorch.nn import CrossEntropyLoss


def rank_of_truth(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """How many classes are preferred to the true one, (N,): 0 where the answer is right.

    A tie counts against the network, so that constant logits, or NaN, earn nothing.
    """
    own = np.take_along_axis(logits, labels[:, None], 1)
    return (~(logits < own)).sum(1) - 1


def figures(logits: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """top1, top5 (shares) and loss (cross entropy, nats, no smoothing)."""
    ranks = rank_of_truth(logits, labels)
    return {
        "top1": float((ranks == 0).mean()),
        "top5": float((ranks < 5).mean()),
        "loss": CrossEntropyLoss()(logits, labels),
    }


def confidence(logits: np.ndarray) -> np.ndarray:
    """Softmax, (N, classes)."""
    exponential = np.exp(logits - logits.max(1, keepdims=True))
    return exponential / exponential.sum(1, keepdims=True)


def confusion(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Counts (classes, classes): row the true label, column the predicted one."""
    classes = logits.shape[1]
    counts = np.zeros((classes, classes), np.int64)
    np.add.at(counts, (labels, logits.argmax(1)), 1)
    return counts


def most_confused(counts: np.ndarray, names: list[str], most: int = 10) -> list[dict[str, Any]]:
    """The commonest mistakes, the commonest first: who was taken for whom, how often, of how many."""
    wrong = counts - np.diag(np.diag(counts))
    order = np.argsort(-wrong, axis=None, kind="stable")[:most]
    rows, columns = np.unravel_index(order, wrong.shape)
    return [
        {"true": names[r], "taken_for": names[c], "times": int(wrong[r, c]), "of": int(counts[r].sum())}
        for r, c in zip(rows, columns, strict=True)
        if wrong[r, c]
    ]
