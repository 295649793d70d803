"""Pooling layers, for one and two spatial axes."""

from typing import ClassVar

from mytorch.device import Array
from mytorch.geometry import Size
from mytorch.modes import is_grad_enabled
from mytorch.nn.module import Module
from mytorch.nn.validate import check_input, to_tuple
from mytorch.ops import pool as ops


class _Pool(Module):
    """Base of the pooling layers: kernel_size, stride (by default the kernel size) and padding.

    A subclass sets `axes`, the number of spatial axes, and `shape`, that of its input.
    """

    axes: ClassVar[int]
    shape: ClassVar[str]

    def __init__(self, kernel_size: int | Size, stride: int | Size | None = None, padding: int | Size = 0):
        self.kernel_size = to_tuple(kernel_size, self.axes, "kernel_size", minimum=1)
        self.stride = self.kernel_size if stride is None else to_tuple(stride, self.axes, "stride", minimum=1)
        self.padding = to_tuple(padding, self.axes, "padding")
        if any(2 * p > k for p, k in zip(self.padding, self.kernel_size, strict=True)):
            raise ValueError(
                f"padding={padding} is more than half of kernel_size={kernel_size}: "
                "some windows would contain nothing but padding; use less padding"
            )

    def extra_repr(self) -> str:
        """Return the arguments as PyTorch prints them."""
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class _MaxPool(_Pool):
    """Maximum of each window."""

    def forward(self, x: Array) -> Array:
        """(N, C, *size) -> (N, C, *output size)."""
        check_input(self, x, self.shape)
        y = ops.max_pool(x, self.kernel_size, self.stride, self.padding)
        self.save_for_backward(x, y.copy() if is_grad_enabled() else None, output=y)  # the caller may change y
        return y

    def backward(self, grad: Array) -> Array:
        """(N, C, *output size) -> (N, C, *size)."""
        x, y = self.saved(grad)
        return ops.max_pool_grad(grad, x, y, self.kernel_size, self.stride, self.padding)


class MaxPool1d(_MaxPool):
    """Maximum of each window: (N, C, L) -> (N, C, OL). As torch.nn.MaxPool1d."""

    axes, shape = 1, "(N, C, L)"


class MaxPool2d(_MaxPool):
    """Maximum of each window: (N, C, H, W) -> (N, C, OH, OW). As torch.nn.MaxPool2d."""

    axes, shape = 2, "(N, C, H, W)"


class _AvgPool(_Pool):
    """Mean of each window, including padded zeros."""

    def forward(self, x: Array) -> Array:
        """(N, C, *size) -> (N, C, *output size)."""
        check_input(self, x, self.shape)
        y = ops.avg_pool(x, self.kernel_size, self.stride, self.padding)
        self.save_for_backward(x.shape[2:], output=y)
        return y

    def backward(self, grad: Array) -> Array:
        """(N, C, *output size) -> (N, C, *size)."""
        (size,) = self.saved(grad)
        return ops.avg_pool_grad(grad, size, self.kernel_size, self.stride, self.padding)


class AvgPool1d(_AvgPool):
    """Mean of each window, including padded zeros: (N, C, L) -> (N, C, OL). As torch.nn.AvgPool1d."""

    axes, shape = 1, "(N, C, L)"


class AvgPool2d(_AvgPool):
    """Mean of each window, including padded zeros: (N, C, H, W) -> (N, C, OH, OW). As torch.nn.AvgPool2d."""

    axes, shape = 2, "(N, C, H, W)"


class GlobalAvgPool2d(Module):
    """Mean over all positions: (N, C, H, W) -> (N, C, 1, 1). As torch.nn.AdaptiveAvgPool2d(1)."""

    def forward(self, x: Array) -> Array:
        """(N, C, H, W) -> (N, C, 1, 1)."""
        check_input(self, x, "(N, C, H, W)")
        y = ops.global_avg_pool(x)
        self.save_for_backward(x.shape[2:], output=y)
        return y

    def backward(self, grad: Array) -> Array:
        """(N, C, 1, 1) -> (N, C, H, W)."""
        (size,) = self.saved(grad)
        return ops.global_avg_pool_grad(grad, size)
