"""Pooling and upsampling: which pixels an output takes, with which weights, and where its gradient goes."""

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
from mytorch.ops import resample as ops
from mytorch.ops.pool import avg_pool, avg_pool_grad, max_pool, max_pool_grad

PoolMode = Literal["max", "average"]
UpsampleMode = Literal["nearest", "bilinear"]
MAX_KERNEL = 5


class Pooling:
    """An image x (H, W) pooled to y; the loss is sum(y^2) / 2, so the gradient of y is y.

    Raises FacesError where a window does not fit, or padding is more than half of one.
    """

    def __init__(
        self, x: np.ndarray, mode: PoolMode = "max", kernel: int = 2, stride: int | None = None, padding: int = 0
    ):
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


def make_pooling_film(
    x: np.ndarray,
    mode: PoolMode = "max",
    kernel: int = 2,
    stride: int | None = None,
    padding: int = 0,
    frames: int = 48,
) -> Film:
    """Return the film of an image (H, W) pooled, then the gradient, in about `frames` steps."""
    shown = Pooling(x, mode, kernel, stride, padding)
    return make_acts(
        shown.y.size, frames, [partial(_pool, shown), partial(_pool_grad, shown)], most_striking(shown.y), SIZE
    )


def _winner(shown: Pooling, number: int) -> list[tuple[int, int]]:
    """The pixel of the window that gets the gradient: the first of the largest ones."""
    if shown.mode != "max":
        return []
    row, column = row_and_column(int(np.argmax(shown.seen(number))), shown.kernel)
    return [(row, column)]


def _shades(shown: Pooling) -> Shades:
    return Shades.of(shown.x) if shown.mode == "max" else Shades.of(shown.around)


def _pooled(shown: Pooling, number: int, title: str, values: np.ndarray) -> Panel:
    row, column = row_and_column(number, shown.y.shape[1])
    return Panel(title, values, _shades(shown), (row, column, 1, 1), frame=BLUE)


def _pool(shown: Pooling, number: int) -> WindowStep:
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
        _pooled(shown, number, f"output, row {row + 1}, column {column + 1}", keep_first(shown.y, number + 1)),
    )  # fmt: skip


def _pool_grad(shown: Pooling, number: int) -> WindowStep:
    largest, whole = shown.mode == "max", shown.input_grad(0, shown.y.size)
    row, column, rows, columns = shown.window(number)
    window = (row - shown.padding, column - shown.padding, rows, columns)
    grads = shown.window_grad(number)
    return WindowStep(
        "The gradient",
        "All of it goes to the pixel that won; the others had no say." if largest
        else f"Each pixel of the window gets an equal share, one part in {shown.kernel**2}.",
        _pooled(shown, number, "gradient of the output, of ½ Σ y²", shown.y),
        (
            Panel("from one output", shown.y.flat[number].reshape(1, 1), _shades(shown)),
            Panel("to its window", grads, Shades.of(whole), marks=_winner(shown, number), frame=BLUE),
        ),
        ("→",),
        f"{number + 1} of {shown.y.size} windows done",
        Panel("gradient of the image", shown.input_grad(0, number + 1), Shades.of(whole), window),
    )  # fmt: skip


class Upsampling:
    """An image x (H, W) and its larger or smaller y; the loss is sum(y^2) / 2, so the gradient of y is y.

    Raises FacesError for a scale that leaves no pixel.
    """

    def __init__(self, x: np.ndarray, mode: UpsampleMode = "bilinear", scale: float = 2.0, align_corners: bool = False):
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


def make_upsampling_film(
    x: np.ndarray, mode: UpsampleMode = "bilinear", scale: float = 2.0, align_corners: bool = False, frames: int = 48
) -> Film:
    """Return the film of an image (H, W) enlarged, then the gradient, in about `frames` steps."""
    shown = Upsampling(x, mode, scale, align_corners)
    return make_acts(
        shown.y.size, frames, [partial(_upsample, shown), partial(_upsample_grad, shown)], most_striking(shown.y), SIZE
    )


def _describe(shown: Upsampling) -> str:
    return "repeats the nearest pixel" if shown.mode == "nearest" else "mixes the pixels around it"


def _upsampled(shown: Upsampling, number: int, title: str, values: np.ndarray) -> Panel:
    row, column = row_and_column(number, shown.y.shape[1])
    return Panel(title, values, Shades.of(shown.x), (row, column, 1, 1), frame=BLUE)


def _upsample(shown: Upsampling, number: int) -> WindowStep:
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
        _upsampled(
            shown, number, f"output, {shown.y.shape[0]} x {shown.y.shape[1]}, row {row[0] + 1}, column {row[1] + 1}",
            keep_first(shown.y, number + 1),
        ),
    )  # fmt: skip


def _upsample_grad(shown: Upsampling, number: int) -> WindowStep:
    given, weights, whole = shown.y.flat[number], shown.weights(number), shown.input_grad(shown.y.size)
    return WindowStep(
        "The gradient",
        "Each output gives its gradient back to the pixels it took, with the same weights.",
        _upsampled(shown, number, "gradient of the output, of ½ Σ y²", shown.y),
        (
            Panel("from one output", given.reshape(1, 1), Shades.of(shown.x)),
            Panel("weights", weights, Shades(0, 1)),
            Panel("to the pixels", given * weights, Shades.of(shown.x)),
        ),
        ("×", "="),
        f"{number + 1} of {shown.y.size} outputs added back",
        Panel("gradient of the image", shown.input_grad(number + 1), Shades.of(whole), shown.window(number)),
    )
