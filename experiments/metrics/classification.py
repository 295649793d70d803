"""Metrics of a classifier, from its logits and the true labels: accuracy, confusions, and calibration.

Calibration asks whether a network that claims 80 % confidence is right 80 % of the time: Guo et al. 2017, "On
Calibration of Modern Neural Networks", arXiv 1706.04599.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import minimize_scalar

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


RELIABILITY_BINS = 15
MIN_TEMPERATURE, MAX_TEMPERATURE = 0.05, 20.0
MAX_FITTED_IMAGES = 4000
"""Images that a temperature is fitted to, spread evenly over all of them: a single parameter needs no more."""


@dataclass(frozen=True)
class ReliabilityBin:
    """Images with a confidence above `low` and up to `high`: how many, their mean confidence, the fraction right."""

    low: float
    high: float
    images: int
    confidence: float
    right: float


@dataclass(frozen=True)
class CalibrationMetrics:
    """How far a network's confidence is from its accuracy, before and after temperature scaling.

    ece: expected calibration error. temperature: what to divide logits by, fitted to all images; above 1 the network
    is over-confident, below 1 under-confident. ece_tempered: the error after temperature scaling, where each half of
    the images is scaled by the temperature fitted to the other half, so that nothing is judged by its own fit.
    bins: the bins of `ece`.
    """

    ece: float
    temperature: float
    ece_tempered: float
    bins: tuple[ReliabilityBin, ...]


def measure_calibration(logits: np.ndarray, labels: np.ndarray) -> CalibrationMetrics:
    """Return the calibration of logits (N, classes) for true labels (N,)."""
    right = logits.argmax(1) == labels
    bins = reliability_bins(confidence(logits), right)
    temperature = fit_temperature(logits, labels)
    scaled = np.empty(len(labels))
    halves = (slice(0, None, 2), slice(1, None, 2)) if len(labels) > 1 else (slice(None),)
    for mine, other in zip(halves, reversed(halves), strict=True):
        scaled[mine] = confidence(logits[mine], fit_temperature(logits[other], labels[other]))
    ece_tempered = expected_calibration_error(reliability_bins(scaled, right))
    return CalibrationMetrics(expected_calibration_error(bins), temperature, ece_tempered, bins)


def reliability_bins(
    confidences: np.ndarray, right: np.ndarray, bins: int = RELIABILITY_BINS
) -> tuple[ReliabilityBin, ...]:
    """Return the non-empty bins of a reliability diagram, of equal width, for confidences (N,) and booleans (N,)."""
    edges = np.linspace(0, 1, bins + 1)
    place = np.clip(np.searchsorted(edges, confidences, side="left") - 1, 0, bins - 1)
    found = []
    for b in np.unique(place):
        inside = place == b
        means = float(confidences[inside].mean(dtype="d")), float(right[inside].mean())
        found.append(ReliabilityBin(float(edges[b]), float(edges[b + 1]), int(inside.sum()), *means))
    return tuple(found)


def expected_calibration_error(bins: tuple[ReliabilityBin, ...]) -> float:
    """Return |confidence - accuracy| averaged over the images (Guo et al., equation 3)."""
    return sum(b.images * abs(b.confidence - b.right) for b in bins) / sum(b.images for b in bins)


def fit_temperature(logits: np.ndarray, labels: np.ndarray) -> float:
    """Return the temperature, 0.05 to 20, that minimizes the cross entropy of logits / temperature.

    The loss is convex in 1 / temperature, so it has one minimum. Where every answer is right the loss falls all the
    way, and the result is a low temperature at which the loss is 0.
    """
    spread = slice(None, None, -(-len(labels) // MAX_FITTED_IMAGES))
    logits, labels = logits[spread], labels[spread]

    def loss(log_temperature: float) -> float:
        scale = logits.dtype.type(np.exp(-log_temperature))
        return float(by_rows(lambda rows, truth: losses(rows * scale, truth), logits, labels).mean(dtype="d"))

    bounds = np.log([MIN_TEMPERATURE, MAX_TEMPERATURE])
    found = minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": 1e-3})
    return float(np.exp(found.x))
