"""Photos with a box and a caption around each face."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from experiments.plots.style import BLUE, GRAY, GREEN, RED
from mytorch.files import atomic_write

FOUND, CHOSEN, APART, OTHER = BLUE, GREEN, RED, GRAY
"""Colors of boxes: of a face, of two that match, of the most similar two that do not, and of the rest."""

SIDES = (720, 2000)
"""Longer side in pixels of a drawn photo: a smaller one is enlarged for its captions, a larger one reduced."""

FONT = Path(mpl.get_data_path()) / "fonts" / "ttf" / "DejaVuSans-Bold.ttf"
QUALITY = 92
MAX_JOINED = 1200
"""Height in pixels of two photos side by side."""

Rectangle = tuple[float, float, float, float]


@dataclass(frozen=True, eq=False)
class Box:
    """A face's box (4,) in the photo's pixels: left, top, right, bottom; its caption; its color."""

    box: np.ndarray
    caption: str
    color: str = FOUND


def draw_boxes(image: np.ndarray, boxes: Sequence[Box]) -> np.ndarray:
    """Draw boxes and captions on a photo (H, W, 3) uint8, reduced or enlarged to SIDES. Captions avoid one another."""
    height, width = image.shape[:2]
    longer = max(height, width)
    scale = min(max(longer, SIDES[0]), SIDES[1]) / longer
    size = max(1, round(width * scale)), max(1, round(height * scale))
    drawn = Image.fromarray(image).resize(size, Image.Resampling.BICUBIC, reducing_gap=3.0)
    pen = ImageDraw.Draw(drawn)
    unit = max(size)
    font, line = ImageFont.truetype(str(FONT), max(14, unit // 55)), max(2, unit // 400)
    places = [(one, _corners(one.box, scale, size)) for one in boxes]
    for one, (left, top, right, bottom) in places:
        pen.rectangle((left, top, right, bottom), outline=one.color, width=line)
    taken: list[Rectangle] = []
    for one, place in places:
        if not one.caption:
            continue
        caption = os.fsencode(one.caption).decode(errors="backslashreplace")
        label = _place_caption(pen.textbbox((0, 0), caption, font), place, size, taken)
        taken.append(label)
        pen.rectangle(label, fill=one.color)
        pen.text((label[0] + 4, (label[1] + label[3]) / 2), caption, "white", font, anchor="lm")
    return np.asarray(drawn)


def write_boxes(image: np.ndarray, boxes: Sequence[Box], path: Path) -> None:
    """Draw boxes on a photo and store it, whole or not at all: as PNG, or as JPEG where its suffix says so."""
    drawn = Image.fromarray(draw_boxes(image, boxes))
    with atomic_write(path) as temporary:
        if path.suffix.lower() in (".jpg", ".jpeg"):
            drawn.save(temporary, "JPEG", quality=QUALITY, subsampling=0)
        else:
            drawn.save(temporary, "PNG")


def write_two_photos(first: np.ndarray, second: np.ndarray, title: str, path: Path) -> None:
    """Store two drawn photos (H, W, 3) uint8 side by side as PNG, at one height, below a title."""
    height = min(max(first.shape[0], second.shape[0]), MAX_JOINED)
    parts = [
        Image.fromarray(image).resize((max(1, round(image.shape[1] * height / image.shape[0])), height))
        for image in (first, second)
    ]
    gap = max(6, height // 60)
    width = parts[0].width + gap + parts[1].width
    font = ImageFont.truetype(str(FONT), max(14, min(height // 28, width // 45)))
    bar = 2 * int(font.size)
    joined = Image.new("RGB", (width, bar + height), "white")
    ImageDraw.Draw(joined).text((width / 2, bar / 2), title, "black", font, anchor="mm")
    joined.paste(parts[0], (0, bar))
    joined.paste(parts[1], (parts[0].width + gap, bar))
    with atomic_write(path) as temporary:
        joined.save(temporary, "PNG")


def _corners(box: np.ndarray, scale: float, size: tuple[int, int]) -> Rectangle:
    """A box in the drawn photo's pixels, cut at its edges."""
    left, right = np.clip(box[[0, 2]] * scale, 0, size[0] - 1)
    top, bottom = np.clip(box[[1, 3]] * scale, 0, size[1] - 1)
    return float(left), float(top), float(max(left, right)), float(max(top, bottom))


def _place_caption(
    text: tuple[float, float, float, float], place: Rectangle, size: tuple[int, int], taken: Sequence[Rectangle]
) -> Rectangle:
    """Where a caption is drawn: above the box, below it or inside, wherever it covers the fewest other captions."""
    width, height = text[2] - text[0] + 8, text[3] + 6
    left, top, right, bottom = place

    def inside(x: float, y: float) -> Rectangle:
        x, y = min(max(x, 0), max(size[0] - width, 0)), min(max(y, 0), max(size[1] - height, 0))
        return x, y, x + width, y + height

    candidates = [
        inside(left, top - height), inside(left, bottom), inside(right - width, top - height),
        inside(right - width, bottom), inside(left, top), inside(left, bottom - height),
    ]  # fmt: skip
    return min(candidates, key=lambda label: sum(_common(label, other) for other in taken))


def _common(one: Rectangle, other: Rectangle) -> float:
    """The area that two rectangles share."""
    across = min(one[2], other[2]) - max(one[0], other[0])
    down = min(one[3], other[3]) - max(one[1], other[1])
    return max(across, 0) * max(down, 0)
