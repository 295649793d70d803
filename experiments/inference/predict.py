"""Predictions for images: by one network or an ensemble, of each image as it is or of several views of it.

Views are an image's mirror image and enlarged windows of it (test-time augmentation). An ensemble is several runs of
the same people, whose probabilities are averaged.

The test images of a competition are often balanced: equally many of each person, or the same fraction of each person's.
Predicting image by image names some people too often and others hardly ever. `balance_logits` shifts each person's
logits by one number, so that over all images each person gets the known share. Thus a prediction depends on the other
images: this is for a set that is submitted as a whole. Sources: Sinkhorn and Knopp 1967; Cuturi 2013, arXiv 1306.0895;
for unlabeled images in few-shot learning, Hu et al. 2020, arXiv 2006.03806.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torchvision.transforms.v2 import functional as F

from experiments.data.dataset import read_images
from experiments.data.folders import find_identities
from experiments.data.sources import is_packed, open_pack
from experiments.errors import FacesError
from experiments.inference.model import EngineName, TrainedModel
from experiments.metrics.classification import ROWS
from experiments.progress import track
from mytorch.ops.softmax import log_softmax

PathLike = str | os.PathLike[str]

Views = Literal["none", "flip", "zooms", "crops"]
"""none: the image alone. flip: and its mirror image. zooms: the image and two windows at its center; crops: the image
and four windows at its corners; each with its mirror image."""

CORNER_FRACTION = 7 / 8
"""Fraction of height and width that a window at a corner shows."""

CENTER_FRACTIONS = (0.93, 0.86)
"""The same for windows at the center, which keep an aligned face where it was."""

IMAGES_PER_CHUNK = 512
"""Images read and predicted together."""


def make_views(images: np.ndarray, how: Views) -> Iterator[np.ndarray]:
    """Yield each view of images (N, H, W, 3) uint8, in the same shape: one ("none"), two, six or ten ("crops").

    Windows are enlarged to the size of the image, so packed images, which have no more pixels to give, work as well.
    """
    for view in _windows(images, how):
        yield view
        if how != "none":
            yield view[:, :, ::-1]


def _windows(images: np.ndarray, how: Views) -> Iterator[np.ndarray]:
    """Yield the images, then enlarged windows of them."""
    yield images
    height, width = images.shape[1:3]
    pixels = torch.from_numpy(np.ascontiguousarray(images)).permute(0, 3, 1, 2)
    for top, left, h, w in _boxes(height, width, how):
        window = F.resized_crop(pixels, top, left, h, w, [height, width], antialias=True)
        yield window.permute(0, 2, 3, 1).numpy()


def _boxes(height: int, width: int, how: Views) -> Iterator[tuple[int, int, int, int]]:
    """Yield top, left, height and width of each window."""
    if how == "crops":
        h, w = round(CORNER_FRACTION * height), round(CORNER_FRACTION * width)
        yield from ((top, left, h, w) for top in (0, height - h) for left in (0, width - w))
    if how == "zooms":
        for fraction in CENTER_FRACTIONS:
            h, w = round(fraction * height), round(fraction * width)
            yield (height - h) // 2, (width - w) // 2, h, w


def average_probabilities(logits: Iterable[np.ndarray]) -> np.ndarray:
    """Return the logarithm of the mean of the probabilities of several logits (n, classes).

    Probabilities are averaged, not their logarithms: so a network that is sure and wrong has one vote and no veto.
    """
    total, count = None, 0
    for one in logits:
        log = log_softmax(one)
        total = log if total is None else np.logaddexp(total, log, out=total)
        count += 1
    if total is None:
        raise ValueError("nothing to average: expected the logits of one network or more")
    total -= np.log(count, dtype=total.dtype)
    return total


def predict(trained: TrainedModel, images: np.ndarray, how: Views = "none") -> np.ndarray:
    """Return logits (N, classes) of images (N, H, W, 3) uint8 at the network's size, or anything indexed like them.

    Of several views, the logarithm of their mean probabilities, which can be used as logits.
    """
    scores = np.empty((len(images), len(trained.classes)), np.float32)
    with track("predicting", len(images), "images") as advance:
        for start in range(0, len(images), IMAGES_PER_CHUNK):
            chunk = np.asarray(images[start : start + IMAGES_PER_CHUNK])
            logits = (trained.logits(view) for view in make_views(chunk, how))
            scores[start : start + IMAGES_PER_CHUNK] = next(logits) if how == "none" else average_probabilities(logits)
            advance(start + len(chunk), len(images))
    return scores


def predict_files(
    trained: Sequence[TrainedModel], paths: Sequence[Sequence[Path]], views: Views
) -> Iterator[np.ndarray]:
    """Yield logits (n, classes) of image files, a chunk at a time: of 35,000 images and 7,000 people they take 1 GB.

    paths: for each run, its files of the same images. Of several runs, the logarithm of their mean probabilities.
    """
    count = len(paths[0])
    with track("predicting", count, "images") as advance:
        for start in range(0, count, IMAGES_PER_CHUNK):
            part = slice(start, start + IMAGES_PER_CHUNK)
            each = [
                predict(one, read_images(files[part], one.recipe.data), views)
                for one, files in zip(trained, paths, strict=True)
            ]
            yield average_probabilities(each) if len(each) > 1 else each[0]
            advance(min(part.stop, count), count)


def open_ensemble(
    runs: Sequence[PathLike], device: str | None = None, engine: EngineName | None = None
) -> list[TrainedModel]:
    """Open several runs with their best weights.

    Raises FacesError where they know different people, and as `TrainedModel.open` does.
    """
    first, *others = trained = [TrainedModel.open(run, device, engine) for run in runs]
    for other in others:
        if other.classes != first.classes:
            lacking, more = set(first.classes) - set(other.classes), set(other.classes) - set(first.classes)
            differ = [f"{other.run.folder} lacks {_list_some(lacking)}"] if lacking else []
            differ += [f"{first.run.folder} lacks {_list_some(more)}"] if more else []
            raise FacesError(
                "the runs know different people, and cannot be averaged: "
                f"{'; '.join(differ) or 'their order differs'}: give runs that were trained on the same people"
            )
    return trained


def folder_per_run(runs: int, folders: PathLike | Sequence[PathLike], option: str) -> list[PathLike]:
    """Return the folder that each run reads its images from: one folder for all of them, or one each in order.

    Runs may need differently prepared images, such as wider crops. Raises FacesError for another number of folders.
    """
    given = [folders] if isinstance(folders, str | os.PathLike) else list(folders)
    if len(given) not in (1, runs):
        raise FacesError(f"{option} is given {len(given)} times for {runs} runs: give it once, or once for each run")
    return given * runs if len(given) == 1 else given


def _list_some(names: set[str]) -> str:
    listed = ", ".join(sorted(names)[:3])
    return f"{listed} and {len(names) - 3} more" if len(names) > 3 else listed


EVEN = "even"

MAX_BALANCE_ROUNDS, BALANCE_TOLERANCE = 200, 0.01
"""Rounds of balancing; fewer once the logarithm of every person's share is within the tolerance of the known one's."""


def read_class_frequencies(balance: str | os.PathLike[str], people: Sequence[str]) -> np.ndarray:
    """Return the fraction of the images that shows each of `people` (C,).

    balance: "even" for equal fractions, or a folder of identities, for those in it.

    Raises FacesError for a folder that does not hold these people.
    """
    if str(balance) == EVEN:
        return np.full(len(people), 1 / len(people))
    try:
        found = open_pack(balance, "train").people if is_packed(balance) else find_identities(balance)
    except FacesError as error:
        raise FacesError(f"--balance {error}; or give {EVEN}, for people shown equally often") from error
    if strange := set(found.names) ^ set(people):
        raise FacesError(
            f"--balance {balance}: {len(found.names)} people, other than the {len(people)} that the run knows, such as "
            f"{min(strange)}: expected a folder of the people it was trained on, or {EVEN}"
        )
    counts = dict(zip(found.names, np.bincount(found.labels).tolist(), strict=True))
    return np.array([counts[name] for name in people]) / len(found)


def balance_logits(logits: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Return logits (N, C) shifted by one number per person, so that probabilities sum to N times the shares (C,).

    Raises FacesError for fewer images than people, which do not show how often each occurs.
    """
    count, classes = logits.shape
    if count < classes:
        raise FacesError(
            f"--balance: {count} images of {classes} people: expected at least as many images as people, because all "
            "are divided among them; leave it out for single images"
        )
    shifts = np.zeros(classes)
    with track("balancing", MAX_BALANCE_ROUNDS, "rounds") as advance:
        for done in range(MAX_BALANCE_ROUNDS):
            lacking = np.log(shares * count) - np.log(
                np.maximum(_sum_probabilities(logits, shifts), np.finfo(float).tiny)
            )
            shifts += lacking
            if np.abs(lacking).max() < BALANCE_TOLERANCE:
                break
            advance(done + 1, MAX_BALANCE_ROUNDS)
    return logits + shifts.astype(logits.dtype)


def balance_chunks(chunks: Iterable[np.ndarray], shares: np.ndarray | None) -> Iterator[np.ndarray]:
    """Yield logits that come in chunks as they are, or, with shares, all of them balanced together."""
    if shares is None:
        yield from chunks
    else:
        yield balance_logits(np.concatenate(list(chunks)), shares)


def _sum_probabilities(logits: np.ndarray, shifts: np.ndarray) -> np.ndarray:
    """Return the probabilities of each person, summed over the images (C,)."""
    sums = np.zeros(logits.shape[1])
    for start in range(0, len(logits), ROWS):
        rows = logits[start : start + ROWS] + shifts
        rows -= rows.max(1, keepdims=True)
        np.exp(rows, out=rows)
        sums += (1 / rows.sum(1)) @ rows
    return sums
