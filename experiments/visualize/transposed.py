"""Transposed convolution: every pixel stamps the kernel, times its own value, onto a larger image."""

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
from mytorch.ops.conv_transpose import conv_transpose, conv_transpose_input_grad, transposed_size

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


def make_film(x: np.ndarray, kernel: np.ndarray, stride: int = 2, padding: int = 0, frames: int = 48) -> Film:
    """Return the film of an image (H, W) enlarged, then the gradient, in about `frames` steps."""
    shown = Transposed(x, kernel, stride, padding)
    return make_acts(
        x.size, frames, [partial(_forward, shown), partial(_input_grad, shown)], most_striking(shown.x), SIZE
    )


def _forward(shown: Transposed, number: int) -> WindowStep:
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


def _input_grad(shown: Transposed, number: int) -> WindowStep:
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
