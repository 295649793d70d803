"""Layers that change the number of positions: interpolation, zero insertion, and subsampling."""

from collections.abc import Sequence
from typing import ClassVar, Literal

from mytorch.device import Array
from mytorch.geometry import Size
from mytorch.nn.module import Module
from mytorch.nn.validate import check_input, to_tuple
from mytorch.ops import resample as ops

Mode = Literal["nearest", "linear", "bilinear"]
AXES = {"nearest": (1, 2), "linear": (1,), "bilinear": (2,)}
"""The numbers of spatial axes that each mode accepts."""
SHAPES = {1: "(N, C, L)", 2: "(N, C, H, W)"}


class Upsample(Module):
    """Interpolation to another size, larger or smaller. As torch.nn.Upsample.

    size: of the output. scale_factor: outputs per input, instead of a size. Both are one number for all axes, or one
    each. mode: "nearest" copies the nearest pixel, of (N, C, L) and (N, C, H, W); "linear" interpolates (N, C, L),
    "bilinear" (N, C, H, W). align_corners: the centers of the corner pixels coincide (True), or their outer edges
    do (False).
    """

    def __init__(
        self,
        size: int | Size | None = None,
        scale_factor: float | Sequence[float] | None = None,
        mode: Mode = "nearest",
        align_corners: bool | None = None,
    ):
        if (size is None) == (scale_factor is None):
            raise ValueError(f"size={size!r}, scale_factor={scale_factor!r}: give one of them and not the other")
        if mode not in AXES:
            raise ValueError(f"mode={mode!r}: expected one of {sorted(AXES)}")
        if mode == "nearest" and align_corners is not None:
            raise ValueError(f"align_corners={align_corners} with mode='nearest': use it with linear and bilinear only")
        self.mode, self.align_corners = mode, align_corners
        count = len(size) if isinstance(size, Sequence) else 1
        self.size = None if size is None else to_tuple(size, count, "size", minimum=1)
        self.scale_factor = None if scale_factor is None else _check_factors(scale_factor)

    def forward(self, x: Array) -> Array:
        """(N, C, *size) -> (N, C, *output size)."""
        axes = AXES[self.mode]
        check_input(self, x, SHAPES[axes[-1] if getattr(x, "ndim", 0) - 2 not in axes else x.ndim - 2])
        tables = tuple(zip(*self._tables(x.shape[2:]), strict=True))
        y = ops.nearest(x, *tables) if self.mode == "nearest" else ops.linear(x, *tables)
        self.save_for_backward(x.shape[2:], tables, output=y)
        return y

    def backward(self, grad: Array) -> Array:
        """(N, C, *output size) -> (N, C, *size)."""
        size, tables = self.saved(grad)
        return (ops.nearest_grad if self.mode == "nearest" else ops.linear_grad)(grad, size, *tables)

    def _tables(self, size: Size) -> list[tuple]:
        """Return, for each axis, the tables that say which inputs each output uses."""
        given = self.size or self.scale_factor or ()
        if len(given) not in (1, len(size)):
            raise ValueError(
                f"Upsample got an image of {size} and has sizes or scale factors for {len(given)} axes: "
                f"give {len(size)} of them, or one for all"
            )
        given = given * len(size) if len(given) == 1 else given
        tables: list[tuple] = []
        for n, size_or_factor in zip(size, given, strict=True):
            if self.size:
                out, scale = int(size_or_factor), None
            else:
                out, scale = ops.scaled_size(n, size_or_factor), size_or_factor
            if not n or out < 1:
                raise ValueError(
                    f"Upsample of an axis of {n} by {size_or_factor} leaves nothing: give a larger input or factor"
                )
            if self.mode == "nearest":
                tables.append((ops.nearest_indices(n, out, scale, even=len(size) > 1),))
            else:
                tables.append(ops.linear_neighbors(n, out, scale, bool(self.align_corners)))
        return tables

    def extra_repr(self) -> str:
        """Return the arguments as PyTorch prints them."""
        what = f"size={self.size}" if self.size else f"scale_factor={self.scale_factor}"
        corners = "" if self.align_corners is None else f", align_corners={self.align_corners}"
        return f"{what}, mode={self.mode!r}{corners}"


def _check_factors(scale_factor: float | Sequence[float]) -> tuple[float, ...]:
    factors = tuple(scale_factor) if isinstance(scale_factor, Sequence) else (scale_factor,)
    if not factors or not all(isinstance(factor, int | float) and factor > 0 for factor in factors):
        raise ValueError(f"scale_factor={scale_factor!r}: give numbers above 0, one for all axes or one for each")
    return tuple(map(float, factors))


class _IntegerFactor(Module):
    """Base of zero insertion and subsampling: an integer factor for each axis."""

    axes: ClassVar[int]
    shape: ClassVar[str]

    def __init__(self, factor: int | Size):
        self.factor = to_tuple(factor, self.axes, "factor", minimum=1)

    def extra_repr(self) -> str:
        """Return the argument."""
        return f"factor={self.factor}"


class _ZeroUpsample(_IntegerFactor):
    def forward(self, x: Array) -> Array:
        """(N, C, *size) -> (N, C, *(factor (size - 1) + 1))."""
        size = check_input(self, x, self.shape).shape[2:]
        out = tuple(max(0, k * (n - 1) + 1) for k, n in zip(self.factor, size, strict=True))
        y = ops.insert_zeros(x, self.factor, out)
        self.save_for_backward(size, output=y)
        return y

    def backward(self, grad: Array) -> Array:
        """(N, C, *(factor (size - 1) + 1)) -> (N, C, *size). The gradients of the zeros are dropped."""
        (size,) = self.saved(grad)
        return ops.subsample(grad, self.factor, size)


class ZeroUpsample1d(_ZeroUpsample):
    """Insert factor - 1 zeros between neighbors, none after the last: (N, C, L) -> (N, C, factor (L - 1) + 1).

    It is the handout's Upsample1d. Followed by a convolution, it is a transposed convolution.
    """

    axes, shape = 1, "(N, C, L)"


class ZeroUpsample2d(_ZeroUpsample):
    """Insert factor - 1 rows and columns of zeros between neighbors, none after the last.

    It is the handout's Upsample2d.
    """

    axes, shape = 2, "(N, C, H, W)"


class _Downsample(_IntegerFactor):
    def forward(self, x: Array) -> Array:
        """(N, C, *size) -> (N, C, *ceil(size / factor))."""
        size = check_input(self, x, self.shape).shape[2:]
        y = ops.subsample(x, self.factor, tuple(-(-n // k) for k, n in zip(self.factor, size, strict=True)))
        self.save_for_backward(size, output=y)
        return y

    def backward(self, grad: Array) -> Array:
        """(N, C, *ceil(size / factor)) -> (N, C, *size). Positions that were left out get zeros."""
        (size,) = self.saved(grad)
        return ops.insert_zeros(grad, self.factor, size)


class Downsample1d(_Downsample):
    """Keep every factor-th position, from the first: (N, C, L) -> (N, C, ceil(L / factor)).

    It is the handout's Downsample1d. After a convolution with stride 1, it makes one with stride `factor`. On the CPU
    the output is a view of the input.
    """

    axes, shape = 1, "(N, C, L)"


class Downsample2d(_Downsample):
    """Keep every factor-th row and column, from the first. It is the handout's Downsample2d, on the CPU a view."""

    axes, shape = 2, "(N, C, H, W)"
