"""Detect and align the faces of images: of a few photos in memory, or of files that are stored again."""

import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import islice
from pathlib import Path
from typing import cast

import numpy as np
from PIL import Image

from experiments.data.align import Face, choose_face
from experiments.data.align.records import ImageRecord
from experiments.data.align.warp import fit_box, fit_similarity, template, warp
from experiments.data.images import ImageError, fit_image, read_image
from experiments.data.preparation import AlignSettings, DetectorName, Preparation
from experiments.errors import FacesError
from experiments.progress import track
from mytorch.files import atomic_write

Detector = Callable[[Sequence[np.ndarray]], list[list[Face]]]
"""Returns the faces of each image (H, W, 3) uint8, in the image's own pixels."""


def open_detector(name: DetectorName, device: str = "cpu", small_faces: bool = False) -> Detector:
    """Return a detector: "yunet", fast, on the CPU; or "mtcnn", 10 to 50 times slower, on a device.

    small_faces: YuNet also looks for small faces in large images that show larger ones. Raises FacesError where its
    weights are missing.
    """
    if name == "yunet":
        from experiments.data.align.yunet import YuNet

        return YuNet(small_faces)
    from experiments.data.align.mtcnn import Mtcnn

    return Mtcnn(device)


CHUNK = 32


@dataclass(frozen=True, eq=False)
class AlignedFace:
    """One photo's face. image: the aligned face, or the photo's center where none was found, (size, size, 3) uint8.

    face: the chosen face, None where none was found; faces: how many were found.
    """

    path: Path
    image: np.ndarray
    face: Face | None
    faces: int

    @property
    def remark(self) -> str:
        """A remark for the user, or an empty string."""
        if self.face is None:
            return f"{self.path}: no face found"
        return f"{self.path}: {self.faces} faces; only the largest central one was used" if self.faces > 1 else ""


def align_files(
    paths: Sequence[Path], size: tuple[int, int], preparation: Preparation | None = None
) -> list[AlignedFace]:
    """The face of each photo, aligned and at `size`. Raises ImageError for one that cannot be read.

    preparation: how it is aligned, as a run recorded it; to the five-point template at `size` without a record. Raises
    FacesError for a network whose images are not square.
    """
    if size[0] != size[1]:
        raise FacesError(f"the network takes images of {size[0]} x {size[1]}, and aligned faces are square: no --align")
    settings, found = AlignSettings(size=size[0]), list[AlignedFace]()
    if preparation is not None and preparation.template and preparation.size and preparation.margin is not None:
        detector = cast(DetectorName, preparation.detector)
        settings = AlignSettings(preparation.size, preparation.template, preparation.margin, detector=detector)
    detect = open_detector(settings.detector)
    with track("aligning", len(paths), "images") as advance:
        for start in range(0, len(paths), CHUNK):
            chunk = paths[start : start + CHUNK]
            images = [read_image(path) for path in chunk]
            for path, image, faces in zip(chunk, images, detect(images), strict=True):
                face = choose_face(faces, image.shape[1], image.shape[0])
                shown = image if face is None else align_face(image, face, settings)
                found.append(AlignedFace(path, fit_image(shown, size, "crop"), face, len(faces)))
            advance(start + len(chunk), len(paths))
    return found


MAX_PIXELS_IN_MEMORY = 40_000_000
"""Images are read until they have this many pixels in total, then searched together."""


def begin_worker(detector: DetectorName, threads: int) -> None:
    """Prepare a worker process: limit its threads, and end it when its parent ends."""
    if detector == "yunet":
        import cv2

        cv2.setNumThreads(threads)
    else:
        import torch

        torch.set_num_threads(threads)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """End this process with its parent: the workers of a killed parent would wait for work for ever."""
    if parent := multiprocessing.parent_process():
        parent.join()
        os._exit(1)


def align_images(
    source: Path, target: Path, settings: AlignSettings, device: str, jobs: Sequence[tuple[str, str]]
) -> list[ImageRecord]:
    """Align images, given as paths relative to `source` and to `target`; return a record of each.

    Images without a face are skipped here: `crop_usual_place` stores them when the usual place of faces is known.
    """
    records = []
    for names, images, unreadable in _read(source, jobs):
        records += unreadable
        found = _detector(settings.detector, device)(images)
        for (path, output), image, faces in zip(names, images, found, strict=True):
            height, width = image.shape[:2]
            face = choose_face(faces, width, height, settings.choice, settings.min_score)
            if face is None:
                records.append(without_face(path, width, height, faces))
            else:
                save_image(align_face(image, face, settings), target / output, settings.quality)
                records.append(ImageRecord.of_face(path, output, width, height, len(faces), face))
    return records


def without_face(path: str, width: int, height: int, faces: Sequence[Face]) -> ImageRecord:
    """Record an image without a face, or whose faces all have too low a score."""
    if not faces:
        return ImageRecord(path, "", width, height, 0, "skipped", "no face found")
    best = max(faces, key=lambda face: face.score)
    record = ImageRecord.of_face(path, "", width, height, len(faces), best)
    return replace(record, how="skipped", why=f"the score of the best face, {best.score:.3f}, is below --min-score")


def crop_usual_place(
    source: Path, target: Path, output: str, record: ImageRecord, face: Face, settings: AlignSettings
) -> ImageRecord:
    """Crop an image as if `face` had been found in it; return its record."""
    try:
        image = read_image(source / record.path)
    except ImageError as error:
        return replace(record, how="unreadable", why=str(error))
    save_image(align_face(image, face, settings), target / output, settings.quality)
    return replace(record, output=output, how="usual place")


def align_face(image: np.ndarray, face: Face, settings: AlignSettings) -> np.ndarray:
    """Crop or align a face of an image (H, W, 3) uint8 as the settings say: (size, size, 3) uint8."""
    if settings.crop == "margin":
        return warp(image, fit_box(face.box, settings.margin, settings.size), settings.size)
    return warp(image, fit_similarity(face.landmarks, template(settings.size, settings.margin)), settings.size)


def save_image(image: np.ndarray, path: Path, quality: int) -> None:
    """Store an image atomically, by its suffix as PNG, or as JPEG without chroma subsampling."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as temporary:
        if path.suffix.lower() == ".png":
            Image.fromarray(image).save(temporary, "PNG")
        else:
            Image.fromarray(image).save(temporary, "JPEG", quality=quality, subsampling=0)


@cache
def _detector(name: DetectorName, device: str) -> Detector:
    return open_detector(name, device)


def _read(
    source: Path, jobs: Sequence[tuple[str, str]]
) -> Iterator[tuple[list[tuple[str, str]], list[np.ndarray], list[ImageRecord]]]:
    """Read groups of images that fit into memory: their paths, the images, and records of unreadable files."""
    left = iter(jobs)
    while first := list(islice(left, 1)):
        names, images, unreadable, pixels = [], [], [], 0
        while first:
            path, output = first.pop()
            try:
                image = read_image(source / path)
            except ImageError as error:
                unreadable.append(ImageRecord(path, "", 0, 0, 0, "unreadable", str(error)))
            else:
                names.append((path, output))
                images.append(image)
                pixels += image.shape[0] * image.shape[1]
            if pixels < MAX_PIXELS_IN_MEMORY:
                first = list(islice(left, 1))
        yield names, images, unreadable
