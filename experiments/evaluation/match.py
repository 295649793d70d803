"""Two photos: one person or two people? And which parts of the faces the answer depends on.

The explanation covers one place of a face at a time and measures how far the similarity falls: Zeiler and Fergus 2014,
arXiv 1311.2901, section 4.2, for a similarity instead of a class.
"""

from itertools import product
from pathlib import Path

import numpy as np
from PIL import Image

from experiments.data.align.align import AlignedFace
from experiments.data.images import fit_image, read_image
from experiments.data.preparation import Preparation
from experiments.errors import FacesError
from experiments.evaluation.embedding import EmbedOptions, align_images, input_preparation, require_same_preparation
from experiments.evaluation.thresholds import Threshold, ThresholdCalibration, read_thresholds, thresholds_file
from experiments.files import refuse_overwriting_input
from experiments.inference.embedder import Embedder
from experiments.inference.networks import open_embedder
from experiments.plots.sheets import PairTile, write_pair_sheet
from experiments.plots.style import new_plot, write_plot
from experiments.progress import say

GRAY = 128


def match_images(network: str, first: Path, second: Path, align: bool, far: float | None, out: Path) -> float:
    """Print whether two photos show one person, and draw the two faces into `out`. Returns the similarity.

    The threshold is the calibrated one, of the EER point or of `far`. Raises FacesError where the network was never
    calibrated, where the photos are prepared otherwise than the calibration's images, and where no face is found; of
    several faces the largest central one counts, with a note.
    """
    refuse_output(out, (first, second))
    embedder = open_embedder(network)
    assert embedder.folder is not None
    calibration = read_thresholds(embedder.folder, embedder.fingerprint)
    threshold = calibration.for_far(far)
    images, preparation = load_faces([first, second], embedder, align)
    owner = str(thresholds_file(embedder.folder))
    require_same_preparation(preparation, calibration.preparation, owner, align)
    if first.read_bytes() == second.read_bytes():
        say(f"note: {first} and {second} are the same file")
    vectors = embedder.embed(images, calibration.flip, calibration.zooms).astype(np.float64)
    similarity = float(vectors[0] @ vectors[1])
    for line in describe_match(similarity, threshold, calibration):
        say(line)
    answer = "one person" if similarity >= threshold.value else "two people"
    title = f"{answer}: similarity {similarity:.3f}, threshold {threshold.value:.3f}"
    write_pair_sheet([PairTile(images[0], images[1], f"{first.name} | {second.name}")], out, title)
    say(f"the faces compared: {out}")
    return similarity


def refuse_output(out: Path, photos: tuple[Path, Path]) -> None:
    """Raise FacesError where an image to be written is a folder, or one of the photos."""
    if out.is_dir():
        raise FacesError(f"{out} is a folder: give --out the name of an image, such as {out / 'match.png'}")
    refuse_overwriting_input(out, photos)


def describe_match(similarity: float, threshold: Threshold, calibration: ThresholdCalibration) -> list[str]:
    """Put the answer into words: what was measured, compared with what, and how often that is wrong."""
    same = similarity >= threshold.value
    sign = "at least" if same else "below"
    above = calibration.strangers_above(similarity)
    pairs = f"{calibration.impostor:,} pairs of different people"
    return [
        f"{'ONE PERSON' if same else 'TWO PEOPLE'}: similarity {similarity:.4f}, {sign} the threshold "
        f"{threshold.value:.4f} ({threshold.name.upper()})",
        f"expected false-match rate at this threshold: {_format_rate(threshold.far, calibration.impostor)}"
        f"{_format_interval(calibration.far_interval(threshold)) if threshold.far else ''}; it rejects "
        f"{_format_rate(threshold.frr, calibration.genuine)} of pairs of one person (calibrated on "
        f"{calibration.pairs})",
        f"of the {pairs} it was calibrated on, {f'{above:,}' if above else 'none'} scored as high as this pair",
    ]


def _format_rate(rate: float, pairs: int) -> str:
    """A rate for people; where there was no error, what that can mean (the rule of three)."""
    return f"{rate:.3%}" if rate else f"none of {pairs:,} seen, so below about {3 / pairs:.2%}"


def _format_interval(interval: tuple[float, float]) -> str:
    low, high = interval
    return f" (95 % interval {low:.2%} to {high:.2%})"


def load_faces(paths: list[Path], embedder: Embedder, align: bool) -> tuple[np.ndarray, Preparation]:
    """Return the face of each photo as the network takes it, (N, H, W, 3), and how they are prepared.

    Raises FacesError where a photo shows no face, and for images prepared otherwise than those of the network's run.
    """
    images = [] if align else [read_image(path) for path in paths]
    preparation = input_preparation(embedder, paths, EmbedOptions(align))
    if not align:
        return np.stack([fit_image(image, embedder.size, "crop") for image in images]), preparation
    found = align_images(embedder, paths, preparation)
    for one in found:
        require_face(one)
        if one.remark:
            say(f"note: {one.remark}")
    return np.stack([one.image for one in found]), preparation


def require_face(one: AlignedFace) -> None:
    """Raise FacesError where no face was found in a photo."""
    if one.face is None:
        raise FacesError(
            f"{one.path}: no face was found; give a photo of a face turned to the camera, or --no-align where it is an "
            "aligned face already"
        )


def explain_pair(network: str, first: Path, second: Path, align: bool, out: Path) -> None:
    """Draw which places of two photos' faces their similarity depends on. Raises FacesError as `load_faces`."""
    refuse_output(out, (first, second))
    embedder = open_embedder(network)
    faces, _ = load_faces([first, second], embedder, align)
    maps = (compute_occlusion_map(embedder, *faces), compute_occlusion_map(embedder, faces[1], faces[0]))
    one, other = embedder.embed(faces).astype(np.float64)
    draw_occlusion_maps(faces[0], faces[1], maps, out, f"What a similarity of {one @ other:.3f} depends on")
    say(f"{out}: red where covering the place makes the two less similar, blue where more")


def compute_occlusion_map(
    embedder: Embedder, image: np.ndarray, other: np.ndarray, patch: int = 0, stride: int = 0, flip: bool = True
) -> np.ndarray:
    """Compute how far the similarity falls where each pixel is covered, (H, W), averaged over the patches.

    image, other: (H, W, 3) uint8; patch: the side of the gray square in pixels, a sixth of the image by default;
    stride: the distance between squares, a third of the side by default. With `flip`, the mirror image is covered, too.
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
    """Draw both faces, each next to itself with its map: red where covering lowers the similarity, blue where not."""
    drawing, axes = new_plot(4, 2.5, 2.9)
    largest = max(float(np.abs(values).max()) for values in maps) or 1.0
    shades = None
    for place, (image, values) in enumerate(zip((first, second), maps, strict=True)):
        axes[2 * place].imshow(image)
        axes[2 * place + 1].imshow(np.asarray(Image.fromarray(image).convert("L")), cmap="gray")
        shades = axes[2 * place + 1].imshow(values, cmap="RdBu_r", vmin=-largest, vmax=largest, alpha=0.6)
    for axis in axes:
        axis.set(xticks=[], yticks=[])
        axis.grid(False)
        axis.spines[:].set_visible(False)
    drawing.colorbar(shades, ax=axes[-1], shrink=0.7, label="fall of the similarity")  # type: ignore[arg-type]
    drawing.suptitle(title)
    write_plot(drawing, path)
