"""Sheets of face images: what the network predicts for each, and pairs side by side with their similarity."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from textwrap import fill

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from experiments.plots.style import GREEN, RED, write_plot

COLUMNS, PAIR_COLUMNS = 6, 4
RIGHT, WRONG, UNKNOWN = GREEN, RED, "#2d3748"
"""Colors of frames and captions: the answer is right, is wrong, or the truth is unknown."""

MAX_NAME_LENGTH = 16
TITLE_CHARACTERS_PER_INCH = 10.5
"""Of a title at matplotlib's size of 12 points; a longer one is wrapped."""


@dataclass(frozen=True)
class Tile:
    """An image (H, W, 3) uint8, whom it shows (None: unknown), whom the network predicts, and its confidence."""

    image: np.ndarray
    truth: str | None
    predicted: str
    confidence: float

    @property
    def color(self) -> str:
        """Return green for a right answer, red for a wrong one, gray where the truth is unknown."""
        if self.truth is None:
            return UNKNOWN
        return RIGHT if self.truth == self.predicted else WRONG

    @property
    def caption(self) -> str:
        """Return the prediction, with the truth below it where they differ."""
        answer = f"{_shorten(self.predicted)}  {self.confidence:.0%}"
        return answer if self.truth in (None, self.predicted) else f"{answer}\nis {_shorten(str(self.truth))}"


@dataclass(frozen=True)
class PairTile:
    """Two images (H, W, 3) uint8, the caption above them, and whether the answer is right (None: unknown)."""

    first: np.ndarray
    second: np.ndarray
    caption: str
    right: bool | None = None

    @property
    def color(self) -> str:
        """Return green for a right answer, red for a wrong one, gray where the truth is unknown."""
        return UNKNOWN if self.right is None else RIGHT if self.right else WRONG


def write_sheet(tiles: Sequence[Tile], path: Path, title: str) -> None:
    """Draw the tiles in rows and save them as PNG."""
    rows = max(1, ceil(len(tiles) / COLUMNS))

    def draw(axis: Axes, number: int) -> None:
        tile = tiles[number]
        _draw_tile(axis, tile.image, tile.caption, tile.color, fontsize=9)

    write_plot(_sheet(len(tiles), COLUMNS, (1.7 * COLUMNS, 2.05 * rows), title, draw), path, dpi=100)


def write_captioned_sheet(images: Sequence[np.ndarray], captions: Sequence[str], path: Path, title: str) -> None:
    """Draw images (H, W, 3) uint8 with captions in rows and save them in the format of the file's suffix."""
    rows = max(1, ceil(len(images) / COLUMNS))

    def draw(axis: Axes, number: int) -> None:
        _draw_tile(axis, images[number], captions[number], UNKNOWN, fontsize=8)

    write_plot(_sheet(len(images), COLUMNS, (1.7 * COLUMNS, 2.05 * rows), title, draw), path, dpi=100)


def write_pair_sheet(tiles: Sequence[PairTile], path: Path, title: str, columns: int = PAIR_COLUMNS) -> None:
    """Draw the pairs in rows and save them as PNG."""
    columns = max(1, min(columns, len(tiles)))
    rows = max(1, ceil(len(tiles) / columns))
    lines = max((tile.caption.count("\n") for tile in tiles), default=0) + 1

    def draw(axis: Axes, number: int) -> None:
        tile = tiles[number]
        _draw_tile(axis, _join(tile.first, tile.second), tile.caption, tile.color, fontsize=8)

    size = max(2.9 * columns, 4.4), (1.55 + 0.16 * lines) * rows
    write_plot(_sheet(len(tiles), columns, size, title, draw), path, dpi=110)


def _sheet(
    count: int, columns: int, size: tuple[float, float], title: str, draw: Callable[[Axes, int], None]
) -> Figure:
    """A figure of rows of `columns` axes, `count` of them drawn, below a title that fits. size: inches without it."""
    width, height = size
    title = fill(title, max(20, int(TITLE_CHARACTERS_PER_INCH * width)))
    drawing = Figure(figsize=(width, height + 0.4 + 0.2 * (title.count("\n") + 1)), layout="constrained")
    FigureCanvasAgg(drawing)
    drawing.suptitle(title, parse_math=False)
    rows = max(1, ceil(count / columns))
    for number in range(rows * columns):
        axis = drawing.add_subplot(rows, columns, number + 1)
        axis.set(xticks=[], yticks=[])
        if number < count:
            draw(axis, number)
        else:
            axis.axis("off")
    return drawing


def _draw_tile(axis: Axes, image: np.ndarray, caption: str, color: str, fontsize: float) -> None:
    axis.imshow(image, interpolation="bilinear")
    axis.set_title(caption, fontsize=fontsize, color=color, parse_math=False)
    for spine in axis.spines.values():
        spine.set(edgecolor=color, linewidth=2.5)


def _join(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Both images in one, with a white gap."""
    gap = np.full((first.shape[0], max(2, first.shape[1] // 28), 3), 255, np.uint8)
    return np.concatenate([first, gap, second], axis=1)


def _shorten(name: str) -> str:
    return name if len(name) <= MAX_NAME_LENGTH else f"{name[: MAX_NAME_LENGTH - 1]}…"
