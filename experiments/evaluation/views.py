"""The same picture seen several ways at test time: its mirror image, and windows of it."""

from collections.abc import Iterator
from typing import Literal

import numpy as np
import torch
from torchvision.transforms.v2 import functional as F

Views = Literal["none", "flip", "crops"]
"""none: the picture alone. flip: and its mirror image. crops: the whole and four windows, each and its mirror image."""

SEEN = 7 / 8
"""Share of the height and of the width that a window shows."""


def views(images: np.ndarray, how: Views) -> Iterator[np.ndarray]:
    """Each way of seeing pictures (N, H, W, 3) uint8, in the same shape: one ("none"), two ("flip") or ten ("crops").

    A window reaches into one corner and is enlarged to the whole's size, so that packed pictures, which have no more
    pixels to give, serve as well as those in a folder.
    """
    for picture in _windows(images) if how == "crops" else (images,):
        yield picture
        if how != "none":
            yield picture[:, :, ::-1]


def _windows(images: np.ndarray) -> Iterator[np.ndarray]:
    yield images
    height, width = images.shape[1:3]
    h, w = round(SEEN * height), round(SEEN * width)
    pixels = torch.from_numpy(np.ascontiguousarray(images)).permute(0, 3, 1, 2)
    for top in (0, height - h):
        for left in (0, width - w):
            window = F.resized_crop(pixels, top, left, h, w, [height, width], antialias=True)
            yield window.permute(0, 2, 3, 1).numpy()
