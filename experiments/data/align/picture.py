"""Pictures in, aligned pictures out: reading, cutting out the chosen face, storing it."""

import multiprocessing
import os
import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cache
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from experiments.data.align.detector import Detector
from experiments.data.align.face import Face, choose
from experiments.data.align.records import Record
from experiments.data.align.settings import AlignSettings
from experiments.data.align.warp import similarity, square, template, warp
from experiments.data.images import ImageError, read_image
from mytorch.files import replacing

PIXELS_AT_ONCE = 40_000_000
"""Pictures are held in memory until they come to so many pixels, then looked at together."""


def begin_worker(threads: int) -> None:
    """What a process does first: it takes its part of the processors, and sees to it that it ends with its parent."""
    torch.set_num_threads(threads)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """A parent that is killed tells nobody, and its processes would wait for errands for ever."""
    if parent := multiprocessing.parent_process():
        parent.join()
        os._exit(1)


def align_pictures(
    source: Path, target: Path, settings: AlignSettings, device: str, jobs: Sequence[tuple[str, str]]
) -> list[Record]:
    """Align pictures, each a path under `source` and one under `target`, and say what was found in each.

    Pictures without a face are written by `cut_usual` later, when it is known where faces usually are.
    """
    records = []
    for names, pictures, unreadable in _read(source, jobs):
        records += unreadable
        for (path, output), picture, faces in zip(names, pictures, _detector(device)(pictures), strict=True):
            height, width = picture.shape[:2]
            face = choose(faces, width, height, settings.choice)
            if face is None:
                records.append(Record(path, "", width, height, 0, "skipped", "no face found"))
            else:
                save(aligned(picture, face, settings), target / output, settings.quality)
                records.append(Record.of_face(path, output, width, height, len(faces), face))
    return records


def cut_usual(source: Path, target: Path, output: str, record: Record, face: Face, settings: AlignSettings) -> Record:
    """Cut a picture as if `face` had been found in it, and say so."""
    try:
        picture = read_image(source / record.path)
    except ImageError as error:
        return replace(record, how="unreadable", why=str(error))
    save(aligned(picture, face, settings), target / output, settings.quality)
    return replace(record, output=output, how="usual place")


def aligned(picture: np.ndarray, face: Face, settings: AlignSettings) -> np.ndarray:
    """The face of a picture (H, W, 3) uint8 as the settings want it, (size, size, 3) uint8."""
    if settings.crop == "margin":
        return warp(picture, square(face.box, settings.margin, settings.size), settings.size)
    return warp(picture, similarity(face.landmarks, template(settings.size, settings.margin)), settings.size)


def save(picture: np.ndarray, path: Path, quality: int) -> None:
    """Store a picture whole or not at all, as its name says: PNG, or JPEG with colours at full resolution."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        if path.suffix.lower() == ".png":
            Image.fromarray(picture).save(temporary, "PNG")
        else:
            Image.fromarray(picture).save(temporary, "JPEG", quality=quality, subsampling=0)


@cache
def _detector(device: str) -> Detector:
    return Detector(device)


def _read(
    source: Path, jobs: Sequence[tuple[str, str]]
) -> Iterator[tuple[list[tuple[str, str]], list[np.ndarray], list[Record]]]:
    """Groups of pictures that fit in memory together: their names, the pictures, and records of what is none."""
    left = iter(jobs)
    while first := list(islice(left, 1)):
        names, pictures, unreadable, pixels = [], [], [], 0
        while first:
            path, output = first.pop()
            try:
                picture = read_image(source / path)
            except ImageError as error:
                unreadable.append(Record(path, "", 0, 0, 0, "unreadable", str(error)))
            else:
                names.append((path, output))
                pictures.append(picture)
                pixels += picture.shape[0] * picture.shape[1]
            if pixels < PIXELS_AT_ONCE:
                first = list(islice(left, 1))
        yield names, pictures, unreadable
