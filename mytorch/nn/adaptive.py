"""Adaptive pooling layers: the output's size is given, and the windows follow."""

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
    """What they share: the output's size, None along an axis leaving that as it is.

    A subclass sets `axes`, the number of spatial axes, and `shape`, that of its input.
    """

    axes: ClassVar[int]
    shape: ClassVar[str]

    def __init__(self, output_size: OutputSize):
        sizes = tuple(output_size) if isinstance(output_size, Sequence) else (output_size,) * self.axes
        if len(sizes) != self.axes or not all(n is None or (isinstance(n, int) and n > 0) for n in sizes):
            raise ValueError(
                f"output_size={output_size!r}: give whole numbers of at least 1, or None to keep an axis as it is, "
                f"{self.axes} of them or one for all"
            )
        self.output_size = sizes

    def out(self, x: Array) -> Size:
        """The output's spatial size for `x`, looked over."""
        check_input(self, x, self.shape)
        return tuple(have if want is None else want for have, want in zip(x.shape[2:], self.output_size, strict=True))

    def extra_repr(self) -> str:
        """As PyTorch prints it."""
        return f"output_size={self.output_size}"


class _AdaptiveAvgPool(_AdaptivePool):
    def forward(self, x: Array) -> Array:
        """(N, C, *size) -> (N, C, *output_size)."""
        y = ops.adaptive_avg_pool(x, self.out(x))
        self.save_for_backward(x.shape[2:], output=y)
        return y

    def backward(self, grad: Array) -> Array:
        """The way back."""
        (size,) = self.saved(grad)
        return ops.adaptive_avg_pool_grad(grad, size)


class AdaptiveAvgPool1d(_AdaptiveAvgPool):
    """Mean of each window: (N, C, L) -> (N, C, output_size). As torch.nn.AdaptiveAvgPool1d."""

    axes, shape = 1, "(N, C, L)"


class AdaptiveAvgPool2d(_AdaptiveAvgPool):
    """Mean of each window: (N, C, H, W) -> (N, C, *output_size). As torch.nn.AdaptiveAvgPool2d."""

    axes, shape = 2, "(N, C, H, W)"


class AdaptiveMaxPool2d(_AdaptivePool):
    """Largest value of each window: (N, C, H, W) -> (N, C, *output_size). As torch.nn.AdaptiveMaxPool2d."""

    axes, shape = 2, "(N, C, H, W)"

    def forward(self, x: Array) -> Array:
        """(N, C, H, W) -> (N, C, *output_size)."""
        y = ops.adaptive_max_pool(x, self.out(x))
        self.save_for_backward(x, y.copy() if is_grad_enabled() else None, output=y)  # the caller may change y
        return y

    def backward(self, grad: Array) -> Array:
        """The way back."""
        x, y = self.saved(grad)
        return ops.adaptive_max_pool_grad(grad, x, y)
