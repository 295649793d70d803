"""Convolution: the window slides, products are added up. Its gradients: back to the pixels, and to the kernel.

Transposed convolution: every pixel stamps the kernel, times its own value, onto a larger image.
"""

from functools import partial

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
from mytorch.ops.conv import conv, conv_input_grad, conv_weight_grad
from mytorch.ops.conv_transpose import conv_transpose, conv_transpose_input_grad, transposed_size

ONE = (1, 1)


class ShownConvolution:
    """An image x (H, W) and a kernel (KH, KW): the output y, and the gradients. The loss is sum(y^2) / 2, so y's is y.

    Every number is from mytorch.ops.conv. Raises FacesError where the kernel does not fit the image.
    """

    def __init__(self, x: np.ndarray, kernel: np.ndarray, stride: int = 1, padding: int = 0):
        self.x, self.kernel, self.stride, self.padding = x, kernel, stride, padding
        self.around = pad(x[None, None], (padding, padding))[0, 0]
        try:
            self.y = conv(x[None, None], kernel[None, None], None, *self._steps)[0, 0]
        except ValueError as error:
            raise FacesError(f"--kernel, --padding, --size: {error}") from error

    @property
    def _steps(self) -> tuple[tuple[int, int], tuple[int, int], tuple[int, int]]:
        return (self.stride, self.stride), (self.padding, self.padding), ONE

    def window(self, number: int) -> Window:
        """Return the window of an output on the padded image."""
        row, column = row_and_column(number, self.y.shape[1])
        return (row * self.stride, column * self.stride, *self.kernel.shape)

    def seen(self, number: int) -> np.ndarray:
        """Return the pixels that an output sees, (KH, KW)."""
        row, column, rows, columns = self.window(number)
        return self.around[row : row + rows, column : column + columns]

    def input_grad(self, done: int) -> np.ndarray:
        """Return the gradient of the padded image, of the first `done` outputs alone."""
        grad = zero_rest(self.y, done)[None, None]
        stride, _, dilation = self._steps
        return conv_input_grad(grad, self.kernel[None, None], self.around.shape, stride, (0, 0), dilation)[0, 0]

    def weight_grad(self, done: int) -> np.ndarray:
        """Return the gradient of the kernel, of the first `done` outputs alone."""
        grad = zero_rest(self.y, done)[None, None]
        return conv_weight_grad(grad, self.x[None, None], self.kernel.shape, *self._steps)[0, 0]


def make_film(x: np.ndarray, kernel: np.ndarray, stride: int = 1, padding: int = 0, frames: int = 48) -> Film:
    """Return the film of an image (H, W) convolved, then the two gradients, in about `frames` steps."""
    shown = ShownConvolution(x, kernel, stride, padding)
    acts = [partial(act, shown) for act in (_forward, _input_grad, _weight_grad)]
    return make_acts(shown.y.size, frames, acts, most_striking(shown.y), SIZE)


def _output(shown: ShownConvolution, number: int, title: str, values: np.ndarray) -> Panel:
    row, column = row_and_column(number, shown.y.shape[1])
    return Panel(title, values, Shades.of(shown.y), (row, column, 1, 1), frame=BLUE)


def _image(shown: ShownConvolution, number: int) -> Panel:
    what = f"image, {shown.x.shape[0]} x {shown.x.shape[1]}"
    title = f"{what}, {shown.padding} of zeros around" if shown.padding else what
    return Panel(title, shown.around, Shades.of(shown.around), shown.window(number), shown.padding)


def _forward(shown: ShownConvolution, number: int) -> WindowStep:
    seen, kernel = shown.seen(number), shown.kernel
    row, column = row_and_column(number, shown.y.shape[1])
    stride = f", {shown.stride} pixels at a time" if shown.stride > 1 else ""
    return WindowStep(
        "Convolution",
        f"A window slides over the image{stride}. Its pixels times the kernel, added up, are a pixel of the output.",
        _image(shown, number),
        (
            Panel("window", seen, Shades.of(shown.around)),
            Panel("kernel", kernel, Shades.of(kernel)),
            Panel("products", seen * kernel, Shades.of(kernel * shown.around.max())),
        ),
        ("×", "="),
        f"sum of the products: {format_number(float(shown.y.flat[number]))}",
        _output(shown, number, f"output, row {row + 1}, column {column + 1}", keep_first(shown.y, number + 1)),
    )


def _input_grad(shown: ShownConvolution, number: int) -> WindowStep:
    given = shown.y.flat[number]
    whole = shown.input_grad(shown.y.size)
    return WindowStep(
        "The gradient of the image",
        "Each output gives its gradient back to the pixels it saw, times the kernel; overlaps add up.",
        _output(shown, number, "gradient of the output, of ½ Σ y²", shown.y),
        (
            Panel("from one output", np.array([[given]]), Shades.of(shown.y)),
            Panel("kernel", shown.kernel, Shades.of(shown.kernel)),
            Panel("to its window", given * shown.kernel, Shades.of(shown.kernel * np.abs(shown.y).max())),
        ),
        ("×", "="),
        f"{number + 1} of {shown.y.size} windows added back",
        Panel(
            "gradient of the image", shown.input_grad(number + 1), Shades.of(whole, -np.abs(whole)),
            shown.window(number), shown.padding,
        ),
    )  # fmt: skip


