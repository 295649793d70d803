"""One pair of photographs: one person, or two?

What a decision rests on: cover a place of one face, and see how much less alike the two become.

Zeiler and Fergus 2014, arXiv 1311.2901, section 4.2, for a pair: the answer is a similarity, not a class.
"""

from itertools import product
from pathlib import Path

import numpy as np
from PIL import Image

from experiments.data.align.in_memory import AlignedFace, align_files
from experiments.data.images import fit_image, read_image
from experiments.errors import FacesError
from experiments.evaluation.thresholds import Threshold, ThresholdCalibration, read_thresholds
from experiments.inference.embedder import Embedder, open_embedder
from experiments.plots.sheets import PairTile, write_pair_sheet
from experiments.plots.style import new_plot, write_plot
from experiments.progress import say


def match_images(run: Path, first: Path, second: Path, align: bool, far: float | None, out: Path) -> float:
    """Say whether two photographs show one person, and draw the two faces into `out`. Returns the similarity.

    The threshold is the calibrated one, of the EER point or of `far`. Raises FacesError where the network was never
    calibrated, and where no face is found in a photograph; of several, the most central large one counts, and is said.
    """
    if out.is_dir():
        raise FacesError(f"{out} is a folder: give --out the name of a picture, such as {out / 'match.png'}")
    embedder = open_embedder(run)
    assert embedder.folder is not None
    calibration = read_thresholds(embedder.folder, embedder.fingerprint)
    threshold = calibration.at(far)
    images = load_faces([first, second], embedder, align)
    if first.read_bytes() == second.read_bytes():
        say(f"note: {first} and {second} are one and the same picture")
    vectors = embedder.embed(images, calibration.flip, calibration.zooms).astype(np.float64)
    similarity = float(vectors[0] @ vectors[1])
    for line in describe_match(similarity, threshold, calibration):
        say(line)
    answer = "one person" if similarity >= threshold.value else "two people"
    title = f"{answer}: similarity {similarity:.3f}, threshold {threshold.value:.3f}"
    write_pair_sheet([PairTile(images[0], images[1], f"{first.name} | {second.name}")], out, title)
    say(f"the faces compared: {out}")
    return similarity


def describe_match(similarity: float, threshold: Threshold, calibration: ThresholdCalibration) -> list[str]:
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


def load_faces(paths: list[Path], embedder: Embedder, align: bool) -> np.ndarray:
    """The face of each photograph as the network takes it, (N, H, W, 3). Raises FacesError where there is none."""
    if not align:
        return np.stack([fit_image(read_image(path), embedder.size, "crop") for path in paths])
    found = align_files(paths, embedder.size)
    for one in found:
        require_face(one)
        if one.remark:
            say(f"note: {one.remark}")
    return np.stack([one.image for one in found])


def require_face(one: AlignedFace) -> None:
    """Raise FacesError where no face was found in a photograph."""
    if one.face is None:
        raise FacesError(
            f"{one.path}: no face was found; give a photograph with a face turned to the camera, or --no-align where "
            "it is an aligned face already"
        )


def _rate(rate: float, pairs: int) -> str:
    """A rate for people; where none erred, what that can mean (the rule of three)."""
    return f"{rate:.3%}" if rate else f"none of {pairs:,} seen, so below about {3 / pairs:.2%}"


GRAY = 128


def occlusion_map(
    embedder: Embedder, image: np.ndarray, other: np.ndarray, patch: int = 0, stride: int = 0, flip: bool = True
) -> np.ndarray:
    """How much the similarity falls where each pixel is covered, (H, W), on average: positive where it was for.

    image, other: (H, W, 3) uint8; patch: the side of the grey square in pixels, a sixth of the picture by default;
    stride: between its places, a third of it by default. With `flip`, the mirror image is covered, too.
    """
    height, width = image.shape[:2]
    patch = patch or max(1, min(height, width) // 6)
    stride = stride or max(1, patch // 3)
    places = list(product(range(0, height - patch + 1, stride), range(0, width - patch + 1, stride)))
    covered = np.repeat(image[None], len(places), 0)
    for n, (top, left) in enumerate(places):
        covered[n, top : top + patch, left : left + patch] = GRAY
    vectors = embedder.embed(np.concatenate([image[None], other[None], covered]), flip).astype(np.float64)
    similarity = vectors @ vectors[1]
    falls, times = np.zeros((2, height, width))
    for fall, (top, left) in zip(similarity[0] - similarity[2:], places, strict=True):
        falls[top : top + patch, left : left + patch] += fall
        times[top : top + patch, left : left + patch] += 1
    return falls / np.maximum(times, 1)


def draw_occlusion_maps(
    first: np.ndarray, second: np.ndarray, maps: tuple[np.ndarray, np.ndarray], path: Path, title: str
) -> None:
    """Both faces, each beside itself with its map over it: red where covering makes them less alike, blue more."""
    drawing, axes = new_plot(4, 2.5, 2.9)
    most = max(float(np.abs(values).max()) for values in maps) or 1.0
    shades = None
    for place, (image, values) in enumerate(zip((first, second), maps, strict=True)):
        axes[2 * place].imshow(image)
        axes[2 * place + 1].imshow(np.asarray(Image.fromarray(image).convert("L")), cmap="gray")
        shades = axes[2 * place + 1].imshow(values, cmap="RdBu_r", vmin=-most, vmax=most, alpha=0.6)
    for axis in axes:
        axis.set(xticks=[], yticks=[])
        axis.grid(False)
        axis.spines[:].set_visible(False)
    drawing.colorbar(shades, ax=axes[-1], shrink=0.7, label="fall of the similarity")  # type: ignore[arg-type]
    drawing.suptitle(title)
    write_plot(drawing, path)


def explain_pair(embedder: Embedder, first: np.ndarray, second: np.ndarray, out: Path) -> None:
    """Draw both faces' maps into a picture. first, second: (H, W, 3) uint8, as the network takes them."""
    maps = (occlusion_map(embedder, first, second), occlusion_map(embedder, second, first))
    one, other = embedder.embed(np.stack([first, second])).astype(np.float64)
    draw_occlusion_maps(first, second, maps, out, f"What a similarity of {one @ other:.3f} rests on")
    say(f"{out}: red where covering the place makes the two less alike, blue where more")
