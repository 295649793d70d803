"""Images as a network takes them: aligned in memory or read from files, prepared like those that it learned from."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import cast, get_args

import numpy as np

from experiments.data.align import choose_face
from experiments.data.align.align import AlignedFace, align_files
from experiments.data.align.photo import PhotoFace, find_faces, load_photo, photo_detector
from experiments.data.images import fit_image, load_images
from experiments.data.preparation import (
    PREPARED,
    AlignSettings,
    DetectorName,
    Preparation,
    read_preparation,
    require_preparation,
)
from experiments.errors import FacesError
from experiments.inference.embedder import Embedder
from experiments.progress import say, track


@dataclass(frozen=True)
class EmbedOptions:
    """How embeddings are computed.

    align: detect and align the faces in memory first. flip: add the mirror image's embedding. zooms: add those of the
    image's center, enlarged by each factor.
    """

    align: bool = False
    flip: bool = True
    zooms: tuple[float, ...] = (1.0,)

    def __post_init__(self) -> None:
        if not self.zooms or not all(1 <= zoom <= 2 for zoom in self.zooms):
            raise FacesError(f"zooms are {list(self.zooms)}, expected factors from 1 to 2, such as 1 1.1")


def input_preparation(embedder: Embedder, paths: Sequence[Path], options: EmbedOptions) -> Preparation:
    """Return how image files are prepared when they reach the network: aligned in memory, or as the files are.

    Raises FacesError, with the command that helps, where the network's run learned from images prepared otherwise.
    """
    expected = embedder.preparation
    if not options.align:
        return files_preparation(paths, expected, f"the network {embedder.title}")
    if expected is None or not expected.aligned:
        detector: DetectorName = "mtcnn" if find_spec("facenet_pytorch") else "yunet"
        found = AlignSettings(size=embedder.size[0], detector=detector).preparation
        if expected is not None:
            say(
                f"warning: {embedder.title} learned from images {expected}, as far as is recorded, and here faces are "
                f"{found}: if its images were not aligned so, the similarities are wrong: give --no-align"
            )
        return found
    if expected.detector not in get_args(DetectorName):
        raise FacesError(
            f"{embedder.title} learned from images {expected}, which --align cannot reproduce: align the images with "
            f"{expected.detector}, and give --no-align"
        )
    return expected


def refuse_unaligned_photos(paths: Sequence[Path], expected: Preparation | None, owner: str) -> None:
    """Raise FacesError for a photo given as an aligned face, where nothing records that it is one."""
    if expected is None or not expected.aligned:
        return
    for path in paths:
        if not read_preparation(path).aligned:
            record = expected.model_dump_json()
            raise FacesError(
                f"{path}: a photo as it is, as far as is recorded, but {owner} expects faces {expected}: leave out "
                f"--no-align, so that its faces are found and aligned here; if it is such a face already, store "
                f"{record} as {PREPARED} next to it"
            )


def files_preparation(paths: Sequence[Path], expected: Preparation | None, owner: str) -> Preparation:
    """Return how image files were prepared, by the records of their folders.

    Raises FacesError where they are not prepared alike, or not as `owner` expects.
    """
    found: dict[Preparation, Path] = {}
    folders = dict.fromkeys(path.absolute().parent for path in paths)
    for folder in folders:
        found.setdefault(read_preparation(folder), folder)
    if len(found) > 1:
        (one, first), (other, second), *_ = found.items()
        raise FacesError(f"{first} holds images {one}, and {second} images {other}: prepare all images alike")
    (preparation,) = found
    together = Path(os.path.commonpath(folders))
    shown = together if read_preparation(together) == preparation else found[preparation]
    return require_preparation(expected, shown, owner)


def require_same_preparation(used: Preparation, expected: Preparation | None, owner: str, align: bool) -> None:
    """Raise FacesError where images differ in preparation from those that `owner` (a gallery, thresholds) is made of.

    Images without a record may have been aligned by another program: for faces aligned in memory that is a warning.
    """
    if expected in (None, used):
        return
    if align and not expected.aligned:
        say(
            f"warning: {owner} comes from images {expected}, as far as is recorded, and here faces are {used}: if "
            "those were not aligned so, the error rates do not hold: give --no-align"
        )
        return
    remedy = "leave out --no-align" if expected.aligned and not align else "prepare both alike, see `faces align -h`"
    raise FacesError(f"the images are {used}, but {owner} comes from images {expected}: {remedy}")


@dataclass(frozen=True, eq=False)
class PhotoFaces:
    """A photo (H, W, 3) uint8 and its faces, the largest first; inputs: what the network sees of them (N, h, w, 3).

    found: how many faces the photo has, where only the main one was asked for.
    """

    path: Path
    image: np.ndarray
    faces: list[PhotoFace]
    inputs: np.ndarray
    found: int


def read_photo_faces(
    embedder: Embedder, paths: Sequence[Path], preparation: Preparation, largest: bool = False
) -> Iterator[PhotoFaces]:
    """Yield each photo with every face, aligned as `preparation` says; with `largest` the largest central one alone.

    Raises ImageError for a photo that cannot be read, FacesError for a network whose images are not square.
    """
    if embedder.size[0] != embedder.size[1]:
        size = f"{embedder.size[0]} x {embedder.size[1]}"
        raise FacesError(f"{embedder.title} takes images of {size}, and aligned faces are square: give --no-align")
    assert preparation.size is not None
    assert preparation.template is not None
    assert preparation.margin is not None
    detector = cast(DetectorName, preparation.detector)
    settings = AlignSettings(preparation.size, preparation.template, preparation.margin, detector=detector)
    detect = photo_detector(settings)
    with track("detecting", len(paths), "photos") as advance:
        for number, path in enumerate(paths, 1):
            image = load_photo(path)
            faces = find_faces(image, settings, detect)
            main = choose_face(faces, image.shape[1], image.shape[0]) if largest else None
            kept = [face for face in faces if main is None or face is main]
            inputs = [fit_image(face.aligned, embedder.size, "crop") for face in kept]
            shown = np.stack(inputs) if inputs else np.empty((0, *embedder.size, 3), np.uint8)
            yield PhotoFaces(path, image, kept, shown, len(faces))
            advance(number, len(paths))


def align_images(embedder: Embedder, paths: Sequence[Path], preparation: Preparation) -> list[AlignedFace]:
    """Detect and align the faces of image files as `input_preparation` says."""
    return align_files(paths, embedder.size, preparation)


def read_faces(
    embedder: Embedder, paths: Sequence[Path], options: EmbedOptions
) -> tuple[np.ndarray, list[str], Preparation]:
    """Read what the network is shown of image files: (N, H, W, 3) uint8; remarks on them; how they are prepared.

    An image without a face is cropped to its center.
    """
    preparation = input_preparation(embedder, paths, options)
    if not options.align:
        return load_images(paths, embedder.size, "crop"), [], preparation
    found = align_images(embedder, paths, preparation)
    counts = {
        "no face found, so the center was taken": sum(one.face is None for one in found),
        "several faces, of which the largest central one was taken": sum(one.faces > 1 for one in found),
    }
    remarks = [f"{count} of {len(found)} images: {what}" for what, count in counts.items() if count]
    return np.stack([one.image for one in found]), remarks, preparation


def require_distinct(embeddings: np.ndarray, source: Path | str) -> None:
    """Raise FacesError where all embeddings (N, D) are the same, so that no similarity tells anything."""
    if len(embeddings) > 1 and float(np.abs(embeddings - embeddings[0]).max()) < 1e-5:
        raise FacesError(
            f"{source}: the embeddings of all {len(embeddings)} images are the same, so that no threshold tells people "
            "apart: are the images identical or of one color? `faces data check` lists such images"
        )
