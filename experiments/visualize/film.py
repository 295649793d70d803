"""A film explains an operation in steps; it is shown as figures, as one page, or as an animation.

A step is drawn on a Stage: arrays as images, with their numbers where they are few, and signs between them. Most steps
are a WindowStep: pixels of a source, a small sum, pixels of a target. A Film is a sequence of steps, and knows which of
them tell the story.
"""

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import Colormap
from matplotlib.figure import Figure, FigureBase
from matplotlib.patches import Rectangle
from PIL import Image

from experiments.errors import FacesError
from experiments.plots.style import BLUE, GRAY, ORANGE, write_plot
from mytorch.files import atomic_write

INK, NOTHING = "#1a202c", "#edf2f7"
"""Colors of text, and of pixels that are not computed yet."""

MAX_SIDE_WITH_NUMBERS, MIN_CELL_WITH_NUMBERS = 5, 0.28
"""Arrays of at most so many rows and columns, or of cells of so many inches, show their numbers."""

Area = tuple[float, float, float, float]
"""Left, top, width and height, in inches."""

Window = tuple[int, int, int, int]
"""First row, first column, rows and columns of pixels."""


@dataclass(frozen=True)
class Shades:
    """How numbers become colors from `low` to `high`: gray where all are at least 0, else blue to red around 0."""

    low: float
    high: float

    @classmethod
    def of(cls, *values: np.ndarray) -> "Shades":
        """Return shades for the range of these arrays, without what is not finite."""
        seen = np.concatenate([np.ravel(v)[np.isfinite(np.ravel(v))] for v in values])
        low, high = (float(seen.min()), float(seen.max())) if len(seen) else (0.0, 1.0)
        if low < 0:
            return cls(-max(-low, high), max(-low, high))
        return cls(low, high) if high > low else cls(min(low, 0.0), max(high, low + 1e-6))

    @property
    def colors(self) -> Colormap:
        """Return matplotlib's color map, with pale blue for values that are missing."""
        return colormaps["RdBu_r" if self.low < 0 else "gray"].with_extremes(bad=NOTHING)

    def ink(self, value: float) -> str:
        """Return a text color that is readable on the color of a value."""
        share = (value - self.low) / (self.high - self.low)
        red, green, blue, _ = self.colors(float(np.clip(share, 0, 1)))
        return INK if 0.299 * red + 0.587 * green + 0.114 * blue > 0.5 else "white"


@dataclass(frozen=True)
class Panel:
    """An array (H, W) with a title. window: framed pixels; padding: how many rows and columns at its edges are padding.

    marks: pixels (row, column) that are framed one by one; frame: the color of frames.
    """

    title: str
    values: np.ndarray
    shades: Shades
    window: Window | None = None
    padding: int = 0
    marks: Sequence[tuple[int, int]] = ()
    frame: str = ORANGE


