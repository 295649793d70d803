"""Adaptive pooling layers: the output size is given, and the windows follow from it."""

from collections.abc import Sequence
from typing import ClassVar

from mytorch.device import Array
from mytorch.geometry import Size
from mytorch.modes import is_grad_enabled
from mytorch.nn.module import Module
from mytorch.nn.validate import check_input
from mytorch.ops import adaptive as ops

OutputSize = int | None | Sequence[int | None]


class _AdaptivePool(Module):
    """Base of the adaptive pooling layers. output_size: None keeps the size of an axis.

    A subclass sets `axes`, the number of spatial axes, and `shape`, that of its input.
    """

    axes: ClassVar[int]
    shape: ClassVar[str]

    def __init__(self, output_size: OutputSize):
        sizes = tuple(output_size) if isinstance(output_size, Sequence) else (output_size,) * self.axes
        if len(sizes) != self.axes or not all(n is None or (isinstance(n, int) and n > 0) for n in sizes):
            raise ValueError(
                f"output_size={output_size!r}: give whole numbers of at least 1, or None to keep the size of an axis, "
                f"{self.axes} of them or one for all"
            )
        self.output_size = sizes

    def _check(self, x: Array) -> Size:
        """Check `x`, and return the spatial size of its output."""
        check_input(self, x, self.shape)
        return tuple(n if out is None else out for n, out in zip(x.shape[2:], self.output_size, strict=True))

    def extra_repr(self) -> str:
        """Return the arguments as PyTorch prints them."""
        return f"output_size={self.output_size}"


class _AdaptiveAvgPool(_AdaptivePool):
    def forward(self, x: Array) -> Array:
        """(N, C, *size) -> (N, C, *output_size)."""
        y = ops.adaptive_avg_pool(x, self._check(x))
        self.save_for_backward(x.shape[2:], output=y)
        return y

    def backward(self, grad: Array) -> Array:
        """(N, C, *output_size) -> (N, C, *size)."""
        (size,) = self.saved(grad)
        return ops.adaptive_avg_pool_grad(grad, size)


class AdaptiveAvgPool1d(_AdaptiveAvgPool):
    """Mean of each window: (N, C, L) -> (N, C, output_size). As torch.nn.AdaptiveAvgPool1d."""

    axes, shape = 1, "(N, C, L)"


class AdaptiveAvgPool2d(_AdaptiveAvgPool):
    """Mean of each window: (N, C, H, W) -> (N, C, *output_size). As torch.nn.AdaptiveAvgPool2d."""

    axes, shape = 2, "(N, C, H, W)"


class AdaptiveMaxPool2d(_AdaptivePool):
    """Maximum of each window: (N, C, H, W) -> (N, C, *output_size). As torch.nn.AdaptiveMaxPool2d."""

    axes, shape = 2, "(N, C, H, W)"

    def forward(self, x: Array) -> Array:
        """(N, C, H, W) -> (N, C, *output_size)."""
        y = ops.adaptive_max_pool(x, self._check(x))
        self.save_for_backward(x, y.copy() if is_grad_enabled() else None, output=y)  # the caller may change y
        return y

    def backward(self, grad: Array) -> Array:
        """(N, C, *output_size) -> (N, C, H, W)."""
        x, y = self.saved(grad)
        return ops.adaptive_max_pool_grad(grad, x, y)
