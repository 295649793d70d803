"""Pooling: each window's largest pixel, or its mean; and where the gradient goes."""

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
from mytorch.geometry import pad
from mytorch.ops.pool import avg_pool, avg_pool_grad, max_pool, max_pool_grad

Mode = Literal["max", "average"]
MAX_KERNEL = 5


class Pooling:
    """An image x (H, W) pooled to y; the loss is sum(y^2) / 2, so the gradient of y is y.

    Raises FacesError where a window does not fit, or padding is more than half of one.
    """

    def __init__(self, x: np.ndarray, mode: Mode = "max", kernel: int = 2, stride: int | None = None, padding: int = 0):
        if not 1 <= kernel <= MAX_KERNEL:
            raise FacesError(f"--kernel {kernel}: expected 1 to {MAX_KERNEL} pixels per side")
        if not 0 <= padding <= kernel // 2:
            raise FacesError(f"--padding {padding}: expected 0 to {kernel // 2}, half of the window of {kernel}")
        self.x, self.mode, self.kernel, self.stride, self.padding = x, mode, kernel, stride or kernel, padding
        self.around = pad(x[None, None], (padding, padding), -np.inf if mode == "max" else 0)[0, 0]
        try:
            pool = max_pool if mode == "max" else avg_pool
            self.y = pool(x[None, None], *self._steps)[0, 0]
        except ValueError as error:
            raise FacesError(f"--kernel, --padding, --size: {error}") from error

    @property
    def _steps(self) -> tuple[tuple[int, int], tuple[int, int], tuple[int, int]]:
        return (self.kernel, self.kernel), (self.stride, self.stride), (self.padding, self.padding)

    def window(self, number: int) -> Window:
        """Return the window of an output on the padded image."""
        row, column = row_and_column(number, self.y.shape[1])
        return row * self.stride, column * self.stride, self.kernel, self.kernel

    def seen(self, number: int) -> np.ndarray:
        """Return the pixels that an output sees, (kernel, kernel)."""
        row, column, rows, columns = self.window(number)
        return self.around[row : row + rows, column : column + columns]

    def input_grad(self, first: int, last: int) -> np.ndarray:
        """Return the gradient of the image (H, W), of the outputs from `first` to before `last` alone."""
        grad = (zero_rest(self.y, last) - zero_rest(self.y, first))[None, None]
        x = self.x[None, None]
        if self.mode == "max":
            return max_pool_grad(grad, x, self.y[None, None], *self._steps)[0, 0]
        return avg_pool_grad(grad, self.x.shape, *self._steps)[0, 0]

    def window_grad(self, number: int) -> np.ndarray:
        """Return the gradient that an output gives to each pixel of its window, (kernel, kernel); 0 in the padding."""
        around = np.pad(self.input_grad(number, number + 1), self.padding)
        row, column, rows, columns = self.window(number)
        return around[row : row + rows, column : column + columns]


def make_film(
    x: np.ndarray,
    mode: Mode = "max",
    kernel: int = 2,
    stride: int | None = None,
    padding: int = 0,
    frames: int = 48,
) -> Film:
    """Return the film of an image (H, W) pooled, then the gradient, in about `frames` steps."""
    shown = Pooling(x, mode, kernel, stride, padding)
    return make_acts(
        shown.y.size, frames, [partial(_forward, shown), partial(_input_grad, shown)], most_striking(shown.y), SIZE
    )


def _winner(shown: Pooling, number: int) -> list[tuple[int, int]]:
    """The pixel of the window that gets the gradient: the first of the largest ones."""
    if shown.mode != "max":
        return []
    row, column = row_and_column(int(np.argmax(shown.seen(number))), shown.kernel)
    return [(row, column)]


def _shades(shown: Pooling) -> Shades:
    return Shades.of(shown.x) if shown.mode == "max" else Shades.of(shown.around)


def _output(shown: Pooling, number: int, title: str, values: np.ndarray) -> Panel:
    row, column = row_and_column(number, shown.y.shape[1])
    return Panel(title, values, _shades(shown), (row, column, 1, 1), frame=BLUE)


def _forward(shown: Pooling, number: int) -> WindowStep:
    largest = shown.mode == "max"
    row, column = row_and_column(number, shown.y.shape[1])
    answer = format_number(float(shown.y.flat[number]))
    around = np.where(np.isfinite(shown.around), shown.around, np.nan)
    what = f"image, {shown.x.shape[0]} x {shown.x.shape[1]}"
    return WindowStep(
        "Max pooling" if largest else "Average pooling",
        f"Of each window of {shown.kernel} x {shown.kernel} pixels, {shown.stride} apart, "
        + ("only the largest stays." if largest else "the mean stays."),
        Panel(what, around, _shades(shown), shown.window(number), shown.padding),
        (
            Panel("window", np.where(np.isfinite(shown.seen(number)), shown.seen(number), np.nan), _shades(shown),
                  marks=_winner(shown, number), frame=BLUE),
            Panel("largest" if largest else "mean", shown.y.flat[number].reshape(1, 1), _shades(shown)),
        ),
        ("→",),
        f"the largest is {answer}" if largest else f"the mean is {answer}",
        _output(shown, number, f"output, row {row + 1}, column {column + 1}", keep_first(shown.y, number + 1)),
    )  # fmt: skip


def _input_grad(shown: Pooling, number: int) -> WindowStep:
    largest, whole = shown.mode == "max", shown.input_grad(0, shown.y.size)
    row, column, rows, columns = shown.window(number)
    window = (row - shown.padding, column - shown.padding, rows, columns)
    grads = shown.window_grad(number)
    return WindowStep(
        "The gradient",
        "All of it goes to the pixel that won; the others had no say." if largest
        else f"Each pixel of the window gets an equal share, one part in {shown.kernel**2}.",
        _output(shown, number, "gradient of the output, of ½ Σ y²", shown.y),
        (
            Panel("from one output", shown.y.flat[number].reshape(1, 1), _shades(shown)),
            Panel("to its window", grads, Shades.of(whole), marks=_winner(shown, number), frame=BLUE),
        ),
        ("→",),
        f"{number + 1} of {shown.y.size} windows done",
        Panel("gradient of the image", shown.input_grad(0, number + 1), Shades.of(whole), window),
    )  # fmt: skip
