"""The same picture seen several ways at test time: its mirror image, and windows of it."""

from collections.abc import Iterator
from typing import Literal

import numpy as np
import torch
from torchvision.transforms.v2 import functional as F

Views = Literal["none", "flip", "zooms", "crops"]
"""none: the picture alone. flip: and its mirror image. zooms: the whole and two windows in its middle, crops: the whole
and four windows in its corners, each and its mirror image."""

SEEN = 7 / 8
"""Share of the height and of the width that a window in a corner shows."""

MIDDLES = (0.93, 0.86)
"""The same of windows in the middle, which keep an aligned face where it was."""


def views(images: np.ndarray, how: Views) -> Iterator[np.ndarray]:
    """Each way of seeing pictures (N, H, W, 3) uint8, in the same shape: one ("none"), two, six or ten ("crops").

    A window is enlarged to the whole's size, so that packed pictures, which have no more pixels to give, serve as well
    as those in a folder.
    """
    for picture in _windows(images, how):
        yield picture
        if how != "none":
            yield picture[:, :, ::-1]


def _windows(images: np.ndarray, how: Views) -> Iterator[np.ndarray]:
    """The pictures whole, then enlarged windows of them."""
    yield images
    height, width = images.shape[1:3]
    pixels = torch.from_numpy(np.ascontiguousarray(images)).permute(0, 3, 1, 2)
    for top, left, h, w in _boxes(height, width, how):
        window = F.resized_crop(pixels, top, left, h, w, [height, width], antialias=True)
        yield window.permute(0, 2, 3, 1).numpy()


def _boxes(height: int, width: int, how: Views) -> Iterator[tuple[int, int, int, int]]:
    """Top, left, height and width of each window."""
    if how == "crops":
        h, w = round(SEEN * height), round(SEEN * width)
        yield from ((top, left, h, w) for top in (0, height - h) for left in (0, width - w))
    if how == "zooms":
        for share in MIDDLES:
            h, w = round(share * height), round(share * width)
            yield (height - h) // 2, (width - w) // 2, h, w
