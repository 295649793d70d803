"""The kernels of a trained convolution as pictures."""

from difflib import get_close_matches
from math import ceil

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from experiments.errors import FacesError
from experiments.inference.model import Trained
from experiments.visualize.film import DPI
from experiments.visualize.network import convolutions
from experiments.visualize.stage import Panel, Shades, Stage

COLUMNS, MAX_FILTERS, FILTER_SIZE, FILTER_GAP = 12, 96, 0.72, 0.12
INPUTS = 8
"""Of a deeper layer's kernels: so many filters are shown, each with so many of the channels that it sees."""


def draw_filters(trained: Trained, layer: str | None = None) -> Figure:
    """The kernels of a layer, the first convolution unless told: in colour where they see colours.

    Raises FacesError for a layer that is none, or a network without convolutions.
    """
    name, weight = choose(convolutions(trained), layer, str(trained.run.folder))
    filters, channels, *size = weight.shape
    headline = f"Kernels of layer {name}: {filters} of {size[0]} x {size[1]}, over {channels} channels each"
    if channels == 3:
        return _in_colour(weight, headline)
    return _by_channel(weight, headline)


def choose(known: dict[str, np.ndarray], layer: str | None, run: str) -> tuple[str, np.ndarray]:
    """A convolution by its name, the first unless told. Raises FacesError where there is none of that name."""
    if not known:
        raise FacesError(f"{run}: its network has no convolution that sees more than a pixel")
    name = next(iter(known)) if layer is None else layer
    if name not in known:
        near = get_close_matches(name, known, 1, 0.4)
        names = list(known)
        shown = ", ".join(names[:12]) + (f", ... {names[-1]}" if len(names) > 12 else "")
        hint = f"did you mean {near[0]}? " if near else ""
        raise FacesError(f"--layer {name}: {hint}the convolutions are {shown}")
    return name, known[name]


def in_colour(weight: np.ndarray) -> np.ndarray:
    """Kernels (F, 3, KH, KW) as pictures (F, KH, KW, 3): grey for zero, each as strong as its largest weight."""
    most = np.abs(weight).max((1, 2, 3), keepdims=True)
    return np.moveaxis(0.5 + 0.5 * weight / np.where(most == 0, 1, most), 1, -1)


def _in_colour(weight: np.ndarray, headline: str) -> Figure:
    shown = in_colour(weight[:MAX_FILTERS])
    rows = ceil(len(shown) / COLUMNS)
    caption = "Of red, green and blue; grey is zero." + (f" The first {MAX_FILTERS}." if len(weight) > MAX_FILTERS else "")
    stage = _stage(rows, COLUMNS, 0.0, headline, caption)
    for number, picture in enumerate(shown):
        row, column = divmod(number, COLUMNS)
        axis = stage.axes((0.3 + column * (FILTER_SIZE + FILTER_GAP), 0.95 + row * (FILTER_SIZE + FILTER_GAP), FILTER_SIZE, FILTER_SIZE))
        axis.imshow(picture, interpolation="nearest")
        axis.axis("off")
    return _figure(stage)


def _by_channel(weight: np.ndarray, headline: str) -> Figure:
    """Filters as rows, the channels they see as columns; one kernel a channel fills rows one after the other."""
    if weight.shape[1] == 1:
        shown = weight[:MAX_FILTERS, 0]
        shown = np.pad(shown, [(0, -len(shown) % COLUMNS), (0, 0), (0, 0)], constant_values=np.nan)
        grid, names = shown.reshape(-1, COLUMNS, *shown.shape[1:]), None
        caption = "One kernel a channel. Blue is negative, red positive."
    else:
        grid = weight[:INPUTS, :INPUTS]
        names = [f"filter {number + 1}" for number in range(len(grid))]
        caption = (
            f"The first {len(grid)}, with the first {grid.shape[1]} channels they see. Blue is negative, red positive."
        )
    stage = _stage(len(grid), max(grid.shape[1], 9), 0.0 if names is None else 0.8, headline, caption)
    for row, kernels in enumerate(grid):
        left = 0.3
        if names:
            stage.words(left, 0.95 + row * (FILTER_SIZE + FILTER_GAP) + 0.27, names[row], 9.5)
            left += 0.8
        shades = Shades.of(weight, -np.abs(weight))
        for column, values in enumerate(kernels):
            if np.isfinite(values).all():
                area = (left + column * (FILTER_SIZE + FILTER_GAP), 0.95 + row * (FILTER_SIZE + FILTER_GAP), FILTER_SIZE, FILTER_SIZE)
                stage.column(area, Panel("", values, shades))
    return _figure(stage)


def _stage(rows: int, columns: int, names: float, headline: str, caption: str) -> Stage:
    width, height = 0.6 + names + columns * (FILTER_SIZE + FILTER_GAP), 1.1 + rows * (FILTER_SIZE + FILTER_GAP)
    drawing = Figure(figsize=(width, height), dpi=DPI, facecolor="white")
    FigureCanvasAgg(drawing)
    stage = Stage(drawing, width, height)
    stage.heading(headline, caption)
    return stage


def _figure(stage: Stage) -> Figure:
    assert isinstance(stage.canvas, Figure)
    return stage.canvas
