"""A film: the steps of an operation, each drawn on a stage of its own; as figures, as one page, as an animation."""

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from experiments.errors import FacesError
from experiments.plots.training import write_figure
from experiments.visualize.stage import Stage
from mytorch.files import replacing

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

    told: the numbers of the steps that tell the story on one page.
    """

    frames: Sequence[Frame]
    size: tuple[float, float]
    told: Sequence[int]

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
        drawing = Figure(figsize=(width, height * len(self.told)), dpi=DPI, facecolor="white")
        FigureCanvasAgg(drawing)
        parts = drawing.subfigures(len(self.told), 1, squeeze=False)
        for part, step in zip(parts[:, 0], self.told, strict=True):
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
        shown = [*self.told, -1]
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


def expect_place(path: Path, suffixes: Sequence[str] = SUFFIXES) -> None:
    """Raise FacesError for a file of another kind than those, or in no folder, before anything is drawn."""
    if path.suffix.lower() not in suffixes:
        better = path.with_suffix(suffixes[0]).name
        raise FacesError(f"--out {path}: expected a name that ends in {' or '.join(suffixes)}, such as {better}")
    if not path.parent.is_dir():
        raise FacesError(f"--out {path}: {path.parent} is no folder; make it first")


def write_film(film: Film, path: Path, fps: float = 3.0, progress: Callable[[int, int], None] | None = None) -> None:
    """Save as .gif, all steps, or as .png, those that tell the story; whole or not at all."""
    expect_place(path)
    if path.suffix.lower() == ".png":
        write_figure(film.poster(), path, DPI)
        return
    animation = film.gif(fps, progress)
    with replacing(path) as temporary:
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
