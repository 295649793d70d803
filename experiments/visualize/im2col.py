"""Convolution as one matrix product: windows become rows. Its gradient: rows fold back into the picture."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from experiments.errors import FacesError
from experiments.plots.style import BLUE
from experiments.visualize.film import Film, Panel, Shades, Stage, Window, in_acts, only_first, place, so_far, telling
from experiments.visualize.inputs import read_kernel
from mytorch.geometry import output_size, pad, tap_slices
from mytorch.ops.im2col import im2col_conv, im2col_conv_input_grad

NAMES = ("edges", "lines", "blur")
SIZE = (11.4, 5.4)
TOP, LONG = 1.15, 3.0
SIDE = 0.9
"""Of an output's picture."""

ONE = (1, 1)


class Columns:
    """A picture x (H, W) and kernels (F, 3, 3): its windows as rows (positions, 9), the product, the outputs (F, H, W).

    The gradient is that of the loss sum(y^2) / 2, which at y is y. Raises FacesError where no window fits.
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
        """The outputs as the matrix (positions, F)."""
        return self.y.reshape(len(self.y), -1).T

    @property
    def rows_grad(self) -> np.ndarray:
        """Gradient at the rows, (positions, 9)."""
        return self.product @ self.matrix.T

    def window(self, number: int) -> Window:
        """Where the window of a row stands on the padded picture."""
        row, column = place(number, self.y.shape[2])
        return row * self.stride, column * self.stride, *self.kernels.shape[1:]

    def input_grad(self, done: int) -> np.ndarray:
        """Gradient at the padded picture, of the first `done` rows alone."""
        grad = np.stack([only_first(some, done) for some in self.y])[None]
        weight, size = self.kernels[:, None], self.around.shape
        return im2col_conv_input_grad(grad, weight, size, (self.stride, self.stride), (0, 0), ONE, groups=1)[0, 0]


@dataclass(frozen=True)
class Unfolded:
    """A step: a picture, matrices between, small pictures. row: the one that is made; strip: its numbers."""

    headline: str
    caption: str
    picture: Panel
    long: Panel
    matrix: Panel
    result: Panel
    outputs: Sequence[Panel]
    strip: Panel
    backward: bool

    def draw(self, stage: Stage) -> None:
        """Forward from left to right; backward the arrows turn round."""
        stage.heading(self.headline, self.caption)
        middle = TOP + LONG / 2
        stage.picture((0.3, TOP + 0.25, 2.5, 2.5), self.picture)
        stage.sign(3.1, middle, "←" if self.backward else "→")
        stage.column((3.4, TOP, 1.35, LONG), self.long)
        stage.sign(5.05, middle, "=" if self.backward else "×")
        first, second = (self.result, self.matrix) if self.backward else (self.matrix, self.result)
        self._matrix(stage, (5.4, middle), first)
        stage.sign(7.17, middle, "×" if self.backward else "=")
        self._matrix(stage, (7.45, middle), second)
        stage.sign(9.35, middle, "←" if self.backward else "→")
        for number, panel in enumerate(self.outputs):
            stage.picture((9.9, TOP + number * (SIDE + 0.32) - 0.15, SIDE, SIDE), panel)
        stage.picture((2.6, TOP + LONG + 0.55, 3.1, 0.36), self.strip)

    @staticmethod
    def _matrix(stage: Stage, at: tuple[float, float], panel: Panel) -> None:
        """A matrix of few rows with its numbers, or a long one as a column."""
        rows, columns = panel.values.shape
        if rows > 9:
            stage.column((at[0] + 0.45, TOP, 0.75, LONG), panel)
        else:
            width, high = min(1.6, 0.37 * columns), 0.33 * rows
            stage.picture((at[0] + (1.6 - width) / 2, at[1] - high / 2, width, high), panel)


def make_film(x: np.ndarray, names: Sequence[str] = NAMES, stride: int = 1, padding: int = 0, frames: int = 48) -> Film:
    """A picture (H, W) and three 3x3 kernels at once: unfolded, multiplied; then the gradient, folded back."""
    shown = Columns(x, np.stack([read_kernel(name) for name in names]), stride, padding)
    acts = [partial(_forward, shown, names), partial(_backward, shown, names)]
    return in_acts(len(shown.rows), frames, acts, telling(shown.y[0]), SIZE)


def _outputs(shown: Columns, names: Sequence[str], number: int, done: int) -> list[Panel]:
    row, column = place(number, shown.y.shape[2])
    return [
        Panel(name, so_far(y, done), Shades.of(y), (row, column, 1, 1), frame=BLUE)
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
    grey = Shades.of(shown.around)
    kernels = Panel(f"{len(names)} kernels, {long} x {len(names)}", shown.matrix, Shades.of(shown.matrix))
    return Unfolded(
        "Convolution as one matrix product (im2col)",
        "Every window becomes a row; every kernel is a column. One product gives all outputs of all kernels.",
        Panel("picture", shown.around, grey, shown.window(number), shown.padding),
        Panel(f"windows, {count} x {long}", _rows_so_far(shown.rows, number + 1), grey, _line(number, long)),
        kernels,
        Panel(
            f"outputs, {count} x {len(names)}", _rows_so_far(shown.product, number + 1), Shades.of(shown.product),
            _line(number, len(names)), frame=BLUE,
        ),
        _outputs(shown, names, number, number + 1),
        Panel(f"row {number + 1}: the window, line after line", shown.rows[number][None], grey),
        backward=False,
    )  # fmt: skip


def _backward(shown: Columns, names: Sequence[str], number: int) -> Unfolded:
    count, long = shown.rows.shape
    rows, whole = shown.rows_grad, shown.input_grad(len(shown.rows))
    return Unfolded(
        "Its gradient: rows fold back (col2im)",
        "The gradient at the outputs times the transposed kernels is the rows', added where its window stood.",
        Panel(
            "gradient at the picture", shown.input_grad(number + 1), Shades.of(whole, -np.abs(whole)),
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