class Stage:
    """A figure, or a part of one, of `width` by `height` inches. Positions are in inches from the top left."""

    def __init__(self, canvas: FigureBase, width: float, height: float):
        self.canvas, self.width, self.height = canvas, width, height

    def add_axes(self, area: Area) -> Axes:
        """Return empty axes there."""
        left, top, width, height = area
        share = (left / self.width, 1 - (top + height) / self.height, width / self.width, height / self.height)
        return self.canvas.add_axes(share)

    def write(self, left: float, top: float, text: str, size: float = 10, align: str = "left", **style: Any) -> None:
        """Write text whose first line is there. align: which part of the text is at `left`."""
        self.canvas.text(
            left / self.width, 1 - top / self.height, text, fontsize=size, ha=align, va="top",
            parse_math=False, **{"color": INK, **style},
        )  # fmt: skip

    def write_heading(self, headline: str, caption: str) -> None:
        """Write what this step is, and what happens in it."""
        self.write(0.3, 0.14, headline, 13, weight="bold")
        self.write(0.3, 0.44, caption, 10, color="#4a5568")

    def write_sign(self, left: float, middle: float, sign: str) -> None:
        """Write a large ×, = or arrow, centered on a point."""
        self.canvas.text(
            left / self.width, 1 - middle / self.height, sign, fontsize=17, ha="center", va="center", color=GRAY
        )

    def draw_panel(self, area: Area, panel: Panel) -> Axes:
        """Draw a panel as large as the area allows, with its numbers where they are few."""
        values = panel.values
        rows, columns = values.shape
        cell = min(area[2] / columns, area[3] / rows)
        left, top = area[0] + (area[2] - cell * columns) / 2, area[1] + (area[3] - cell * rows) / 2
        axis = self.add_axes((left, top, cell * columns, cell * rows))
        self._pixels(axis, panel)
        if max(rows, columns) <= MAX_SIDE_WITH_NUMBERS or cell >= MIN_CELL_WITH_NUMBERS:
            self._numbers(axis, panel, cell)
        self.write(area[0] + area[2] / 2, top - 0.22, panel.title, 9.5, "center")
        return axis

    def draw_stretched(self, area: Area, panel: Panel) -> Axes:
        """Draw a panel stretched over the area: for long matrices."""
        axis = self.add_axes(area)
        self._pixels(axis, panel)
        self.write(area[0] + area[2] / 2, area[1] - 0.22, panel.title, 9.5, "center")
        return axis

    @staticmethod
    def _pixels(axis: Axes, panel: Panel) -> None:
        shades, (rows, columns) = panel.shades, panel.values.shape
        axis.imshow(
            np.ma.masked_invalid(panel.values), cmap=shades.colors, vmin=shades.low, vmax=shades.high,
            aspect="auto", interpolation="nearest",
        )  # fmt: skip
        axis.set(xticks=[], yticks=[])
        for spine in axis.spines.values():
            spine.set(edgecolor=GRAY, linewidth=0.8)
        if p := panel.padding:
            inner = Rectangle((p - 0.5, p - 0.5), columns - 2 * p, rows - 2 * p, fill=False)
            inner.set(edgecolor=BLUE, linestyle=":", linewidth=1.5)
            axis.add_patch(inner)
        if panel.window:
            frame_pixels(axis, panel.window, panel.frame)
        for row, column in panel.marks:
            frame_pixels(axis, (row, column, 1, 1), panel.frame)

    @staticmethod
    def _numbers(axis: Axes, panel: Panel, cell: float) -> None:
        texts = {place: format_number(value) for place, value in np.ndenumerate(panel.values) if np.isfinite(value)}
        longest = max(map(len, texts.values()), default=1)
        size = min(11.0, 0.88 * cell * 72 / (0.62 * longest))
        for (row, column), text in texts.items():
            ink = panel.shades.ink(float(panel.values[row, column]))
            axis.text(column, row, text, fontsize=size, ha="center", va="center", color=ink)


def frame_pixels(axis: Axes, window: Window, color: str = ORANGE) -> None:
    """Draw a frame around some pixels, which is visible at the edges as well."""
    row, column, rows, columns = window
    frame = Rectangle((column - 0.5, row - 0.5), columns, rows, fill=False, clip_on=False, zorder=5)
    frame.set(edgecolor=color, linewidth=2.2)
    axis.add_patch(frame)


def format_number(value: float) -> str:
    """Write a number in few characters: 0.50, −1.25, 12.3; whole numbers without decimals."""
    digits = 0 if abs(value) >= 99.95 or float(value).is_integer() else 1 if abs(value) >= 9.995 else 2
    text = f"{value:.{digits}f}"
    return text.lstrip("-") if float(text) == 0 else text.replace("-", "−")


DPI = 100

SUFFIXES = (".png", ".gif")
LAST_FRAME_MS = 2500
"""Milliseconds for which an animation shows its last step."""


class Frame(Protocol):
    """One step of a film, which can draw itself."""

    def draw(self, stage: Stage) -> None:
        """Draw the step."""


