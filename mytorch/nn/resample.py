"""Layers that change how many positions there are: interpolation, zeros between, and picking every k-th."""

from collections.abc import Sequence
from typing import ClassVar, Literal

from mytorch.device import Array
from mytorch.geometry import Size
from mytorch.nn.module import Module
from mytorch.nn.validate import check_input, to_tuple
from mytorch.ops import resample as ops

Mode = Literal["nearest", "linear", "bilinear"]
AXES = {"nearest": (1, 2), "linear": (1,), "bilinear": (2,)}
SHAPES = {1: "(N, C, L)", 2: "(N, C, H, W)"}


class Upsample(Module):
    """Interpolation to another size, larger or smaller. As torch.nn.Upsample.

    size: of the output, or else scale_factor: outputs an input; one number for all axes, or one each. mode: "nearest"
    repeats, for (N, C, L) and (N, C, H, W); "linear" and "bilinear" mix neighbors, for the one and the other.
    align_corners: the corner pixels' centers keep their places (True), or the corners' outer edges do (False).
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
            raise ValueError(f"align_corners={align_corners} with mode='nearest': it is for linear and bilinear alone")
        self.mode, self.align_corners = mode, align_corners
        self.size = None if size is None else to_tuple(size, *_count(size), "size", minimum=1)
        self.scale_factor = None if scale_factor is None else _factors(scale_factor)

    def forward(self, x: Array) -> Array:
        """(N, C, *size) -> (N, C, *output size)."""
        axes = AXES[self.mode]
        check_input(self, x, SHAPES[axes[-1] if getattr(x, "ndim", 0) - 2 not in axes else x.ndim - 2])
        tables = tuple(zip(*self._tables(x.shape[2:]), strict=True))
        y = ops.nearest(x, *tables) if self.mode == "nearest" else ops.linear(x, *tables)
        self.save_for_backward(x.shape[2:], tables, output=y)
        return y

    def backward(self, grad: Array) -> Array:
        """The way back."""
        size, tables = self.saved(grad)
        return (ops.nearest_grad if self.mode == "nearest" else ops.linear_grad)(grad, size, *tables)

    def _tables(self, size: Size) -> list[tuple]:
        """For each axis, the tables of its outputs."""
        given = self.size or self.scale_factor or ()
        if len(given) not in (1, len(size)):
            raise ValueError(
                f"Upsample got an image of {size} and has sizes or scale factors for {len(given)} axes: "
                f"give {len(size)} of them, or one for all"
            )
        given = given * len(size) if len(given) == 1 else given
        tables: list[tuple] = []
        for have, want in zip(size, given, strict=True):
            out, scale = (int(want), None) if self.size else (ops.scaled_size(have, want), want)
            if not have or out < 1:
                raise ValueError(
                    f"Upsample of an axis of {have} by {want} leaves nothing: give a larger input or factor"
                )
            if self.mode == "nearest":
                tables.append((ops.nearest_indices(have, out, scale, even=len(size) > 1),))
            else:
                tables.append(ops.linear_neighbors(have, out, scale, bool(self.align_corners)))
        return tables

    def extra_repr(self) -> str:
        """As PyTorch prints it."""
        what = f"size={self.size}" if self.size else f"scale_factor={self.scale_factor}"
        corners = "" if self.align_corners is None else f", align_corners={self.align_corners}"
        return f"{what}, mode={self.mode!r}{corners}"


def _count(size: int | Size) -> tuple[int]:
    return (len(size) if isinstance(size, Sequence) else 1,)


def _factors(scale_factor: float | Sequence[float]) -> tuple[float, ...]:
    factors = tuple(scale_factor) if isinstance(scale_factor, Sequence) else (scale_factor,)
    if not factors or not all(isinstance(factor, int | float) and factor > 0 for factor in factors):
        raise ValueError(f"scale_factor={scale_factor!r}: give numbers above 0, one for all axes or one for each")
    return tuple(map(float, factors))


class _Spaced(Module):
    """What inserting zeros and picking share: a whole factor for each axis."""

    axes: ClassVar[int]
    shape: ClassVar[str]

    def __init__(self, factor: int | Size):
        self.factor = to_tuple(factor, self.axes, "factor", minimum=1)

    def extra_repr(self) -> str:
        """The argument."""
        return f"factor={self.factor}"


class _ZeroUpsample(_Spaced):
    def forward(self, x: Array) -> Array:
        """(N, C, *size) -> (N, C, *(factor (size - 1) + 1))."""
        size = check_input(self, x, self.shape).shape[2:]
        out = tuple(max(0, k * (n - 1) + 1) for k, n in zip(self.factor, size, strict=True))
        y = ops.insert_zeros(x, self.factor, out)
        self.save_for_backward(size, output=y)
        return y

    def backward(self, grad: Array) -> Array:
        """The way back: zeros' gradients go nowhere."""
        (size,) = self.saved(grad)
        return ops.subsample(grad, self.factor, size)


class ZeroUpsample1d(_ZeroUpsample):
    """Zeros between neighbors, factor - 1 of them, none after the last: (N, C, L) -> (N, C, factor (L - 1) + 1).

    The handout's Upsample1d. With a convolution behind it, it makes a transposed convolution.
    """

    axes, shape = 1, "(N, C, L)"


class ZeroUpsample2d(_ZeroUpsample):
    """Zeros between neighboring rows and columns, factor - 1 of them, none after the last.

    The handout's Upsample2d.
    """

    axes, shape = 2, "(N, C, H, W)"


class _Downsample(_Spaced):
    def forward(self, x: Array) -> Array:
        """(N, C, *size) -> (N, C, *ceil(size / factor))."""
        size = check_input(self, x, self.shape).shape[2:]
        y = ops.subsample(x, self.factor, tuple(-(-n // k) for k, n in zip(self.factor, size, strict=True)))
        self.save_for_backward(size, output=y)
        return y

    def backward(self, grad: Array) -> Array:
        """The way back: what was left out gets zeros."""
        (size,) = self.saved(grad)
        return ops.insert_zeros(grad, self.factor, size)


class Downsample1d(_Downsample):
    """Every factor-th position, from the first: (N, C, L) -> (N, C, ceil(L / factor)). The handout's Downsample1d.

    Behind a convolution of stride 1, it makes one of stride `factor`. On the CPU the output is a view of the input.
    """

    axes, shape = 1, "(N, C, L)"


class Downsample2d(_Downsample):
    """Every factor-th row and column, from the first. The handout's Downsample2d. On the CPU a view of the input."""

    axes, shape = 2, "(N, C, H, W)"
