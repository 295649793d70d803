"""A sheet of faces with what the network says of each."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from experiments.plots.training import write_figure

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
    write_figure(drawing, path, dpi=100)


def _short(name: str) -> str:
    return name if len(name) <= 16 else f"{name[:15]}…"