@dataclass(frozen=True)
class Film:
    """Steps in their order, drawn on stages of `size` inches (width, height).

    story: the indices of the steps that tell the story on one page.
    """

    frames: Sequence[Frame]
    size: tuple[float, float]
    story: Sequence[int]

    def __len__(self) -> int:
        return len(self.frames)

    def figure(self, step: int) -> Figure:
        """Return a step as a figure. step: from 0; negative numbers count from the last."""
        drawing = Figure(figsize=self.size, dpi=DPI, facecolor="white")
        FigureCanvasAgg(drawing)
        self.frames[step].draw(Stage(drawing, *self.size))
        return drawing

    def poster(self) -> Figure:
        """Return the steps of the story, one below the other."""
        width, height = self.size
        drawing = Figure(figsize=(width, height * len(self.story)), dpi=DPI, facecolor="white")
        FigureCanvasAgg(drawing)
        parts = drawing.subfigures(len(self.story), 1, squeeze=False)
        for part, step in zip(parts[:, 0], self.story, strict=True):
            self.frames[step].draw(Stage(part, width, height))
        return drawing

    def gif(self, fps: float = 3.0, progress: Callable[[int, int], None] | None = None) -> bytes:
        """Return all steps as an animated GIF that repeats; the last step is shown a little longer.

        progress: called with how many steps are drawn, and how many there are.
        """
        images = []
        for step in range(len(self)):
            images.append(rasterize(self.figure(step)))
            if progress:
                progress(step + 1, len(self))
        shown = [*self.story, -1]
        palette = Image.fromarray(np.concatenate([images[step] for step in shown])).quantize(256)
        frames = [Image.fromarray(p).quantize(palette=palette, dither=Image.Dither.NONE) for p in images]
        each = round(1000 / fps)
        waits = [each] * (len(frames) - 1) + [max(each, LAST_FRAME_MS)]
        file = io.BytesIO()
        frames[0].save(
            file, "GIF", save_all=True, append_images=frames[1:], duration=waits, loop=0, optimize=False, disposal=1
        )
        return file.getvalue()


def rasterize(drawing: Figure) -> np.ndarray:
    """Return a figure as an image (H, W, 3) uint8."""
    canvas = drawing.canvas
    assert isinstance(canvas, FigureCanvasAgg)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def check_output_path(path: Path, suffixes: Sequence[str] = SUFFIXES) -> None:
    """Raise FacesError for a file of another type than those, or in no folder, before anything is drawn."""
    if path.suffix.lower() not in suffixes:
        better = path.with_suffix(suffixes[0]).name
        raise FacesError(f"--out {path}: expected a name that ends in {' or '.join(suffixes)}, such as {better}")
    if path.is_dir():
        raise FacesError(f"--out {path}: is a folder, expected the name of a file")
    if not path.parent.is_dir():
        raise FacesError(f"--out {path}: {path.parent} is not a folder; make it first")


def write_film(film: Film, path: Path, fps: float = 3.0, progress: Callable[[int, int], None] | None = None) -> None:
    """Save all steps as .gif, or those of the story as .png; whole or not at all."""
    check_output_path(path)
    if path.suffix.lower() == ".png":
        write_plot(film.poster(), path, DPI)
        return
    animation = film.gif(fps, progress)
    with atomic_write(path) as temporary:
        temporary.write_bytes(animation)


def choose_steps(count: int, most: int, middle: int, slow: int = 6) -> tuple[list[int], int]:
    """Choose at most `most` of `count` steps: the first ones, then larger and larger strides, always the last one.

    `middle` replaces the step nearest to it. Returns the steps, and the index of `middle` among them.
    """
    first = min(slow, max(1, most - 2))
    rest = np.linspace(0, 1, max(1, most - first) + 1)[1:] ** 1.5
    later = np.round(first - 1 + rest * (count - first)).astype(int)
    steps = list(range(count) if count <= most else sorted({*range(first), *later.tolist(), count - 1}))
    nearest = min(range(len(steps)), key=lambda n: abs(steps[n] - middle))
    if nearest not in (0, len(steps) - 1):
        steps[nearest] = middle
    return steps, nearest


