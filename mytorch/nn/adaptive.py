"""Adaptive pooling layers: the output size is given, and the windows follow from it."""

from collections.abc import Sequence

import numpy as np

from mytorch.device import Array
from mytorch.geometry import Size
from mytorch.modes import is_grad_enabled
from mytorch.nn.spatial import SpatialLayer, unbatched_backward, unbatched_forward
from mytorch.ops import adaptive as ops
from mytorch.ops.blockwise import copied
from mytorch.ops.unpool import adaptive_max_pool_indices

OutputSize = int | None | Sequence[int | None]


class _AdaptivePool(SpatialLayer):
    """Base of the adaptive pooling layers. output_size: None keeps the size of an axis."""

    def __init__(self, output_size: OutputSize):
        sizes = tuple(output_size) if isinstance(output_size, Sequence) else (output_size,) * self.axes
        if len(sizes) != self.axes or not all(n is None or (isinstance(n, int | np.integer) and n > 0) for n in sizes):
            raise ValueError(
                f"output_size={output_size!r}: give whole numbers of at least 1, or None to keep the size of an axis, "
                f"{self.axes} of them or one for all"
            )
        self.output_size = tuple(None if n is None else int(n) for n in sizes)

    def _out(self, x: Array) -> Size:
        """Return the spatial size of the output for `x`."""
        return tuple(n if out is None else out for n, out in zip(x.shape[2:], self.output_size, strict=True))

    def extra_repr(self) -> str:
        """Return the arguments as PyTorch prints them."""
        return f"output_size={self.output_size}"


class _AdaptiveAvgPool(_AdaptivePool):
    @unbatched_forward
    def forward(self, input: Array) -> Array:
        """(N, C, *size) -> (N, C, *output_size)."""
        x = self.check_input(input)
        y = ops.adaptive_avg_pool(x, self._out(x))
        self.save_for_backward(x.shape[2:], output=y)
        return y

    @unbatched_backward
    def backward(self, grad: Array) -> Array:
        """(N, C, *output_size) -> (N, C, *size)."""
        (size,) = self.saved(grad)
        return ops.adaptive_avg_pool_grad(grad, size)


class AdaptiveAvgPool1d(_AdaptiveAvgPool):
    """Mean of each window: (N, C, L) or (C, L) -> (N, C, output_size). As torch.nn.AdaptiveAvgPool1d."""

    axes = 1


class AdaptiveAvgPool2d(_AdaptiveAvgPool):
    """Mean of each window: (N, C, H, W) or (C, H, W) -> (N, C, *output_size). As torch.nn.AdaptiveAvgPool2d."""

    axes = 2


class AdaptiveAvgPool3d(_AdaptiveAvgPool):
    """Mean of each window: (N, C, D, H, W) or (C, D, H, W) -> (N, C, *output_size). As torch.nn.AdaptiveAvgPool3d."""

    axes = 3


class _AdaptiveMaxPool(_AdaptivePool):
    """Maximum of each window. return_indices: forward returns the maxima and where they are, as `MaxPool2d` does."""

    def __init__(self, output_size: OutputSize, return_indices: bool = False):
        super().__init__(output_size)
        self.return_indices = return_indices

    @unbatched_forward
    def forward(self, input: Array) -> Array | tuple[Array, Array]:
        """(N, C, *size) -> (N, C, *output_size), and the indices with return_indices."""
        x = self.check_input(input)
        y = ops.adaptive_max_pool(x, self._out(x))
        self.save_for_backward(x, copied(y) if is_grad_enabled() else None, output=y)  # the caller may change y
        return (y, adaptive_max_pool_indices(x, y)) if self.return_indices else y

    @unbatched_backward
    def backward(self, grad: Array) -> Array:
        """(N, C, *output_size) -> (N, C, *size)."""
        x, y = self.saved(grad)
        return ops.adaptive_max_pool_grad(grad, x, y)


class AdaptiveMaxPool1d(_AdaptiveMaxPool):
    """Maximum of each window: (N, C, L) or (C, L) -> (N, C, output_size). As torch.nn.AdaptiveMaxPool1d."""

    axes = 1


class AdaptiveMaxPool2d(_AdaptiveMaxPool):
    """Maximum of each window: (N, C, H, W) or (C, H, W) -> (N, C, *output_size). As torch.nn.AdaptiveMaxPool2d."""

    axes = 2


class AdaptiveMaxPool3d(_AdaptiveMaxPool):
    """Maximum of each window: (N, C, D, H, W) or (C, D, H, W) -> (N, C, *output_size).

    As torch.nn.AdaptiveMaxPool3d.
    """

    axes = 3
