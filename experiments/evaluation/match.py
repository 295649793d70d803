"""Two photos: one person or two people? And which parts of the faces the answer depends on.

The explanation covers one place of a face at a time and measures how far the similarity falls: Zeiler and Fergus 2014,
arXiv 1311.2901, section 4.2, for a similarity instead of a class.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from experiments.data.align.photo import PhotoFace, face_as_json
from experiments.data.images import fit_image, read_image
from experiments.data.preparation import Preparation
from experiments.errors import FacesError
from experiments.evaluation.embedding import (
    EmbedOptions,
    PhotoFaces,
    align_images,
    input_preparation,
    read_photo_faces,
    refuse_unaligned_photos,
    require_same_preparation,
)
from experiments.evaluation.thresholds import Threshold, ThresholdCalibration, read_thresholds, thresholds_file
from experiments.files import refuse_overwriting_input
from experiments.inference.embedder import Embedder
from experiments.inference.networks import open_embedder
from experiments.plots.boxes import APART, CHOSEN, OTHER, Box, draw_boxes, write_two_photos
from experiments.plots.sheets import PairTile, write_pair_sheet
from experiments.plots.style import new_plot, write_plot
from experiments.progress import say

GRAY = 128


POOR_QUALITY = 0.5
"""Below it, the answer says that the deciding face is less clear than those of the calibration."""

MAX_LISTED = 20
"""Pairs of faces that are listed; of more, their number."""


@dataclass(frozen=True, eq=False)
class PhotoMatch:
    """Two photos compared: every face of one with every face of the other; the most similar pair decides.

    similarities: (A, B) of the faces of both. threshold, calibration: what the best pair is compared with. faces: of
    both photos, the largest first; empty where the photos are aligned faces themselves. photos: both paths.
    """

    photos: tuple[Path, Path]
    similarities: np.ndarray
    threshold: Threshold
    calibration: ThresholdCalibration
    faces: tuple[Sequence[PhotoFace], Sequence[PhotoFace]] = ((), ())

    @property
    def best(self) -> tuple[int, int]:
        """The faces of the deciding pair, from 0."""
        first, second = np.unravel_index(np.argmax(self.similarities), self.similarities.shape)
        return int(first), int(second)

    @property
    def similarity(self) -> float:
        """Of the deciding pair."""
        return float(self.similarities[self.best])

    @property
    def same(self) -> bool:
        """Whether one person is on both photos."""
        return self.similarity >= self.threshold.value

    @property
    def far_bound(self) -> float:
        """How often at most photos of different people match: the pairs times the false-match rate of one pair.

        Where no pair of the calibration matched falsely, that rate is below 3 in as many (the rule of three).
        """
        rate = self.threshold.far or 3 / self.calibration.impostor
        return min(1.0, self.similarities.size * rate)

    def notes(self) -> list[str]:
        """What the user should know of the answer: several pairs, and poor faces."""
        lines = []
        if (pairs := self.similarities.size) > 1:
            tighter = [t for target, t in self.calibration.by_far() if target * pairs <= max(self.threshold.far, 1e-9)]
            remedy = f"--far {tighter[-1].target:g} or " if tighter else ""
            lines.append(
                f"note: {pairs} pairs of faces were compared, the best decides: photos of different people match in "
                f"at most {self.far_bound:.2%} of cases ({pairs} times the rate of one pair); {remedy}--largest "
                "lowers that"
            )
        for letter, faces, number in zip("AB", self.faces, self.best, strict=True):
            if faces and (quality := faces[number].quality).score < POOR_QUALITY:
                value = getattr(quality, quality.weakest)
                lines.append(
                    f"note: face {letter}{number + 1} has a quality of {quality.score:.2f} ({quality.weakest} "
                    f"{value:.2f}), so the error rates, of clearer faces, may not hold"
                )
        return lines

    def table(self) -> list[str]:
        """A line for each pair of faces, the most similar first."""
        order = np.argsort(-self.similarities, axis=None)
        lines = []
        for place in order[:MAX_LISTED]:
            first, second = np.unravel_index(place, self.similarities.shape)
            value = float(self.similarities[first, second])
            answer = "one person" if value >= self.threshold.value else "two people"
            lines.append(f"  A{first + 1} - B{second + 1}  {value:7.4f}  {answer}")
        more = len(order) - MAX_LISTED
        return lines + ([f"  ... {more} less similar pairs; --json lists all"] if more > 0 else [])

    def as_json(self) -> dict[str, Any]:
        """The answer for programs; faces are numbered from 0, in the order of each photo's list."""
        low, high = self.calibration.far_interval(self.threshold)
        return {
            "same": self.same,
            "similarity": round(self.similarity, 6),
            "threshold": {
                "name": self.threshold.name,
                "value": self.threshold.value,
                "far": self.threshold.far,
                "far_interval": [low, high],
                "frr": self.threshold.frr,
            },
            "pairs": int(self.similarities.size),
            "far_bound": self.far_bound,
            "best": list(self.best),
            "similarities": np.round(self.similarities.astype(float), 6).tolist(),
            "photos": [
                {"photo": str(path), "faces": [face_as_json(face) for face in faces]}
                for path, faces in zip(self.photos, self.faces, strict=True)
            ],
        }