def make_acts(
    count: int, frames: int, acts: Sequence[Callable[[int], Frame]], middle: int, size: tuple[float, float]
) -> Film:
    """Return a film of acts, each over the same `count` steps; the first one gets half of all frames.

    acts: from a step's number to its frame. The story is step `middle` of each act, and the end of the first. Raises
    FacesError for fewer than two frames per act.
    """
    least = 2 * len(acts)
    if frames < least:
        raise FacesError(f"--frames {frames}: expected at least {least}, two for each part of the film")
    frames_of = [frames] if len(acts) == 1 else [frames // 2, *[frames // 2 // (len(acts) - 1)] * (len(acts) - 1)]
    drawn: list[Frame] = []
    story: list[int] = []
    for number, (act, most) in enumerate(zip(acts, frames_of, strict=True)):
        steps, index = choose_steps(count, max(2, most), middle)
        story += [len(drawn) + index] + ([len(drawn) + len(steps) - 1] if number == 0 else [])
        drawn += [act(step) for step in steps]
    return Film(drawn, size, story)


SIZE = (11.0, 4.0)
SIDE, TERM, GAP = 2.6, 1.28, 0.34
TOP = 1.1
MIDDLE = TOP + SIDE / 2


@dataclass(frozen=True)
class WindowStep:
    """source and target: arrays left and right. terms: small arrays between them, with `signs` between those.

    total: what comes out, in words.
    """

    headline: str
    caption: str
    source: Panel
    terms: Sequence[Panel]
    signs: Sequence[str]
    total: str
    target: Panel

    def draw(self, stage: Stage) -> None:
        """Draw source, terms and target in a row, the total below the terms."""
        stage.write_heading(self.headline, self.caption)
        stage.draw_panel((0.3, TOP, SIDE, SIDE), self.source)
        stage.draw_panel((stage.width - 0.3 - SIDE, TOP, SIDE, SIDE), self.target)
        wide = len(self.terms) * TERM + (len(self.terms) - 1) * GAP
        left = (stage.width - wide) / 2
        middle = MIDDLE - 0.15
        for number, term in enumerate(self.terms):
            stage.draw_panel((left + number * (TERM + GAP), middle - TERM / 2, TERM, TERM), term)
        for number, sign in enumerate(self.signs):
            stage.write_sign(left + (number + 1) * (TERM + GAP) - GAP / 2, middle, sign)
        stage.write(stage.width / 2, middle + TERM / 2 + 0.2, self.total, 11, "center", weight="bold")


def keep_first(values: np.ndarray, done: int) -> np.ndarray:
    """Return the first `done` values in reading order; the others are NaN."""
    shown = np.full(values.shape, np.nan, values.dtype)
    shown.flat[:done] = values.flat[:done]
    return shown


def zero_rest(values: np.ndarray, done: int) -> np.ndarray:
    """Return the first `done` values in reading order; the others are 0."""
    return np.where(np.arange(values.size).reshape(values.shape) < done, values, 0).astype(values.dtype)


def row_and_column(number: int, columns: int) -> tuple[int, int]:
    """Return the row and column of a value, from its number in reading order."""
    return divmod(number, columns)


def most_striking(values: np.ndarray) -> int:
    """Return the number of the most unusual value near the middle, where a face has its eyes."""
    rows, columns = values.shape
    shown = np.full(values.shape, -1.0)
    middle = (slice(int(0.45 * rows), int(0.6 * rows) + 1), slice(columns // 4, 3 * columns // 4 + 1))
    shown[middle] = np.abs(values - values.mean())[middle]
    return int(np.argmax(shown))
