"""A film: the steps of an operation, each drawn on a stage of its own; as figures, as one page, as an animation.

A canvas for one step: pictures, small tables of numbers, signs between them. Places in inches from the top left.

A step that several operations share: pixels of a source, a small sum, pixels of a target.
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
"""Of text; and of pixels that are not computed yet."""

READABLE = 5
"""Pictures of at most so many pixels a side show their numbers."""

Area = tuple[float, float, float, float]
"""Left, top, width and height, in inches."""

Window = tuple[int, int, int, int]
"""First row, first column, rows and columns of pixels."""


@dataclass(frozen=True)
class Shades:
    """How numbers become colours: from `low` to `high`, grey where all are of one sign, blue to red about zero."""

    low: float
    high: float

    @classmethod
    def of(cls, *values: np.ndarray) -> "Shades":
        """Shades for these arrays; what is not a number does not count."""
        seen = np.concatenate([np.ravel(v)[np.isfinite(np.ravel(v))] for v in values])
        low, high = (float(seen.min()), float(seen.max())) if len(seen) else (0.0, 1.0)
        if low < 0:
            return cls(-max(-low, high), max(-low, high))
        return cls(low, high) if high > low else cls(min(low, 0.0), max(high, low + 1e-6))

    @property
    def colours(self) -> Colormap:
        """matplotlib's table of colours, with pale blue for what is not there."""
        return colormaps["RdBu_r" if self.low < 0 else "gray"].with_extremes(bad=NOTHING)

    def ink(self, value: float) -> str:
        """What can be read on a value's colour."""
        share = (value - self.low) / (self.high - self.low)
        red, green, blue, _ = self.colours(float(np.clip(share, 0, 1)))
        return INK if 0.299 * red + 0.587 * green + 0.114 * blue > 0.5 else "white"


@dataclass(frozen=True)
class Panel:
    """A picture (H, W) with a title. window: framed pixels; padding: how many rows at its edges are padding.

    marks: pixels (row, column) that are ringed.
    """

    title: str
    values: np.ndarray
    shades: Shades
    window: Window | None = None
    padding: int = 0
    marks: Sequence[tuple[int, int]] = ()
    frame: str = ORANGE


