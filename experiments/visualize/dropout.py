"""Dropout: another part of the picture is missing at each step of training; in evaluation, nothing is."""

from dataclasses import dataclass

import numpy as np

from experiments.errors import FacesError
from experiments.plots.style import BLUE
from experiments.visualize.film import Film, Panel, Shades, Stage, short
from mytorch import nn
from mytorch.random import seeded

SIZE = (11.4, 4.6)
SIDE, TOP = 2.35, 1.15
LINE = 8
"""Pixels of which the numbers are shown."""


class Draw:
    """What a draw of dropout keeps, makes of the picture x (H, W), and gives back of the gradient of sum(y^2) / 2."""

    def __init__(self, x: np.ndarray, layer: nn.Dropout):
        self.y = layer(x)
        self.x_grad = layer.backward(self.y)
        self.scale = 1 / (1 - layer.p)
        self.kept = self.y == x * np.float32(self.scale)


@dataclass(frozen=True)
class Dropped:
    """A draw: the picture, what is kept, what comes out; the mean of all outputs so far; numbers of a row."""

    headline: str
    caption: str
    panels: tuple[Panel, ...]
    signs: tuple[str, ...]
    lines: tuple[Panel, ...]

    def draw(self, stage: Stage) -> None:
        """The pictures in a row, the numbers below."""
        stage.heading(self.headline, self.caption)
        gap = (stage.width - 0.6 - 4 * SIDE) / 3
        for number, panel in enumerate(self.panels):
            stage.picture((0.3 + number * (SIDE + gap), TOP, SIDE, SIDE), panel)
        for number, sign in enumerate(self.signs):
            stage.sign(0.3 + (number + 1) * (SIDE + gap) - gap / 2, TOP + SIDE / 2, sign)
        for number, line in enumerate(self.lines):
            stage.picture((0.3 + number * (SIDE + gap), TOP + SIDE + 0.45, SIDE, 0.3), line)


def make_film(x: np.ndarray, p: float = 0.4, seed: int = 0, frames: int = 24) -> Film:
    """A picture (H, W) through dropout, a draw a step; last, evaluation. Raises FacesError for p outside of 0 to 1."""
    if not 0 <= p < 1:
        raise FacesError(f"--p {p:g}: expected the share that is dropped, from 0 to below 1")
    if frames < 4:
        raise FacesError(f"--frames {frames}: expected at least 4: draws, the gradient, evaluation")
    layer = nn.Dropout(p)
    with seeded(seed):
        draws = [Draw(x, layer) for _ in range(frames - 2)]
    total = np.cumsum([some.y for some in draws], axis=0, dtype=np.float64)
    steps = [_training(x, some, p, n, total[n - 1] / n) for n, some in enumerate(draws, start=1)]
    steps += [_gradient(x, draws[-1]), _evaluation(x, layer.eval())]
    return Film(steps, SIZE, (0, frames - 3, frames - 2, frames - 1))


def _line(panel: Panel) -> Panel:
    """Some pixels of the middle row, with their numbers."""
    rows, columns = panel.values.shape
    first = max(0, (columns - LINE) // 2)
    values = panel.values[rows // 2, first : first + LINE][None]
    return Panel("", values, panel.shades)


def _framed(panel: Panel) -> Panel:
    """The panel, with those pixels framed."""
    rows, columns = panel.values.shape
    window = (rows // 2, max(0, (columns - LINE) // 2), 1, min(LINE, columns))
    return Panel(panel.title, panel.values, panel.shades, window, frame=BLUE)


def _dropped(headline: str, caption: str, panels: tuple[Panel, ...], signs: tuple[str, ...]) -> Dropped:
    return Dropped(headline, caption, tuple(map(_framed, panels)), signs, tuple(map(_line, panels)))


def _training(x: np.ndarray, some: Draw, p: float, number: int, mean: np.ndarray) -> Dropped:
    grey = Shades.of(np.zeros(1, x.dtype), x)
    return _dropped(
        f"Dropout in training, draw {number}",
        f"Each pixel is dropped with probability {p:g}; the others are multiplied by 1 / (1 - {p:g}) = "
        f"{short(some.scale)}, so that the mean stays.",
        (
            Panel("picture", x, grey),
            Panel(f"kept, {some.kept.mean():.0%}, times {short(some.scale)}", some.kept * some.scale,
                  Shades(0, some.scale)),
            Panel("output", some.y, Shades(0, grey.high * some.scale)),
            Panel(f"mean of {number} output{'s' * (number > 1)}", mean, grey),
        ),
        ("×", "=", " "),
    )  # fmt: skip


def _gradient(x: np.ndarray, some: Draw) -> Dropped:
    grey = Shades(0, float(x.max()) * some.scale)
    return _dropped(
        "Its gradient",
        "What was dropped gets none; what was kept was multiplied, and so is its gradient.",
        (
            Panel("gradient of ½ Σ y² at the output", some.y, grey),
            Panel("the same draw", some.kept * some.scale, Shades(0, some.scale)),
            Panel("gradient at the picture", some.x_grad, Shades(0, float(some.x_grad.max()))),
        ),
        ("×", "="),
    )


def _evaluation(x: np.ndarray, layer: nn.Dropout) -> Dropped:
    grey = Shades.of(np.zeros(1, x.dtype), x)
    return _dropped(
        "Dropout in evaluation",
        "Nothing is dropped and nothing multiplied: the output is the input.",
        (Panel("picture", x, grey), Panel("output", layer(x), grey)),
        ("→",),
    )
