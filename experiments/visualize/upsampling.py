"""Upsampling: each output repeats the nearest pixel, or mixes the four around it; and its gradient."""

from functools import partial
from typing import Literal

import numpy as np

from experiments.errors import FacesError
from experiments.plots.style import BLUE
from experiments.visualize.film import (
    SIZE,
    Film,
    Panel,
    Shades,
    Window,
    WindowStep,
    format_number,
    keep_first,
    make_acts,
    most_striking,
    row_and_column,
    zero_rest,
)
from mytorch.ops import resample as ops

Mode = Literal["nearest", "bilinear"]


class Upsampling:
    """An image x (H, W) and its larger or smaller y; the loss is sum(y^2) / 2, so the gradient of y is y.

    Raises FacesError for a scale that leaves no pixel.
    """

    def __init__(self, x: np.ndarray, mode: Mode = "bilinear", scale: float = 2.0, align_corners: bool = False):
        self.x, self.mode = x, mode
        out = [ops.scaled_size(n, scale) for n in x.shape] if 0 < scale <= 8 else [0]
        if min(out) < 1:
            raise FacesError(
                f"--scale {scale:g}: expected outputs per pixel, above {1 / min(x.shape):.2g} and at most 8"
            )
        pairs = list(zip(x.shape, out, strict=True))
        if mode == "nearest":
            sources = tuple(ops.nearest_indices(n, o, scale) for n, o in pairs)
            self.lows, self.highs, self.shares = sources, sources, tuple(np.zeros(o) for o in out)
        else:
            tables = [ops.linear_neighbors(n, o, scale, align_corners) for n, o in pairs]
            self.lows, self.highs, self.shares = zip(*tables, strict=True)
        batch = x[None, None]
        bilinear = mode == "bilinear"
        y = ops.linear(batch, self.lows, self.highs, self.shares) if bilinear else ops.nearest(batch, self.lows)
        self.y = y[0, 0]

    def weights(self, number: int) -> np.ndarray:
        """Return the weights of the pixels of an output, (rows, columns)."""
        spans = zip(self._table(self.lows, number), self._table(self.highs, number), strict=True)
        axes = [
            np.array([1.0]) if low == high else np.array([1 - share, share])
            for (low, high), share in zip(spans, self._table(self.shares, number), strict=True)
        ]
        return np.outer(*axes)

    def window(self, number: int) -> Window:
        """Return the pixels that an output takes."""
        (top, left), weights = self._table(self.lows, number), self.weights(number)
        return int(top), int(left), *weights.shape

    def input_grad(self, done: int) -> np.ndarray:
        """Return the gradient of the image (H, W), of the first `done` outputs alone."""
        grad = zero_rest(self.y, done)[None, None]
        if self.mode == "nearest":
            return ops.nearest_grad(grad, self.x.shape, self.lows)[0, 0]
        return ops.linear_grad(grad, self.x.shape, self.lows, self.highs, self.shares)[0, 0]

    def _table(self, tables: tuple[np.ndarray, ...], number: int) -> tuple:
        places = row_and_column(number, self.y.shape[1])
        return tuple(table[n] for table, n in zip(tables, places, strict=True))


def make_film(
    x: np.ndarray, mode: Mode = "bilinear", scale: float = 2.0, align_corners: bool = False, frames: int = 48
) -> Film:
    """Return the film of an image (H, W) enlarged, then the gradient, in about `frames` steps."""
    shown = Upsampling(x, mode, scale, align_corners)
    return make_acts(
        shown.y.size, frames, [partial(_forward, shown), partial(_input_grad, shown)], most_striking(shown.y), SIZE
    )


def _describe(shown: Upsampling) -> str:
    return "repeats the nearest pixel" if shown.mode == "nearest" else "mixes the pixels around it"


def _output(shown: Upsampling, number: int, title: str, values: np.ndarray) -> Panel:
    row, column = row_and_column(number, shown.y.shape[1])
    return Panel(title, values, Shades.of(shown.x), (row, column, 1, 1), frame=BLUE)


def _forward(shown: Upsampling, number: int) -> WindowStep:
    top, left, rows, columns = window = shown.window(number)
    seen, weights = shown.x[top : top + rows, left : left + columns], shown.weights(number)
    gray, row = Shades.of(shown.x), row_and_column(number, shown.y.shape[1])
    return WindowStep(
        f"Upsampling, {shown.mode}",
        f"Each output {_describe(shown)}: the nearer, the more it counts." if shown.mode == "bilinear"
        else f"Each output {_describe(shown)}.",
        Panel(f"image, {shown.x.shape[0]} x {shown.x.shape[1]}", shown.x, gray, window),
        (
            Panel("pixels", seen, gray),
            Panel("weights", weights, Shades(0, 1)),
            Panel("products", seen * weights, gray),
        ),
        ("×", "="),
        f"sum of the products: {format_number(float(shown.y.flat[number]))}",
        _output(
            shown, number, f"output, {shown.y.shape[0]} x {shown.y.shape[1]}, row {row[0] + 1}, column {row[1] + 1}",
            keep_first(shown.y, number + 1),
        ),
    )  # fmt: skip


def _input_grad(shown: Upsampling, number: int) -> WindowStep:
    given, weights, whole = shown.y.flat[number], shown.weights(number), shown.input_grad(shown.y.size)
    return WindowStep(
        "The gradient",
        "Each output gives its gradient back to the pixels it took, with the same weights.",
        _output(shown, number, "gradient of the output, of ½ Σ y²", shown.y),
        (
            Panel("from one output", given.reshape(1, 1), Shades.of(shown.x)),
            Panel("weights", weights, Shades(0, 1)),
            Panel("to the pixels", given * weights, Shades.of(shown.x)),
        ),
        ("×", "="),
        f"{number + 1} of {shown.y.size} outputs added back",
        Panel("gradient of the image", shown.input_grad(number + 1), Shades.of(whole), shown.window(number)),
    )
