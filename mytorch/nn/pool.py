"""Pooling layers."""

from mytorch.device import Array
from mytorch.geometry import Size
from mytorch.nn.checks import expect, numbers
from mytorch.nn.module import Module
from mytorch.ops import pool as ops


class _Pool2d(Module):
    """What the pooling layers share: a window, its stride (the window's own size by default) and padding."""

    def __init__(self, kernel_size: int | Size, stride: int | Size | None = None, padding: int | Size = 0):
        self.kernel_size = numbers(kernel_size, 2, "kernel_size", least=1)
        self.stride = self.kernel_size if stride is None else numbers(stride, 2, "stride", least=1)
        self.padding = numbers(padding, 2, "padding")
        if any(2 * p > k for p, k in zip(self.padding, self.kernel_size, strict=True)):
            raise ValueError(
                f"padding={padding} is more than half of kernel_size={kernel_size}: "
                "some windows would see nothing but padding; use less padding"
            )

    def extra_repr(self) -> str:
        """As PyTorch prints it."""
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class MaxPool2d(_Pool2d):
    """Largest value of each window: (N, C, H, W) -> (N, C, OH, OW). As torch.nn.MaxPool2d."""

    def forward(self, x: Array) -> Array:
        """(N, C, H, W) -> (N, C, OH, OW)."""
        expect(self, x, "(N, C, H, W)")
        y = ops.max_pool(x, self.kernel_size, self.stride, self.padding)
        self.keep(x, y, output=y)
        return y

    def backward(self, grad: Array) -> Array:
        """(N, C, OH, OW) -> (N, C, H, W)."""
        x, y = self.kept(grad)
        return ops.max_pool_grad(grad, x, y, self.kernel_size, self.stride, self.padding)


class AvgPool2d(_Pool2d):
    """Mean of each window, padded zeros included: (N, C, H, W) -> (N, C, OH, OW). As torch.nn.AvgPool2d."""

    def forward(self, x: Array) -> Array:
        """(N, C, H, W) -> (N, C, OH, OW)."""
        expect(self, x, "(N, C, H, W)")
        y = ops.avg_pool(x, self.kernel_size, self.stride, self.padding)
        self.keep(x.shape[2:], output=y)
        return y

    def backward(self, grad: Array) -> Array:
        """(N, C, OH, OW) -> (N, C, H, W)."""
        (size,) = self.kept(grad)
        return ops.avg_pool_grad(grad, size, self.kernel_size, self.stride, self.padding)


class GlobalAvgPool2d(Module):
    """Mean over all positions: (N, C, H, W) -> (N, C, 1, 1). As torch.nn.AdaptiveAvgPool2d(1)."""

    def forward(self, x: Array) -> Array:
        """(N, C, H, W) -> (N, C, 1, 1)."""
        expect(self, x, "(N, C, H, W)")
        y = ops.global_avg_pool(x)
        self.keep(x.shape[2:], output=y)
        return y

    def backward(self, grad: Array) -> Array:
        """(N, C, 1, 1) -> (N, C, H, W)."""
        (size,) = self.kept(grad)
        return ops.global_avg_pool_grad(grad, size)
