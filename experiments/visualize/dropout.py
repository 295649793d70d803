"""Dropout: in training a different part of the image is dropped at each step, in evaluation nothing is."""

from dataclasses import dataclass

import numpy as np

from experiments.errors import FacesError
from experiments.plots.style import BLUE
from experiments.visualize.film import Film, Panel, Shades, Stage, format_number
from mytorch import nn
from mytorch.random import seeded

SIZE = (11.4, 4.6)
SIDE, TOP = 2.35, 1.15
LINE_PIXELS = 8
"""Pixels of the middle row whose numbers are shown."""


class DropoutDraw:
    """One random draw of dropout on an image x (H, W): what it keeps, the output y, the gradient of sum(y^2) / 2."""

    def __init__(self, x: np.ndarray, layer: nn.Dropout):
        self.y = layer(x)
        self.x_grad = layer.backward(self.y)
        self.scale = 1 / (1 - layer.p)
        self.kept = self.y == x * np.float32(self.scale)


@dataclass(frozen=True)
class Dropped:
    """A step: the image, what is kept, the output, the mean of all outputs so far; the numbers of a row."""

    headline: str
    caption: str
    panels: tuple[Panel, ...]
    signs: tuple[str, ...]
    lines: tuple[Panel, ...]

    def draw(self, stage: Stage) -> None:
        """Draw the images in a row, the numbers below."""
        stage.write_heading(self.headline, self.caption)
        gap = (stage.width - 0.6 - 4 * SIDE) / 3
        for number, panel in enumerate(self.panels):
            stage.draw_panel((0.3 + number * (SIDE + gap), TOP, SIDE, SIDE), panel)
        for number, sign in enumerate(self.signs):
            stage.write_sign(0.3 + (number + 1) * (SIDE + gap) - gap / 2, TOP + SIDE / 2, sign)
        for number, line in enumerate(self.lines):
            stage.draw_panel((0.3 + number * (SIDE + gap), TOP + SIDE + 0.45, SIDE, 0.3), line)


def make_film(x: np.ndarray, p: float = 0.4, seed: int = 0, frames: int = 24) -> Film:
    """An image (H, W) through dropout, a draw a step; last, evaluation. Raises FacesError for p outside of 0 to 1."""
    if not 0 <= p < 1:
        raise FacesError(f"--p {p:g}: expected the share that is dropped, from 0 to below 1")
    if frames < 4:
        raise FacesError(f"--frames {frames}: expected at least 4: draws, the gradient, evaluation")
    layer = nn.Dropout(p)
    with seeded(seed):
        draws = [DropoutDraw(x, layer) for _ in range(frames - 2)]
    total = np.cumsum([some.y for some in draws], axis=0, dtype=np.float64)
    steps = [_training(x, some, p, n, total[n - 1] / n) for n, some in enumerate(draws, start=1)]
    steps += [_gradient(x, draws[-1]), _evaluation(x, layer.eval())]
    return Film(steps, SIZE, (0, frames - 3, frames - 2, frames - 1))


def _line(panel: Panel) -> Panel:
    """A few pixels of the middle row, with their numbers."""
    rows, columns = panel.values.shape
    first = max(0, (columns - LINE_PIXELS) // 2)
    values = panel.values[rows // 2, first : first + LINE_PIXELS][None]
    return Panel("", values, panel.shades)


def _framed(panel: Panel) -> Panel:
    """The panel, with those pixels framed."""
    rows, columns = panel.values.shape
    window = (rows // 2, max(0, (columns - LINE_PIXELS) // 2), 1, min(LINE_PIXELS, columns))
    return Panel(panel.title, panel.values, panel.shades, window, frame=BLUE)


def _dropped(headline: str, caption: str, panels: tuple[Panel, ...], signs: tuple[str, ...]) -> Dropped:
    return Dropped(headline, caption, tuple(map(_framed, panels)), signs, tuple(map(_line, panels)))


def _training(x: np.ndarray, some: DropoutDraw, p: float, number: int, mean: np.ndarray) -> Dropped:
    gray = Shades.of(np.zeros(1, x.dtype), x)
    return _dropped(
        f"Dropout in training, draw {number}",
        f"Each pixel is dropped with probability {p:g}; the others are multiplied by 1 / (1 - {p:g}) = "
        f"{format_number(some.scale)}, so that the mean stays.",
        (
            Panel("image", x, gray),
            Panel(f"kept, {some.kept.mean():.0%}, times {format_number(some.scale)}", some.kept * some.scale,
                  Shades(0, some.scale)),
            Panel("output", some.y, Shades(0, gray.high * some.scale)),
            Panel(f"mean of {number} output{'s' * (number > 1)}", mean, gray),
        ),
        ("×", "=", " "),
    )  # fmt: skip


def _gradient(x: np.ndarray, some: DropoutDraw) -> Dropped:
    gray = Shades(0, float(x.max()) * some.scale)
    return _dropped(
        "The gradient",
        "What was dropped gets none; what was kept was multiplied, and so is its gradient.",
        (
            Panel("gradient of the output, of ½ Σ y²", some.y, gray),
            Panel("the same draw", some.kept * some.scale, Shades(0, some.scale)),
            Panel("gradient of the image", some.x_grad, Shades(0, float(some.x_grad.max()))),
        ),
        ("×", "="),
    )


def _evaluation(x: np.ndarray, layer: nn.Dropout) -> Dropped:
    gray = Shades.of(np.zeros(1, x.dtype), x)
    return _dropped(
        "Dropout in evaluation",
        "Nothing is dropped and nothing multiplied: the output is the input.",
        (Panel("image", x, gray), Panel("output", layer(x), gray)),
        ("→",),
    )