def match_images(
    network: str, first: Path, second: Path, align: bool, far: float | None, out: Path, largest: bool = False
) -> PhotoMatch:
    """Print whether one person is on two photos, and draw both with their faces into `out`.

    All faces are compared, with `largest` the largest central one of each; without `align` each photo is a face. The
    threshold is the calibrated one, of the EER point or of `far`. Raises FacesError where the network was never
    calibrated, where the photos are prepared otherwise than the calibration's images, and where no face is found.
    """
    refuse_output(out, (first, second))
    embedder = open_embedder(network)
    assert embedder.folder is not None
    calibration = read_thresholds(embedder.folder, embedder.fingerprint)
    threshold, paths = calibration.for_far(far), [first, second]
    if not align:
        refuse_unaligned_photos(paths, embedder.preparation, f"the network {embedder.title}")
    preparation = input_preparation(embedder, paths, EmbedOptions(align))
    owner = str(thresholds_file(embedder.folder))
    require_same_preparation(preparation, calibration.preparation, owner, align)
    photos = _read_photos(paths, embedder, preparation, align, largest)
    if first.read_bytes() == second.read_bytes():
        say(f"note: {first} and {second} are the same file")
    inputs = np.concatenate([photo.inputs for photo in photos])
    vectors = embedder.embed(inputs, calibration.flip, calibration.zooms).astype(np.float64)
    count = len(photos[0].inputs)
    faces = (photos[0].faces, photos[1].faces)
    result = PhotoMatch((first, second), vectors[:count] @ vectors[count:].T, threshold, calibration, faces)
    for line in describe_match(result.similarity, threshold, calibration):
        say(line)
    if result.similarities.size > 1:
        say(f"A: {first}, {len(faces[0])} faces; B: {second}, {len(faces[1])} faces; the best pair decides:")
        for line in result.table():
            say(line)
    for line in result.notes():
        say(line)
    _draw_match(result, photos, out)
    say(f"the faces compared: {out}")
    return result


def _read_photos(
    paths: list[Path], embedder: Embedder, preparation: Preparation, align: bool, largest: bool
) -> list[PhotoFaces]:
    """The faces of both photos. Raises FacesError where one has none."""
    if not align:
        images = [read_image(path) for path in paths]
        return [
            PhotoFaces(path, image, [], fit_image(image, embedder.size, "crop")[None], 1)
            for path, image in zip(paths, images, strict=True)
        ]
    photos = list(read_photo_faces(embedder, paths, preparation, largest))
    for photo in photos:
        require_found(photo.path, photo.found)
        if largest and photo.found > 1:
            say(f"note: {photo.path}: {photo.found} faces; only the largest central one was used")
    return photos


def _draw_match(result: PhotoMatch, photos: Sequence[PhotoFaces], out: Path) -> None:
    """Draw both photos with their faces, the deciding pair in green or red; or the two aligned faces."""
    answer = "one person" if result.same else "two people"
    title = f"{answer}: similarity {result.similarity:.3f}, threshold {result.threshold.value:.3f}"
    if not photos[0].faces:
        names = f"{photos[0].path.name} | {photos[1].path.name}"
        write_pair_sheet([PairTile(photos[0].inputs[0], photos[1].inputs[0], names)], out, title)
        return
    drawn, chosen = [], CHOSEN if result.same else APART
    for letter, photo, number in zip("AB", photos, result.best, strict=True):
        boxes = [
            Box(face.box, f"{letter}{place + 1}", chosen if place == number else OTHER)
            for place, face in enumerate(photo.faces)
        ]
        drawn.append(draw_boxes(photo.image, boxes))
    write_two_photos(drawn[0], drawn[1], title, out)


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
    if not align:
        refuse_unaligned_photos(paths, embedder.preparation, f"the network {embedder.title}")
    images = [] if align else [read_image(path) for path in paths]
    preparation = input_preparation(embedder, paths, EmbedOptions(align))
    if not align:
        return np.stack([fit_image(image, embedder.size, "crop") for image in images]), preparation
    found = align_images(embedder, paths, preparation)
    for one in found:
        require_found(one.path, one.faces)
        if one.remark:
            say(f"note: {one.remark}")
    return np.stack([one.image for one in found]), preparation


def require_found(path: Path, faces: int) -> None:
    """Raise FacesError where no face was found in a photo."""
    if not faces:
        raise FacesError(
            f"{path}: no face was found; give a photo of a face turned to the camera, or --no-align where it is an "
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
