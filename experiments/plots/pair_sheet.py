"""Sheets of pairs of faces, side by side, with how alike the network finds them."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from experiments.plots.sheets import RIGHT, UNKNOWN, WRONG
from experiments.plots.training import write_figure

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
    write_figure(drawing, path, dpi=110)


def _side_by_side(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Both faces in one picture, with a white gap."""
    gap = np.full((first.shape[0], max(2, first.shape[1] // 28), 3), 255, np.uint8)
    return np.concatenate([first, gap, second], axis=1)
