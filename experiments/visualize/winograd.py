"""Winograd's convolution: tile and kernel are transformed, multiplied element by element, and transformed back."""

from dataclasses import dataclass
from functools import partial

import numpy as np

from experiments.errors import FacesError
from experiments.plots.style import BLUE, GRAY, ORANGE
from experiments.visualize.film import Film, Panel, Shades, Stage, Window, make_acts, row_and_column
from mytorch.ops.toom_cook import toom_cook
from mytorch.ops.winograd import winograd_conv

SIZE = (12.3, 6.9)
OUTPUTS = 4
"""Outputs of a tile along each axis."""

INPUTS, KERNEL, BACK = toom_cook(OUTPUTS, 3)
"""B^T, G and A^T: the input transform, the kernel transform and the output transform."""

SEEN = len(INPUTS)
"""Inputs of a tile along each axis."""

PRODUCTS, BY_DEFINITION = SEEN * SEEN, OUTPUTS * OUTPUTS * 9
"""Multiplications of a tile: Winograd's, and nine per output."""


class Tiles:
    """An image x (H, W) and a 3x3 kernel: the output y (OH, OW) of mytorch, and the tiles it was made from.

    Raises FacesError where no window fits, or for a kernel of another size.
    """

    def __init__(self, x: np.ndarray, kernel: np.ndarray, padding: int = 0):
        if kernel.shape != (3, 3):
            raise FacesError(f"--kernel of {kernel.shape[0]} x {kernel.shape[1]}: expected 3 x 3 for Winograd's tiles")
        if min(x.shape) + 2 * padding < 3:
            raise FacesError(f"--size: a window of 3 does not fit {min(x.shape)} pixels")
        self.x, self.kernel, self.padding = x, kernel, padding
        self.y = winograd_conv(x[None, None].astype(np.float32), kernel[None, None], None, (padding, padding))[0, 0]
        self.grid = tuple(-(-n // OUTPUTS) for n in self.y.shape)
        room = [OUTPUTS * n + 2 - (size + padding) for n, size in zip(self.grid, x.shape, strict=True)]
        self.around = np.pad(x, [(padding, max(padding, more)) for more in room])

    def window(self, number: int) -> Window:
        """Return the pixels of a tile; neighbors share two rows or columns."""
        row, column = row_and_column(number, self.grid[1])
        return row * OUTPUTS, column * OUTPUTS, SEEN, SEEN

    def tile(self, number: int) -> np.ndarray:
        """Return the pixels of a tile, (6, 6)."""
        row, column, rows, columns = self.window(number)
        return self.around[row : row + rows, column : column + columns]

    def transformed(self, number: int) -> np.ndarray:
        """Return B^T d B, (6, 6)."""
        return INPUTS @ self.tile(number) @ INPUTS.T

    @property
    def transformed_kernel(self) -> np.ndarray:
        """Return G g G^T, (6, 6)."""
        return KERNEL @ self.kernel @ KERNEL.T

    def products(self, number: int) -> np.ndarray:
        """Return the elementwise products, (6, 6)."""
        return self.transformed(number) * self.transformed_kernel

    def outputs(self, number: int) -> np.ndarray:
        """Return A^T m A, (4, 4): pixels of y, and perhaps more beyond its edge."""
        return BACK @ self.products(number) @ BACK.T

    def finished(self, done: int) -> np.ndarray:
        """Return the pixels of y that the first `done` tiles make; the others are NaN."""
        shown = np.full(self.y.shape, np.nan, self.y.dtype)
        for number in range(done):
            part = self._outputs_of(number)
            shown[part] = self.y[part]
        return shown

    def _outputs_of(self, number: int) -> tuple[slice, slice]:
        row, column = row_and_column(number, self.grid[1])
        return slice(OUTPUTS * row, OUTPUTS * (row + 1)), slice(OUTPUTS * column, OUTPUTS * (column + 1))


@dataclass(frozen=True)
class Tiled:
    """A step: one tile, its transforms and its products."""

    image: Panel
    output: Panel
    tile: Panel
    kernel: Panel
    transformed: Panel
    transformed_kernel: Panel
    products: Panel
    outputs: Panel
    tiles: int

    def draw(self, stage: Stage) -> None:
        """Draw image and output left, the transforms right of them, and below the multiplications so far."""
        stage.write_heading(
            "Winograd's convolution, F(4x4, 3x3)",
            "Tile and kernel become values of polynomials at six points per axis, where a product is elementwise.",
        )
        stage.draw_panel((0.3, 1.15, 2.45, 2.45), self.image)
        stage.draw_panel((0.3, 4.1, 2.45, 2.45), self.output)
        up, down, side = 1.15, 3.7, 2.0
        stage.draw_panel((3.1, up, side, side), self.tile)
        stage.draw_panel((3.45, down + 0.35, 1.3, 1.3), self.kernel)
        for middle, words in ((up + side / 2, "Bᵀ d B"), (down + side / 2, "G g Gᵀ")):
            stage.write_sign(5.45, middle, "→")
            stage.write(5.45, middle + 0.13, words, 8.5, "center")
        stage.draw_panel((5.8, up, side, side), self.transformed)
        stage.draw_panel((5.8, down, side, side), self.transformed_kernel)
        center = (up + down + side) / 2
        stage.write_sign(5.8 + side / 2, (up + side + down) / 2 - 0.09, "×")
        stage.write_sign(7.98, center, "=")
        stage.draw_panel((8.15, center - side / 2, side, side), self.products)
        stage.write_sign(10.45, center, "→")
        stage.write(10.45, center + 0.13, "Aᵀ m A", 8.5, "center")
        stage.draw_panel((10.73, center - 0.65, 1.3, 1.3), self.outputs)
        self._count(stage)

    def _count(self, stage: Stage) -> None:
        """Draw two bars: Winograd's multiplications so far, and the definition's."""
        ours, theirs = self.tiles * PRODUCTS, self.tiles * BY_DEFINITION
        stage.write(3.1, 5.92, f"Multiplications after {self.tiles} tile{'s' * (self.tiles > 1)}", 10, weight="bold")
        axis = stage.add_axes((4.5, 6.18, 5.6, 0.55))
        axis.barh([1, 0], [ours, theirs], color=[ORANGE, GRAY], height=0.72)
        axis.set(xlim=(0, theirs), ylim=(-0.5, 1.5), xticks=[], yticks=[])
        axis.spines[:].set_visible(False)
        for row, (name, count) in enumerate((("Winograd", ours), ("by definition", theirs))):
            stage.write(4.42, 6.23 + 0.27 * row, name, 9.5, "right")
            where = 4.5 + 5.6 * count / theirs + 0.08
            stage.write(where, 6.23 + 0.27 * row, f"{count:,}" + (", a quarter" if row == 0 else ""), 9.5)


def make_film(x: np.ndarray, kernel: np.ndarray, padding: int = 0, frames: int = 48) -> Film:
    """Return the film of an image (H, W) convolved tile by tile."""
    shown = Tiles(x, kernel, padding)
    count = shown.grid[0] * shown.grid[1]
    middle = min(count - 1, (shown.grid[0] // 2) * shown.grid[1] + shown.grid[1] // 2)
    return make_acts(count, frames, [partial(_step, shown)], middle, SIZE)


def _step(shown: Tiles, number: int) -> Tiled:
    row, column, *_ = shown.window(number)
    rows, columns = (min(OUTPUTS, n - first) for n, first in zip(shown.y.shape, (row, column), strict=True))
    gray, signed = Shades.of(shown.around), Shades.of(shown.y)
    every = [shown.transformed(n) for n in range(shown.grid[0] * shown.grid[1])]
    transformed, kernel = Shades.of(*every), shown.transformed_kernel
    products = Shades.of(*(some * kernel for some in every))
    return Tiled(
        Panel("image: tiles overlap by two", shown.around, gray, shown.window(number)),
        Panel("output", shown.finished(number + 1), signed, (row, column, rows, columns), frame=BLUE),
        Panel("tile d, 6 x 6", shown.tile(number), gray),
        Panel("kernel g, 3 x 3", shown.kernel, Shades.of(shown.kernel)),
        Panel("tile, transformed", shown.transformed(number), transformed),
        Panel("kernel, transformed", kernel, Shades.of(kernel)),
        Panel(f"m: {PRODUCTS} products", shown.products(number), products),
        Panel(f"{OUTPUTS} x {OUTPUTS} outputs", shown.outputs(number), signed),
        number + 1,
    )
