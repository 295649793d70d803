"""Similarity thresholds with measured error rates, calibrated on pairs with answers and stored with the network."""

from collections.abc import Sequence
from math import ceil
from pathlib import Path
from typing import Annotated, Any, Self

import numpy as np
from pydantic import Field, model_validator

from experiments.data.preparation import Preparation
from experiments.errors import FacesError
from experiments.files import Record
from experiments.metrics.bootstrap import proportion_interval
from experiments.metrics.roc import roc_curve
from experiments.weights import weights_folder

THRESHOLDS = "thresholds.json"

SHIPPED = Path(__file__).parents[1] / "calibrations"
"""Calibrations of known networks, by the commands that results/verification/README.md lists."""

STEPS = 400
"""Steps between the similarities -1 and 1 at which impostor pairs are counted."""

EER = "eer"
Rate = Annotated[float, Field(ge=0, le=1)]


class Threshold(Record):
    """A similarity from which two images count as one person, and the error rates there on the calibration pairs.

    name: "eer" for the point of equal error rates, or "far 0.001" for the FAR that was asked for.
    """

    name: Annotated[str, Field(pattern=r"^(eer|far [0-9.e-]+)$")]
    value: float
    far: Rate
    frr: Rate

    @property
    def target(self) -> float | None:
        """The FAR that was asked for; none for the EER point."""
        return None if self.name == EER else float(self.name.removeprefix("far "))


class ThresholdCalibration(Record):
    """Thresholds of a network, and how the similarities of different people are distributed.

    network: its fingerprint. flip, zooms, preparation: how its embeddings and images were made. pairs: the
    file of pairs; genuine, impostor: how many there were. thresholds: the EER point first, then those of the FARs asked
    for. strangers: at each of STEPS + 1 similarities from -1 to 1, how many impostor pairs score at least as much.
    """

    network: str
    flip: bool
    zooms: tuple[float, ...]
    preparation: Preparation | None = None
    pairs: str
    genuine: Annotated[int, Field(ge=1)]
    impostor: Annotated[int, Field(ge=1)]
    thresholds: Annotated[tuple[Threshold, ...], Field(min_length=1)]
    strangers: Annotated[tuple[int, ...], Field(min_length=STEPS + 1, max_length=STEPS + 1)]

    @model_validator(mode="after")
    def _has_the_equal_error_point(self) -> Self:
        if self.thresholds[0].name != EER:
            raise ValueError(f"the first threshold is {self.thresholds[0].name!r}, expected {EER!r}")
        return self

    def for_far(self, far: float | None = None) -> Threshold:
        """Return the threshold of the EER point, or of a FAR. Raises FacesError for a FAR that was not calibrated."""
        if far is not None and not 0 < far < 1:
            raise FacesError(f"a FAR of {far:g}: expected a fraction between 0 and 1, such as 0.01")
        name = EER if far is None else f"far {far:g}"
        for threshold in self.thresholds:
            if threshold.name == name:
                return threshold
        known = ", ".join(threshold.name for threshold in self.thresholds)
        raise FacesError(
            f"no threshold was calibrated for a FAR of {far:g}, only: {known}; give one of these FARs, or calibrate "
            f"with `faces verify --far {far:g}` on at least {ceil(1 / (far or 1)):,} pairs of different people"
        )

    def by_far(self) -> list[tuple[float, Threshold]]:
        """Return the calibrated FARs, rising, each with its threshold."""
        return sorted((t.target, t) for t in self.thresholds if t.target is not None)

    def far_interval(self, threshold: Threshold) -> tuple[float, float]:
        """Return the 95 % interval of a threshold's false-match rate, over the impostor pairs it was calibrated on."""
        accepted = np.arange(self.impostor) < round(threshold.far * self.impostor)
        return proportion_interval(accepted)

    def strangers_above(self, similarity: float) -> int:
        """Return how many impostor pairs scored about as high or higher: never fewer than did, rounded to a step."""
        step = int(np.clip(np.floor((similarity + 1) / 2 * STEPS), 0, STEPS))
        return self.strangers[step]


def calibrate_thresholds(
    scores: np.ndarray, matches: np.ndarray, fars: Sequence[float], **about: Any
) -> ThresholdCalibration:
    """Calibrate on scores (N,) with answers (N,): the EER point, and each FAR that there are enough pairs for.

    about: the other fields of ThresholdCalibration. Raises FacesError where all pairs score the same.
    """
    curve = roc_curve(scores, matches)
    if np.ptp(scores) < 1e-6:
        raise FacesError(
            f"all {len(scores)} pairs have the similarity {scores[0]:.4f}, so that no threshold tells people apart: "
            "are the images identical or of one color? `faces data check` lists such images"
        )
    points = [(EER, curve.eer_threshold())]
    points += [(f"far {far:g}", curve.threshold_at(far)) for far in fars if curve.supports(far)]
    strangers = np.sort(scores[~matches])
    grid = np.linspace(-1, 1, STEPS + 1)
    rates = {name: curve.rates_at(value) for name, value in points}
    return ThresholdCalibration(
        genuine=int(matches.sum()),
        impostor=len(strangers),
        thresholds=tuple(Threshold(name=n, value=v, far=rates[n][0], frr=rates[n][1]) for n, v in points),
        strangers=tuple((len(strangers) - np.searchsorted(strangers, grid)).tolist()),
        **about,
    )


def thresholds_file(folder: Path) -> Path | None:
    """Return the file of a network's thresholds: in its folder, or shipped for a known network; or None."""
    own, shipped = folder / THRESHOLDS, SHIPPED / f"{folder.name}.json"
    if own.is_file():
        return own
    return shipped if shipped.is_file() and folder == weights_folder() / folder.name else None


def read_thresholds(folder: Path, network: str) -> ThresholdCalibration:
    """Read the calibration in a folder. Raises FacesError where it is missing, damaged, or of another network."""
    path = thresholds_file(folder)
    if path is None:
        raise FacesError(
            f"{folder}: not calibrated yet, it has no {THRESHOLDS}: first `faces verify` it on pairs with answers"
        )
    calibration = ThresholdCalibration.read(path, f"`faces verify` {folder} again with --replace-thresholds")
    if calibration.network != network:
        raise FacesError(f"{path}: calibrated for other weights than {folder} has now: `faces verify` it again")
    return calibration


def store_thresholds(calibration: ThresholdCalibration, folder: Path, out: Path, replace: bool = False) -> Path | None:
    """Store a calibration with the network in `folder`, or else in `out`, unless that is `folder`. Returns where.

    Thresholds in use are replaced only when asked (`replace`). Those of other weights, and damaged ones, are of no use
    to anybody and are replaced without asking.
    """
    in_use = not (replace or _may_write(folder, calibration))
    if in_use and out.resolve() == folder.resolve():
        return None
    path = (out if in_use else folder) / THRESHOLDS
    path.parent.mkdir(parents=True, exist_ok=True)
    calibration.write(path)
    return path


def _may_write(folder: Path, calibration: ThresholdCalibration) -> bool:
    try:
        return read_thresholds(folder, calibration.network) == calibration
    except FacesError:
        return True
