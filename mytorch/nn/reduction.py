"""Means and sums over axes as layers."""

from collections.abc import Sequence
from math import prod

from mytorch.device import Array, get_array_module
from mytorch.geometry import Size, empty, empty_channels_last
from mytorch.nn.module import Module
from mytorch.nn.shape import _axes
from mytorch.nn.validate import check_input
from mytorch.ops.reduce import spatial_sum


class _Reduction(Module):
    """Base of the layers that reduce the axes `dim`, all of them by default; with keepdim they stay, of length 1."""

    def __init__(self, dim: int | Sequence[int] | None = None, keepdim: bool = False):
        self.dim = dim if dim is None or isinstance(dim, int) else tuple(dim)
        self.keepdim = bool(keepdim)

    def forward(self, x: Array) -> Array:
        """Any shape, to that without the axes `dim`, or with 1 for each. Sums are computed in float64."""
        check_input(self, x, "(*)")
        axes = _axes(self, range(x.ndim) if self.dim is None else self.dim, x, scalar=True)
        kept = tuple(1 if axis in axes else length for axis, length in enumerate(x.shape))
        y = self._reduce(x, axes).astype(x.dtype)
        y = y.reshape(kept if self.keepdim else [n for axis, n in enumerate(x.shape) if axis not in axes])
        self.save_for_backward(x.shape, axes, kept, output=y)
        return y

    def _reduce(self, x: Array, axes: Size) -> Array:
        raise TypeError(f"{type(self).__name__} has no _reduce: define _reduce(self, x, axes) in your subclass")

    def extra_repr(self) -> str:
        """Return the arguments."""
        return f"dim={self.dim}, keepdim={self.keepdim}"


class Mean(_Reduction):
    """The mean over the axes `dim`, all of them by default; with keepdim they stay, of length 1. As torch.mean."""

    def _reduce(self, x: Array, axes: Size) -> Array:
        if x.ndim > 2 and sorted(axes) == list(range(2, x.ndim)):
            return spatial_sum(x) / prod(x.shape[2:])
        return get_array_module(x).mean(x, axis=axes, dtype="d", keepdims=True)

    def backward(self, grad: Array) -> Array:
        """Return the gradient at x: every element of a mean gets the same part."""
        shape, axes, kept = self.saved(grad)
        grad_x = empty_channels_last(shape, grad) if len(shape) > 2 else empty(shape, grad)
        grad_x[...] = grad.reshape(kept) / prod(shape[axis] for axis in axes)
        return grad_x


class Sum(_Reduction):
    """The sum over the axes `dim`, all of them by default; with keepdim they stay, of length 1. As torch.sum."""

    def _reduce(self, x: Array, axes: Size) -> Array:
        return get_array_module(x).sum(x, axis=axes, dtype="d", keepdims=True)

    def backward(self, grad: Array) -> Array:
        """Return the gradient at x: every element of a sum gets all of it."""
        shape, _, kept = self.saved(grad)
        return get_array_module(grad).broadcast_to(grad.reshape(kept), shape).copy()
