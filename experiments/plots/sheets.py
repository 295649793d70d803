"""A sheet of faces with what the network says of each.

Sheets of pairs of faces, side by side, with how alike the network finds them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from experiments.plots.training import write_plot

COLUMNS = 6
RIGHT, WRONG, UNKNOWN = "#2f855a", "#c53030", "#2d3748"


@dataclass(frozen=True)
class Tile:
    """A picture (H, W, 3) uint8, who it shows (None where nobody knows), who it was taken for, and how surely."""

    image: np.ndarray
    truth: str | None
    predicted: str
    share: float

    @property
    def colour(self) -> str:
        """Green where the answer is right, red where it is wrong, grey where nobody knows."""
        if self.truth is None:
            return UNKNOWN
        return RIGHT if self.truth == self.predicted else WRONG

    @property
    def caption(self) -> str:
        """The answer, with the truth below it where they differ."""
        answer = f"{_short(self.predicted)}  {self.share:.0%}"
        return answer if self.truth in (None, self.predicted) else f"{answer}\nis {_short(str(self.truth))}"


def write_sheet(tiles: Sequence[Tile], path: Path, title: str) -> None:
    """Draw the tiles in rows and save them as PNG."""
    rows = max(1, ceil(len(tiles) / COLUMNS))
    drawing = Figure(figsize=(1.7 * COLUMNS, 2.05 * rows + 0.6), layout="constrained")
    FigureCanvasAgg(drawing)
    drawing.suptitle(title)
    for place in range(rows * COLUMNS):
        axis = drawing.add_subplot(rows, COLUMNS, place + 1)
        axis.set(xticks=[], yticks=[])
        if place >= len(tiles):
            axis.axis("off")
            continue
        tile = tiles[place]
        axis.imshow(tile.image, interpolation="bilinear")
        axis.set_title(tile.caption, fontsize=9, color=tile.colour, parse_math=False)
        for spine in axis.spines.values():
            spine.set(edgecolor=tile.colour, linewidth=2.5)
    write_plot(drawing, path, dpi=100)


def _short(name: str) -> str:
    return name if len(name) <= 16 else f"{name[:15]}…"


PAIR_COLUMNS = 4


@dataclass(frozen=True)
class PairTile:
    """Two faces (H, W, 3) uint8, what stands above them, and whether that is right (None where nobody knows)."""

    first: np.ndarray
    second: np.ndarray
    caption: str
    right: bool | None = None


def write_pair_sheet(tiles: Sequence[PairTile], path: Path, title: str, columns: int = PAIR_COLUMNS) -> None:
    """Draw the pairs in rows and save them as PNG."""
    columns = max(1, min(columns, len(tiles)))
    rows = max(1, ceil(len(tiles) / columns))
    lines = max((tile.caption.count("\n") for tile in tiles), default=0) + 1
    width = max(2.9 * columns, 4.4)
    drawing = Figure(figsize=(width, (1.55 + 0.16 * lines) * rows + 0.6), layout="constrained")
    FigureCanvasAgg(drawing)
    drawing.suptitle(title, parse_math=False)
    for place in range(rows * columns):
        axis = drawing.add_subplot(rows, columns, place + 1)
        axis.set(xticks=[], yticks=[])
        if place >= len(tiles):
            axis.axis("off")
            continue
        tile = tiles[place]
        colour = UNKNOWN if tile.right is None else RIGHT if tile.right else WRONG
        axis.imshow(_side_by_side(tile.first, tile.second), interpolation="bilinear")
        axis.set_title(tile.caption, fontsize=8, color=colour, parse_math=False)
        for spine in axis.spines.values():
            spine.set(edgecolor=colour, linewidth=2)
    write_plot(drawing, path, dpi=110)


def _side_by_side(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Both faces in one picture, with a white gap."""
    gap = np.full((first.shape[0], max(2, first.shape[1] // 28), 3), 255, np.uint8)
    return np.concatenate([first, gap, second], axis=1)