def _weight_grad(shown: ShownConvolution, number: int) -> WindowStep:
    given, seen = shown.y.flat[number], shown.seen(number)
    parts = Shades.of(np.array([-1.0, 1.0]) * np.abs(shown.y).max() * shown.around.max())
    total = shown.weight_grad(shown.y.size)
    return WindowStep(
        "Its gradient of the kernel",
        "Every window used the kernel: its gradient is the sum of all windows, each times its output's gradient.",
        _image(shown, number),
        (
            Panel("window", seen, Shades.of(shown.around)),
            Panel("its output's gradient", np.array([[given]]), Shades.of(shown.y)),
            Panel("its share", seen * given, parts),
        ),
        ("×", "="),
        f"{number + 1} of {shown.y.size} windows added up",
        Panel("gradient of the kernel", shown.weight_grad(number + 1), Shades.of(total, -np.abs(total))),
    )


ONE = (1, 1)


class Transposed:
    """An image x (H, W), and the larger y; the loss is sum(y^2) / 2, so the gradient of y is y.

    padding: what is cut off the edges of y. Raises FacesError where that leaves nothing.
    """

    def __init__(self, x: np.ndarray, kernel: np.ndarray, stride: int = 2, padding: int = 0):
        self.x, self.kernel, self.stride, self.padding = x, kernel, stride, padding
        try:
            rows, columns = (
                transposed_size(n, k, stride, padding, 1, 0) for n, k in zip(x.shape, kernel.shape, strict=True)
            )
        except ValueError as error:
            raise FacesError(f"--padding: {error}") from error
        self.size = rows, columns
        self.y = self.output(x.size)
        self.x_grad = conv_transpose_input_grad(
            self.y[None, None], kernel[None, None], x.shape, (stride, stride), (padding, padding), ONE
        )[0, 0]

    def output(self, done: int) -> np.ndarray:
        """Return the output of the first `done` pixels alone."""
        x, stride, padding = zero_rest(self.x, done), (self.stride,) * 2, (self.padding,) * 2
        return conv_transpose(x[None, None], self.kernel[None, None], None, self.size, stride, padding, ONE)[0, 0]

    def window(self, number: int) -> Window:
        """Return the window of a pixel's stamp on the output, without what is cut off."""
        row, column = (n * self.stride - self.padding for n in row_and_column(number, self.x.shape[1]))
        top, left = max(row, 0), max(column, 0)
        bottom, right = min(row + self.kernel.shape[0], self.size[0]), min(column + self.kernel.shape[1], self.size[1])
        return top, left, bottom - top, right - left


def make_transposed_film(
    x: np.ndarray, kernel: np.ndarray, stride: int = 2, padding: int = 0, frames: int = 48
) -> Film:
    """Return the film of an image (H, W) enlarged, then the gradient, in about `frames` steps."""
    shown = Transposed(x, kernel, stride, padding)
    return make_acts(
        x.size, frames, [partial(_stamp, shown), partial(_stamp_grad, shown)], most_striking(shown.x), SIZE
    )


def _stamp(shown: Transposed, number: int) -> WindowStep:
    row, column = row_and_column(number, shown.x.shape[1])
    pixel, kernel = shown.x.flat[number], shown.kernel
    return WindowStep(
        "Transposed convolution",
        f"Each pixel times the kernel is stamped onto a larger image, {shown.stride} further each time; "
        "where stamps overlap, they add up.",
        Panel(f"image, {shown.x.shape[0]} x {shown.x.shape[1]}", shown.x, Shades.of(shown.x), (row, column, 1, 1)),
        (
            Panel("pixel", pixel.reshape(1, 1), Shades.of(shown.x)),
            Panel("kernel", kernel, Shades.of(kernel)),
            Panel("stamp", pixel * kernel, Shades.of(kernel * np.abs(shown.x).max())),
        ),
        ("×", "="),
        f"{number + 1} of {shown.x.size} pixels stamped",
        Panel(
            f"output, {shown.size[0]} x {shown.size[1]}", shown.output(number + 1), Shades.of(shown.y),
            shown.window(number), frame=BLUE,
        ),
    )  # fmt: skip


def _stamp_grad(shown: Transposed, number: int) -> WindowStep:
    top, left, rows, columns = shown.window(number)
    seen = shown.y[top : top + rows, left : left + columns]
    row, column = row_and_column(number, shown.x.shape[1])
    first = (top - (row * shown.stride - shown.padding), left - (column * shown.stride - shown.padding))
    kernel = shown.kernel[first[0] : first[0] + rows, first[1] : first[1] + columns]
    return WindowStep(
        "The gradient is a convolution",
        "A pixel is responsible for its whole stamp: what the stamp sees of the gradient, times the kernel, added up.",
        Panel("gradient of the output, of ½ Σ y²", shown.y, Shades.of(shown.y), shown.window(number), frame=BLUE),
        (
            Panel("below the stamp", seen, Shades.of(shown.y)),
            Panel("kernel", kernel, Shades.of(shown.kernel)),
            Panel("products", seen * kernel, Shades.of(shown.kernel * np.abs(shown.y).max())),
        ),
        ("×", "="),
        f"sum of the products: {format_number(float(shown.x_grad.flat[number]))}",
        Panel(
            "gradient of the image", keep_first(shown.x_grad, number + 1), Shades.of(shown.x_grad), (row, column, 1, 1)
        ),
    )