class Stage:
    """A figure, or a part of one, of `width` by `height` inches."""

    def __init__(self, canvas: FigureBase, width: float, height: float):
        self.canvas, self.width, self.height = canvas, width, height

    def axes(self, area: Area) -> Axes:
        """An empty plot there."""
        left, top, width, height = area
        share = (left / self.width, 1 - (top + height) / self.height, width / self.width, height / self.height)
        return self.canvas.add_axes(share)

    def words(self, left: float, top: float, text: str, size: float = 10, align: str = "left", **style: Any) -> None:
        """Text whose first line begins there; align: left, center or right of `left`."""
        self.canvas.text(
            left / self.width, 1 - top / self.height, text, fontsize=size, ha=align, va="top",
            parse_math=False, **{"color": INK, **style},
        )  # fmt: skip

    def heading(self, headline: str, caption: str) -> None:
        """What this step is, and what happens in it."""
        self.words(0.3, 0.14, headline, 13, weight="bold")
        self.words(0.3, 0.44, caption, 10, color="#4a5568")

    def sign(self, left: float, middle: float, sign: str) -> None:
        """A large ×, = or arrow, about a point."""
        self.canvas.text(
            left / self.width, 1 - middle / self.height, sign, fontsize=17, ha="center", va="center", color=GRAY
        )

    def picture(self, area: Area, panel: Panel) -> Axes:
        """A panel, as large as the area allows; with its numbers where they are few."""
        values = panel.values
        rows, columns = values.shape
        cell = min(area[2] / columns, area[3] / rows)
        left, top = area[0] + (area[2] - cell * columns) / 2, area[1] + (area[3] - cell * rows) / 2
        axis = self.axes((left, top, cell * columns, cell * rows))
        self._pixels(axis, panel)
        if max(rows, columns) <= READABLE or cell >= 0.28:
            self._numbers(axis, panel, cell)
        self.words(area[0] + area[2] / 2, top - 0.22, panel.title, 9.5, "center")
        return axis

    def column(self, area: Area, panel: Panel) -> Axes:
        """A panel stretched over the area, whatever its proportions: for long matrices."""
        axis = self.axes(area)
        self._pixels(axis, panel)
        self.words(area[0] + area[2] / 2, area[1] - 0.22, panel.title, 9.5, "center")
        return axis

    @staticmethod
    def _pixels(axis: Axes, panel: Panel) -> None:
        shades, (rows, columns) = panel.shades, panel.values.shape
        axis.imshow(
            np.ma.masked_invalid(panel.values), cmap=shades.colours, vmin=shades.low, vmax=shades.high,
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
        texts = {place: short(value) for place, value in np.ndenumerate(panel.values) if np.isfinite(value)}
        longest = max(map(len, texts.values()), default=1)
        size = min(11.0, 0.88 * cell * 72 / (0.62 * longest))
        for (row, column), text in texts.items():
            ink = panel.shades.ink(float(panel.values[row, column]))
            axis.text(column, row, text, fontsize=size, ha="center", va="center", color=ink)


def frame_pixels(axis: Axes, window: Window, colour: str = ORANGE) -> None:
    """A frame around some pixels of a picture, drawn to be seen at its edges, too."""
    row, column, rows, columns = window
    frame = Rectangle((column - 0.5, row - 0.5), columns, rows, fill=False, clip_on=False, zorder=5)
    frame.set(edgecolor=colour, linewidth=2.2)
    axis.add_patch(frame)


def short(value: float) -> str:
    """A number in two decimals and few signs: 0.50, −1.25, 12.3; whole ones without decimals."""
    digits = 0 if abs(value) >= 99.95 or float(value).is_integer() else 1 if abs(value) >= 9.995 else 2
    text = f"{value:.{digits}f}"
    return text.lstrip("-") if float(text) == 0 else text.replace("-", "−")


DPI = 100
SUFFIXES = (".png", ".gif")
PAUSE = 2500
"""Milliseconds for which the last step stands still."""


class Frame(Protocol):
    """A step: the numbers in it, and how they are drawn."""

    def draw(self, stage: Stage) -> None:
        """Draw the step."""


@dataclass(frozen=True)
class Film:
    """Steps in their order, drawn on stages of `size` inches (width, height).

    story: the numbers of the steps that tell the story on one page.
    """

    frames: Sequence[Frame]
    size: tuple[float, float]
    story: Sequence[int]

    def __len__(self) -> int:
        return len(self.frames)

    def figure(self, step: int) -> Figure:
        """A step, from 0; negative numbers count from the last."""
        drawing = Figure(figsize=self.size, dpi=DPI, facecolor="white")
        FigureCanvasAgg(drawing)
        self.frames[step].draw(Stage(drawing, *self.size))
        return drawing

    def poster(self) -> Figure:
        """The steps that tell the story, below one another."""
        width, height = self.size
        drawing = Figure(figsize=(width, height * len(self.story)), dpi=DPI, facecolor="white")
        FigureCanvasAgg(drawing)
        parts = drawing.subfigures(len(self.story), 1, squeeze=False)
        for part, step in zip(parts[:, 0], self.story, strict=True):
            self.frames[step].draw(Stage(part, width, height))
        return drawing

    def gif(self, fps: float = 3.0, progress: Callable[[int, int], None] | None = None) -> bytes:
        """All steps as an animation that begins again; the last stands a little longer.

        progress: called with how many steps are drawn, and how many there are.
        """
        pictures = []
        for step in range(len(self)):
            pictures.append(pixels(self.figure(step)))
            if progress:
                progress(step + 1, len(self))
        shown = [*self.story, -1]
        palette = Image.fromarray(np.concatenate([pictures[step] for step in shown])).quantize(256)
        frames = [Image.fromarray(p).quantize(palette=palette, dither=Image.Dither.NONE) for p in pictures]
        each = round(1000 / fps)
        waits = [each] * (len(frames) - 1) + [max(each, PAUSE)]
        file = io.BytesIO()
        frames[0].save(
            file, "GIF", save_all=True, append_images=frames[1:], duration=waits, loop=0, optimize=False, disposal=1
        )
        return file.getvalue()


def pixels(drawing: Figure) -> np.ndarray:
    """A figure as (H, W, 3) uint8."""
    canvas = drawing.canvas
    assert isinstance(canvas, FigureCanvasAgg)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def check_output_path(path: Path, suffixes: Sequence[str] = SUFFIXES) -> None:
    """Raise FacesError for a file of another kind than those, or in no folder, before anything is drawn."""
    if path.suffix.lower() not in suffixes:
        better = path.with_suffix(suffixes[0]).name
        raise FacesError(f"--out {path}: expected a name that ends in {' or '.join(suffixes)}, such as {better}")
    if not path.parent.is_dir():
        raise FacesError(f"--out {path}: {path.parent} is no folder; make it first")


def write_film(film: Film, path: Path, fps: float = 3.0, progress: Callable[[int, int], None] | None = None) -> None:
    """Save as .gif, all steps, or as .png, those that tell the story; whole or not at all."""
    check_output_path(path)
    if path.suffix.lower() == ".png":
        write_plot(film.poster(), path, DPI)
        return
    animation = film.gif(fps, progress)
    with atomic_write(path) as temporary:
        temporary.write_bytes(animation)


def chosen_steps(count: int, most: int, middle: int, slow: int = 6) -> tuple[list[int], int]:
    """At most so many of `count` steps: the first ones each, then ever larger strides, the last one always.

    `middle` is among them, in place of its neighbour; its index is given back beside them.
    """
    first = min(slow, max(1, most - 2))
    rest = np.linspace(0, 1, max(1, most - first) + 1)[1:] ** 1.5
    later = np.round(first - 1 + rest * (count - first)).astype(int)
    steps = list(range(count) if count <= most else sorted({*range(first), *later.tolist(), count - 1}))
    nearest = min(range(len(steps)), key=lambda n: abs(steps[n] - middle))
    if nearest not in (0, len(steps) - 1):
        steps[nearest] = middle
    return steps, nearest


def in_acts(
    count: int, frames: int, acts: Sequence[Callable[[int], Frame]], middle: int, size: tuple[float, float]
) -> Film:
    """A film of acts, each of which goes over the same `count` steps; the first has half of all frames.

    acts: a step's number to its frame. Told are step `middle` of each act and the end of the first. Raises FacesError
    for fewer than two frames an act.
    """
    least = 2 * len(acts)
    if frames < least:
        raise FacesError(f"--frames {frames}: expected at least {least}, two for each part of the film")
    shares = [frames] if len(acts) == 1 else [frames // 2, *[frames // 2 // (len(acts) - 1)] * (len(acts) - 1)]
    drawn: list[Frame] = []
    told: list[int] = []
    for number, (act, share) in enumerate(zip(acts, shares, strict=True)):
        steps, index = chosen_steps(count, max(2, share), middle)
        told += [len(drawn) + index] + ([len(drawn) + len(steps) - 1] if number == 0 else [])
        drawn += [act(step) for step in steps]
    return Film(drawn, size, told)


SIZE = (11.0, 4.0)
SIDE, TERM, GAP = 2.6, 1.28, 0.34
TOP = 1.1
MIDDLE = TOP + SIDE / 2


@dataclass(frozen=True)
class WindowStep:
    """source and target: pictures left and right. terms: small tables between them, `signs` between those.

    total: in words, what comes out.
    """

    headline: str
    caption: str
    source: Panel
    terms: Sequence[Panel]
    signs: Sequence[str]
    total: str
    target: Panel

    def draw(self, stage: Stage) -> None:
        """Source, terms and target in a row, the total below the terms."""
        stage.heading(self.headline, self.caption)
        stage.picture((0.3, TOP, SIDE, SIDE), self.source)
        stage.picture((stage.width - 0.3 - SIDE, TOP, SIDE, SIDE), self.target)
        wide = len(self.terms) * TERM + (len(self.terms) - 1) * GAP
        left = (stage.width - wide) / 2
        middle = MIDDLE - 0.15
        for number, term in enumerate(self.terms):
            stage.picture((left + number * (TERM + GAP), middle - TERM / 2, TERM, TERM), term)
        for number, sign in enumerate(self.signs):
            stage.sign(left + (number + 1) * (TERM + GAP) - GAP / 2, middle, sign)
        stage.words(stage.width / 2, middle + TERM / 2 + 0.2, self.total, 11, "center", weight="bold")


def so_far(values: np.ndarray, done: int) -> np.ndarray:
    """The first `done` values in reading order, the others not a number."""
    shown = np.full(values.shape, np.nan, values.dtype)
    shown.flat[:done] = values.flat[:done]
    return shown


def only_first(values: np.ndarray, done: int) -> np.ndarray:
    """The first `done` values in reading order, the others zero."""
    return np.where(np.arange(values.size).reshape(values.shape) < done, values, 0).astype(values.dtype)


def place(number: int, columns: int) -> tuple[int, int]:
    """Row and column of a value by its number in reading order."""
    return divmod(number, columns)


def telling(values: np.ndarray) -> int:
    """The number of the value that stands out most, of those about the middle: there a face has its eyes."""
    rows, columns = values.shape
    shown = np.full(values.shape, -1.0)
    middle = (slice(int(0.45 * rows), int(0.6 * rows) + 1), slice(columns // 4, 3 * columns // 4 + 1))
    shown[middle] = np.abs(values - values.mean())[middle]
    return int(np.argmax(shown))
