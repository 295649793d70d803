"""One pair of photographs: one person, or two?"""

from pathlib import Path

import numpy as np

from experiments.data.align.in_memory import AlignedFace, align_files
from experiments.data.images import fit_image, read_image
from experiments.errors import FacesError
from experiments.evaluation.thresholds import Calibration, Threshold, read_calibration
from experiments.inference.embedder import Embedder, open_embedder
from experiments.plots.pair_sheet import PairTile, write_pair_sheet
from experiments.progress import say


def match_pictures(run: Path, first: Path, second: Path, align: bool, far: float | None, out: Path) -> float:
    """Say whether two photographs show one person, and draw the two faces into `out`. Returns the similarity.

    The threshold is the calibrated one, of the EER point or of `far`. Raises FacesError where the network was never
    calibrated, and where no face is found in a photograph; of several, the most central large one counts, and is said.
    """
    if out.is_dir():
        raise FacesError(f"{out} is a folder: give --out the name of a picture, such as {out / 'match.png'}")
    embedder = open_embedder(run)
    assert embedder.folder is not None
    calibration = read_calibration(embedder.folder, embedder.fingerprint)
    threshold = calibration.at(far)
    images = faces_of([first, second], embedder, align)
    if first.read_bytes() == second.read_bytes():
        say(f"note: {first} and {second} are one and the same picture")
    vectors = embedder.embed(images, calibration.flip, calibration.zooms).astype(np.float64)
    similarity = float(vectors[0] @ vectors[1])
    for line in verdict(similarity, threshold, calibration):
        say(line)
    answer = "one person" if similarity >= threshold.value else "two people"
    title = f"{answer}: similarity {similarity:.3f}, threshold {threshold.value:.3f}"
    write_pair_sheet([PairTile(images[0], images[1], f"{first.name} | {second.name}")], out, title)
    say(f"the faces compared: {out}")
    return similarity


def verdict(similarity: float, threshold: Threshold, calibration: Calibration) -> list[str]:
    """The answer in words: what was measured, against what, and how often that errs."""
    same = similarity >= threshold.value
    sign = "at least" if same else "below"
    above = calibration.strangers_above(similarity)
    pairs = f"{calibration.impostor:,} pairs of different people"
    return [
        f"{'ONE PERSON' if same else 'TWO PEOPLE'}: similarity {similarity:.4f}, {sign} the threshold "
        f"{threshold.value:.4f} ({threshold.name.upper()})",
        f"expected false-match rate at this threshold: {_rate(threshold.far, calibration.impostor)}; "
        f"of pairs of one person it refuses {_rate(threshold.frr, calibration.genuine)} (calibrated on "
        f"{calibration.pairs})",
        f"of the {pairs} it was calibrated on, {f'{above:,}' if above else 'none'} scored as high as this pair",
    ]


def faces_of(paths: list[Path], embedder: Embedder, align: bool) -> np.ndarray:
    """The face of each photograph as the network takes it, (N, H, W, 3). Raises FacesError where there is none."""
    if not align:
        return np.stack([fit_image(read_image(path), embedder.size, "crop") for path in paths])
    found = align_files(paths, embedder.size)
    for one in found:
        refuse_faceless(one)
        if one.remark:
            say(f"note: {one.remark}")
    return np.stack([one.image for one in found])


def refuse_faceless(one: AlignedFace) -> None:
    """Raise FacesError where no face was found in a photograph."""
    if one.face is None:
        raise FacesError(
            f"{one.path}: no face was found; give a photograph with a face turned to the camera, or --no-align where "
            "it is an aligned face already"
        )


def _rate(rate: float, pairs: int) -> str:
    """A rate for people; where none erred, what that can mean (the rule of three)."""
    return f"{rate:.3%}" if rate else f"none of {pairs:,} seen, so below about {3 / pairs:.2%}"
