"""Layers that change the number of positions: interpolation, zero insertion, and subsampling."""

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import numpy as np

from mytorch.device import Array
from mytorch.geometry import Size
from mytorch.nn.module import Module
from mytorch.nn.spatial import SHAPES
from mytorch.nn.validate import check_input, to_tuple
from mytorch.ops import resample as ops
from mytorch.ops.interpolate import AXES, interpolate, interpolate_grad

Mode = Literal["nearest", "nearest-exact", "linear", "bilinear", "trilinear", "bicubic", "area"]


class Upsample(Module):
    """Interpolation to another size, larger or smaller. As torch.nn.Upsample and torch.nn.functional.interpolate.

    size: of the output. scale_factor: outputs per input, instead of a size. Both are one number for all axes, or one
    each. mode: "nearest", "nearest-exact" and "area" (the mean of the pixels that an output covers) for (N, C, L),
    (N, C, H, W) and (N, C, D, H, W); "linear" for one axis, "bilinear" and "bicubic" for two, "trilinear" for three.
    align_corners: the centers of the corner pixels coincide (True), or their outer edges do (False).
    recompute_scale_factor: use a scale factor for the output size only. antialias: smooth where the image shrinks, with
    "bilinear" and "bicubic", as Pillow does.
    """

    def __init__(
        self,
        size: int | Size | None = None,
        scale_factor: float | Sequence[float] | None = None,
        mode: Mode = "nearest",
        align_corners: bool | None = None,
        recompute_scale_factor: bool | None = None,
        *,
        antialias: bool = False,
    ):
        if (size is None) == (scale_factor is None):
            raise ValueError(f"size={size!r}, scale_factor={scale_factor!r}: give one of them and not the other")
        if mode not in AXES:
            raise ValueError(f"mode={mode!r}: expected one of {sorted(AXES)}")
        if align_corners is not None and not mode.endswith(("linear", "cubic")):
            raise ValueError(
                f"align_corners={align_corners} with mode={mode!r}: use it with linear and cubic modes only"
            )
        if antialias and mode not in ("bilinear", "bicubic"):
            raise ValueError(f"antialias=True with mode={mode!r}: use it with bilinear and bicubic only")
        if recompute_scale_factor and scale_factor is None:
            raise ValueError(f"recompute_scale_factor=True with size={size!r}: use it with scale_factor only")
        self.mode, self.align_corners, self.antialias = mode, align_corners, antialias
        self.recompute_scale_factor = recompute_scale_factor
        self.size: int | Size | None = size
        if size is not None:
            sizes = to_tuple(size, len(size) if isinstance(size, Sequence) else 1, "size", minimum=1)
            self.size = sizes if isinstance(size, Sequence) else sizes[0]
        self.scale_factor = None if scale_factor is None else _check_factors(scale_factor)

    def forward(self, input: Array) -> Array:
        """(N, C, *size) -> (N, C, *output size)."""
        axes = AXES[self.mode]
        count = getattr(input, "ndim", 0) - 2
        x = check_input(self, input, SHAPES[count if count in axes else axes[len(axes) // 2]])
        out, scales = self._out(x.shape[2:])
        y = interpolate(x, out, self.mode, scales, bool(self.align_corners), self.antialias)
        self.save_for_backward(x.shape[2:], scales, output=y)
        return y

    def backward(self, grad: Array) -> Array:
        """(N, C, *output size) -> (N, C, *size)."""
        size, scales = self.saved(grad)
        return interpolate_grad(grad, size, self.mode, scales, bool(self.align_corners), self.antialias)

    def _out(self, size: Size) -> tuple[Size, tuple[float | None, ...]]:
        """Return the output size, and the scale of each axis, None if it follows from the sizes."""
        given: Any = self.scale_factor if self.size is None else self.size
        one_each: tuple[Any, ...] = tuple(given) if isinstance(given, Sequence) else (given,) * len(size)
        if len(one_each) != len(size):
            raise ValueError(
                f"{type(self).__name__} got an image of {size} and has sizes or scale factors for {len(one_each)} "
                f"axes: give {len(size)} of them, or one for all"
            )
        if self.size is not None:
            return tuple(map(int, one_each)), (None,) * len(size)
        out = tuple(map(ops.scaled_size, size, one_each))
        for n, o, factor in zip(size, out, one_each, strict=True):
            if o < 1:
                raise ValueError(
                    f"{type(self).__name__} of an axis of {n} by {factor} leaves nothing: give a larger input or factor"
                )
        return out, (None,) * len(size) if self.recompute_scale_factor else one_each

    def extra_repr(self) -> str:
        """Return the arguments as PyTorch prints them."""
        what = f"scale_factor={self.scale_factor}" if self.size is None else f"size={self.size}"
        corners = "" if self.align_corners is None else f", align_corners={self.align_corners}"
        return f"{what}, mode={self.mode!r}{corners}" + (", antialias=True" if self.antialias else "")


class UpsamplingNearest2d(Upsample):
    """Copy the nearest pixel: (N, C, H, W) -> (N, C, OH, OW). As torch.nn.UpsamplingNearest2d."""

    def __init__(self, size: int | Size | None = None, scale_factor: float | Sequence[float] | None = None):
        super().__init__(size, scale_factor, "nearest")


class UpsamplingBilinear2d(Upsample):
    """Interpolate between four pixels, with aligned corners: (N, C, H, W) -> (N, C, OH, OW).

    As torch.nn.UpsamplingBilinear2d.
    """

    def __init__(self, size: int | Size | None = None, scale_factor: float | Sequence[float] | None = None):
        super().__init__(size, scale_factor, "bilinear", align_corners=True)


def _check_factors(scale_factor: float | Sequence[float]) -> float | tuple[float, ...]:
    factors = tuple(scale_factor) if isinstance(scale_factor, Sequence) else (scale_factor,)
    if not factors or not all(isinstance(factor, int | float | np.number) and factor > 0 for factor in factors):
        raise ValueError(f"scale_factor={scale_factor!r}: give numbers above 0, one for all axes or one for each")
    return tuple(map(float, factors)) if isinstance(scale_factor, Sequence) else float(factors[0])


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
