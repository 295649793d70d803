"""Thresholds that mean something: calibrated on pairs with answers, stored with the network, used for one's faces."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from experiments.errors import FacesError
from experiments.files import read_json, write_json
from experiments.metrics.roc import roc_curve

THRESHOLDS = "thresholds.json"
STEPS = 400


@dataclass(frozen=True)
class Threshold:
    """A similarity from which two pictures count as one person; the error rates there, on the calibrating pairs."""

    name: str
    value: float
    far: float
    frr: float


@dataclass(frozen=True)
class ThresholdCalibration:
    """Thresholds of a network, and how the similarities of different people spread.

    network: its fingerprint. flip, zooms: how its embeddings were made. pairs: the file; genuine, impostor: how many.
    thresholds: the EER point first, then those of the FARs asked for. strangers: at each of STEPS + 1 similarities from
    -1 to 1, how many impostor pairs score at least as much.
    """

    network: str
    flip: bool
    zooms: tuple[float, ...]
    pairs: str
    genuine: int
    impostor: int
    thresholds: tuple[Threshold, ...]
    strangers: tuple[int, ...]

    def at(self, far: float | None = None) -> Threshold:
        """The threshold of the EER point, or of a FAR that was asked for. Raises FacesError for any other FAR."""
        name = "eer" if far is None else f"far {far:g}"
        for threshold in self.thresholds:
            if threshold.name == name:
                return threshold
        known = ", ".join(threshold.name for threshold in self.thresholds)
        raise FacesError(f"no threshold was calibrated for a FAR of {far:g}, only: {known}; run `faces verify` with it")

    def strictest_for(self, far: float) -> Threshold:
        """The threshold of the largest calibrated FAR that is no more than `far`, else of the smallest there is."""
        by_far = sorted((t for t in self.thresholds if t.name != "eer"), key=lambda t: float(t.name[4:]))
        if not by_far:
            return self.at()
        return next((t for t in reversed(by_far) if float(t.name[4:]) <= far * (1 + 1e-9)), by_far[0])

    def strangers_above(self, similarity: float) -> int:
        """How many of the calibrating impostor pairs score at least about as much, never fewer than do."""
        step = int(np.clip(np.floor((similarity + 1) / 2 * STEPS), 0, STEPS))
        return self.strangers[step]

    def write(self, folder: Path) -> None:
        """Store it in a folder, whole or not at all."""
        write_json(folder / THRESHOLDS, asdict(self))


def calibrate_thresholds(
    scores: np.ndarray, matches: np.ndarray, fars: Sequence[float], **about: Any
) -> ThresholdCalibration:
    """Thresholds of scores (N,) with answers (N,): of the EER point, and of each FAR that there are pairs enough for.

    about: the fields of ThresholdCalibration that say what was scored.
    """
    curve = roc_curve(scores, matches)
    points = [("eer", curve.eer_threshold())]
    points += [(f"far {far:g}", curve.threshold_at(far)) for far in fars if curve.supports(far)]
    strangers = np.sort(scores[~matches])
    grid = np.linspace(-1, 1, STEPS + 1)
    return ThresholdCalibration(
        genuine=int(matches.sum()),
        impostor=len(strangers),
        thresholds=tuple(Threshold(name, value, *curve.rates_at(value)) for name, value in points),
        strangers=tuple((len(strangers) - np.searchsorted(strangers, grid)).tolist()),
        **about,
    )


def read_thresholds(folder: Path, network: str) -> ThresholdCalibration:
    """The calibration in a folder. Raises FacesError where there is none, or it is of another network."""
    path = folder / THRESHOLDS
    if not path.is_file():
        raise FacesError(
            f"{folder}: no {THRESHOLDS}, so nobody knows how alike is alike enough: first `faces verify` it on pairs "
            "with answers"
        )
    try:
        stored = read_json(path)
        points = tuple(Threshold(**point) for point in stored.pop("thresholds"))
        zooms, strangers = tuple(stored.pop("zooms")), tuple(stored.pop("strangers"))
        calibration = ThresholdCalibration(thresholds=points, zooms=zooms, strangers=strangers, **stored)
    except (TypeError, KeyError, AttributeError) as error:
        raise FacesError(f"{path}: not thresholds as `faces verify` stores them ({error}): verify anew") from error
    if calibration.network != network:
        raise FacesError(f"{path}: calibrated for other weights than {folder} has now: `faces verify` it again")
    return calibration
