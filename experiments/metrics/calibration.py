"""Does a network that says 80 % get 80 % right? (Guo et al. 2017, "On Calibration of Modern Neural Networks".)"""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize_scalar

from experiments.metrics.classification import by_rows, confidence, losses

BINS = 15
MIN_TEMPERATURE, MAX_TEMPERATURE = 0.05, 20.0
MAX_FITTED_IMAGES = 4000
"""Pictures that a temperature is fitted to, spread evenly over all: one number needs no more."""


@dataclass(frozen=True)
class ReliabilityBin:
    """Pictures whose confidence lies above `low` and up to `high`: how many, their mean confidence, the share right."""

    low: float
    high: float
    images: int
    confidence: float
    right: float


@dataclass(frozen=True)
class CalibrationMetrics:
    """ece: expected calibration error. temperature: what to divide logits by. ece_tempered: the error after that.

    The temperature is that of all pictures; the error after it is measured on each half of the pictures at the
    temperature of the other half, as no figure should be judged by what it was fitted to. bins: those of `ece`.
    """

    ece: float
    temperature: float
    ece_tempered: float
    bins: tuple[ReliabilityBin, ...]


def measure_calibration(logits: np.ndarray, labels: np.ndarray) -> CalibrationMetrics:
    """The calibration of logits (N, classes), for true labels (N,)."""
    right = logits.argmax(1) == labels
    bins = reliability_bins(confidence(logits), right)
    temperature = fit_temperature(logits, labels)
    tempered = np.empty(len(labels))
    halves = (slice(0, None, 2), slice(1, None, 2)) if len(labels) > 1 else (slice(None),)
    for mine, other in zip(halves, reversed(halves), strict=True):
        tempered[mine] = confidence(logits[mine], fit_temperature(logits[other], labels[other]))
    return CalibrationMetrics(
        expected_calibration_error(bins),
        temperature,
        expected_calibration_error(reliability_bins(tempered, right)),
        bins,
    )


def reliability_bins(confidences: np.ndarray, right: np.ndarray, bins: int = BINS) -> tuple[ReliabilityBin, ...]:
    """The bins of a reliability diagram that hold pictures, of equal width: confidences (N,) and booleans (N,)."""
    edges = np.linspace(0, 1, bins + 1)
    place = np.clip(np.searchsorted(edges, confidences, side="left") - 1, 0, bins - 1)
    found = []
    for b in np.unique(place):
        inside = place == b
        means = float(confidences[inside].mean(dtype="d")), float(right[inside].mean())
        found.append(ReliabilityBin(float(edges[b]), float(edges[b + 1]), int(inside.sum()), *means))
    return tuple(found)


def expected_calibration_error(bins: tuple[ReliabilityBin, ...]) -> float:
    """Expected calibration error (Guo et al., equation 3): how far confidence lies from accuracy, a picture's mean."""
    return sum(b.images * abs(b.confidence - b.right) for b in bins) / sum(b.images for b in bins)


def fit_temperature(logits: np.ndarray, labels: np.ndarray) -> float:
    """The temperature that gives logits / temperature the lowest cross entropy, between 0.05 and 20.

    The loss has one minimum in 1 / temperature, being convex there. Where every answer is right it only falls, and the
    answer is a temperature so cold that the loss is none.
    """

    some = slice(None, None, -(-len(labels) // MAX_FITTED_IMAGES))
    logits, labels = logits[some], labels[some]

    def loss(log_temperature: float) -> float:
        scale = logits.dtype.type(np.exp(-log_temperature))
        return float(by_rows(lambda rows, truth: losses(rows * scale, truth), logits, labels).mean(dtype="d"))

    found = minimize_scalar(
        loss, bounds=np.log([MIN_TEMPERATURE, MAX_TEMPERATURE]), method="bounded", options={"xatol": 1e-3}
    )
    return float(np.exp(found.x))
