"""Convolution as one matrix product (im2col): windows become rows. Its gradient: rows fold back into the image."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from experiments.errors import FacesError
from experiments.plots.style import BLUE
from experiments.visualize.film import (
    Film,
    Panel,
    Shades,
    Stage,
    Window,
    keep_first,
    make_acts,
    most_striking,
    row_and_column,
    zero_rest,
)
from experiments.visualize.inputs import read_kernel
from mytorch.geometry import output_size, pad, tap_slices
from mytorch.ops.im2col import im2col_conv, im2col_conv_input_grad

NAMES = ("edges", "lines", "blur")
SIZE = (11.4, 5.4)
TOP, LONG = 1.15, 3.0
OUTPUT_SIDE = 0.9
"""Inches per side of an output."""

ONE = (1, 1)


class Columns:
    """An image x (H, W) and kernels (F, 3, 3): its windows as rows (positions, 9), the product, the outputs (F, H, W).

    The loss is sum(y^2) / 2, so the gradient of y is y. Raises FacesError where no window fits.
    """

    def __init__(self, x: np.ndarray, kernels: np.ndarray, stride: int = 1, padding: int = 0):
        self.x, self.kernels, self.stride, self.padding = x, kernels, stride, padding
        self.steps = (stride, stride), (padding, padding), ONE
        self.around = pad(x[None, None], (padding, padding))[0, 0]
        size = kernels.shape[1:]
        try:
            out = tuple(output_size(n, k, stride, padding) for n, k in zip(x.shape, size, strict=True))
        except ValueError as error:
            raise FacesError(f"--padding, --size: {error}") from error
        seen = [self.around[tap].ravel() for tap in tap_slices(size, (stride, stride), ONE, out)]
        self.rows = np.stack(seen, axis=1)
        self.matrix = kernels.reshape(len(kernels), -1).T
        self.y = im2col_conv(x[None, None], kernels[:, None], None, *self.steps, groups=1)[0]

    @property
    def product(self) -> np.ndarray:
        """Return the outputs as a matrix (positions, F)."""
        return self.y.reshape(len(self.y), -1).T

    @property
    def rows_grad(self) -> np.ndarray:
        """Return the gradient of the rows, (positions, 9)."""
        return self.product @ self.matrix.T

    def window(self, number: int) -> Window:
        """Return the window of a row on the padded image."""
        row, column = row_and_column(number, self.y.shape[2])
        return row * self.stride, column * self.stride, *self.kernels.shape[1:]

    def input_grad(self, done: int) -> np.ndarray:
        """Return the gradient of the padded image, of the first `done` rows alone."""
        grad = np.stack([zero_rest(some, done) for some in self.y])[None]
        weight, size = self.kernels[:, None], self.around.shape
        return im2col_conv_input_grad(grad, weight, size, (self.stride, self.stride), (0, 0), ONE, groups=1)[0, 0]


@dataclass(frozen=True)
class Unfolded:
    """A step: an image, the matrices, and the outputs as small images. strip: the numbers of the current row."""

    headline: str
    caption: str
    image: Panel
    long: Panel
    matrix: Panel
    result: Panel
    outputs: Sequence[Panel]
    strip: Panel
    backward: bool

    def draw(self, stage: Stage) -> None:
        """Draw the product from left to right; backward, the arrows are reversed."""
        stage.write_heading(self.headline, self.caption)
        middle = TOP + LONG / 2
        stage.draw_panel((0.3, TOP + 0.25, 2.5, 2.5), self.image)
        stage.write_sign(3.1, middle, "←" if self.backward else "→")
        stage.draw_stretched((3.4, TOP, 1.35, LONG), self.long)
        stage.write_sign(5.05, middle, "=" if self.backward else "×")
        first, second = (self.result, self.matrix) if self.backward else (self.matrix, self.result)
        self._matrix(stage, (5.4, middle), first)
        stage.write_sign(7.17, middle, "×" if self.backward else "=")
        self._matrix(stage, (7.45, middle), second)
        stage.write_sign(9.35, middle, "←" if self.backward else "→")
        for number, panel in enumerate(self.outputs):
            stage.draw_panel((9.9, TOP + number * (OUTPUT_SIDE + 0.32) - 0.15, OUTPUT_SIDE, OUTPUT_SIDE), panel)
        stage.draw_panel((2.6, TOP + LONG + 0.55, 3.1, 0.36), self.strip)

    @staticmethod
    def _matrix(stage: Stage, at: tuple[float, float], panel: Panel) -> None:
        """Draw a matrix of few rows with its numbers, or a long one stretched."""
        rows, columns = panel.values.shape
        if rows > 9:
            stage.draw_stretched((at[0] + 0.45, TOP, 0.75, LONG), panel)
        else:
            width, high = min(1.6, 0.37 * columns), 0.33 * rows
            stage.draw_panel((at[0] + (1.6 - width) / 2, at[1] - high / 2, width, high), panel)


def make_film(x: np.ndarray, names: Sequence[str] = NAMES, stride: int = 1, padding: int = 0, frames: int = 48) -> Film:
    """Return the film of an image (H, W) and three 3x3 kernels: unfolded, multiplied, and the gradient folded back."""
    shown = Columns(x, np.stack([read_kernel(name) for name in names]), stride, padding)
    acts = [partial(_forward, shown, names), partial(_backward, shown, names)]
    return make_acts(len(shown.rows), frames, acts, most_striking(shown.y[0]), SIZE)


def _outputs(shown: Columns, names: Sequence[str], number: int, done: int) -> list[Panel]:
    row, column = row_and_column(number, shown.y.shape[2])
    return [
        Panel(name, keep_first(y, done), Shades.of(y), (row, column, 1, 1), frame=BLUE)
        for name, y in zip(names, shown.y, strict=True)
    ]


def _rows_so_far(matrix: np.ndarray, done: int) -> np.ndarray:
    shown = matrix.copy()
    shown[done:] = np.nan
    return shown


def _line(number: int, columns: int) -> Window:
    """A frame around a row, drawn thicker than a row is high."""
    return number, 0, 1, columns


def _forward(shown: Columns, names: Sequence[str], number: int) -> Unfolded:
    count, long = shown.rows.shape
    gray = Shades.of(shown.around)
    kernels = Panel(f"{len(names)} kernels, {long} x {len(names)}", shown.matrix, Shades.of(shown.matrix))
    return Unfolded(
        "Convolution as one matrix product (im2col)",
        "Every window becomes a row; every kernel is a column. One product gives all outputs of all kernels.",
        Panel("image", shown.around, gray, shown.window(number), shown.padding),
        Panel(f"windows, {count} x {long}", _rows_so_far(shown.rows, number + 1), gray, _line(number, long)),
        kernels,
        Panel(
            f"outputs, {count} x {len(names)}", _rows_so_far(shown.product, number + 1), Shades.of(shown.product),
            _line(number, len(names)), frame=BLUE,
        ),
        _outputs(shown, names, number, number + 1),
        Panel(f"row {number + 1}: the window, line after line", shown.rows[number][None], gray),
        backward=False,
    )  # fmt: skip


def _backward(shown: Columns, names: Sequence[str], number: int) -> Unfolded:
    count, long = shown.rows.shape
    rows, whole = shown.rows_grad, shown.input_grad(len(shown.rows))
    return Unfolded(
        "The gradient: rows fold back (col2im)",
        "The gradient at the outputs times the transposed kernels is the rows', added where its window was.",
        Panel(
            "gradient of the image", shown.input_grad(number + 1), Shades.of(whole, -np.abs(whole)),
            shown.window(number), shown.padding,
        ),
        Panel(f"gradient, {count} x {long}", _rows_so_far(rows, number + 1), Shades.of(rows), _line(number, long)),
        Panel(f"kernels, {len(names)} x {long}", shown.matrix.T, Shades.of(shown.matrix)),
        Panel(
            f"outputs, {count} x {len(names)}", shown.product, Shades.of(shown.product), _line(number, len(names)),
            frame=BLUE,
        ),
        _outputs(shown, names, number, shown.y[0].size),
        Panel(f"row {number + 1} of the gradient", rows[number][None], Shades.of(rows)),
        backward=True,
    )  # fmt: skip
