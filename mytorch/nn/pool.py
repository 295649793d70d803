"""Pooling layers, for one to three spatial axes."""

from math import prod

from mytorch.device import Array
from mytorch.geometry import Size
from mytorch.modes import is_grad_enabled
from mytorch.nn.module import Module
from mytorch.nn.spatial import SpatialLayer, unbatched_backward, unbatched_forward
from mytorch.nn.validate import check_input, to_tuple
from mytorch.ops import pool as ops
from mytorch.ops.blockwise import copied
from mytorch.ops.unpool import max_pool_indices


class _Pool(SpatialLayer):
    """Base of the pooling layers: kernel_size, stride (by default the kernel size), padding, dilation and ceil_mode.

    ceil_mode: a last window that reaches beyond the padding counts too, unless it starts there.
    """

    def __init__(
        self,
        kernel_size: int | Size,
        stride: int | Size | None,
        padding: int | Size,
        dilation: int | Size,
        ceil_mode: bool,
    ):
        self.kernel_size = to_tuple(kernel_size, self.axes, "kernel_size", minimum=1)
        if stride is None or stride == ():
            stride = self.kernel_size
        self.stride = to_tuple(stride, self.axes, "stride", minimum=1)
        self.padding = to_tuple(padding, self.axes, "padding")
        self.dilation = to_tuple(dilation, self.axes, "dilation", minimum=1)
        self.ceil_mode = ceil_mode
        reaches = (d * (k - 1) + 1 for k, d in zip(self.kernel_size, self.dilation, strict=True))
        if any(2 * p > reach for p, reach in zip(self.padding, reaches, strict=True)):
            raise ValueError(
                f"padding={padding} is more than half of kernel_size={kernel_size}: "
                "some windows would contain nothing but padding; use less padding"
            )

    def extra_repr(self) -> str:
        """Return the arguments as PyTorch prints them."""
        text = f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"
        text += f", dilation={self.dilation}" if prod(self.dilation) > 1 else ""
        return text + (", ceil_mode=True" if self.ceil_mode else "")


class _MaxPool(_Pool):
    """Maximum of each window.

    return_indices: forward returns two arrays, the maxima and where they are: the flat index of each among the
    positions of its image, as MaxUnpool needs it.
    """

    def __init__(
        self,
        kernel_size: int | Size,
        stride: int | Size | None = None,
        padding: int | Size = 0,
        dilation: int | Size = 1,
        return_indices: bool = False,
        ceil_mode: bool = False,
    ):
        super().__init__(kernel_size, stride, padding, dilation, ceil_mode)
        self.return_indices = return_indices

    @unbatched_forward
    def forward(self, input: Array) -> Array | tuple[Array, Array]:
        """(N, C, *size) -> (N, C, *output size), and the indices with return_indices."""
        x, geometry = self.check_input(input), self._geometry()
        y = ops.max_pool(x, *geometry, self.ceil_mode)
        self.save_for_backward(x, copied(y) if is_grad_enabled() else None, output=y)  # the caller may change y
        return (y, max_pool_indices(x, y, *geometry)) if self.return_indices else y

    @unbatched_forward
    def forward_internal(self, input: Array) -> Array:
        """As `forward`, for an output that only other layers see: it is saved itself, not a copy."""
        x = self.check_input(input)
        y = ops.max_pool(x, *self._geometry(), self.ceil_mode)
        self.save_for_backward(x, y, output=y)
        return y

    @unbatched_backward
    def backward(self, grad: Array) -> Array:
        """(N, C, *output size) -> (N, C, *size)."""
        x, y = self.saved(grad)
        return ops.max_pool_grad(grad, x, y, *self._geometry())

    def _geometry(self) -> tuple[Size, Size, Size, Size]:
        return self.kernel_size, self.stride, self.padding, self.dilation


class MaxPool1d(_MaxPool):
    """Maximum of each window: (N, C, L) or (C, L) -> (N, C, OL). As torch.nn.MaxPool1d."""

    axes = 1


class MaxPool2d(_MaxPool):
    """Maximum of each window: (N, C, H, W) or (C, H, W) -> (N, C, OH, OW). As torch.nn.MaxPool2d."""

    axes = 2


class MaxPool3d(_MaxPool):
    """Maximum of each window: (N, C, D, H, W) or (C, D, H, W) -> (N, C, OD, OH, OW). As torch.nn.MaxPool3d."""

    axes = 3


class _AvgPool(_Pool):
    """Mean of each window.

    count_include_pad: padded zeros count, or the mean is that of the pixels alone. divisor_override: divide the sum of
    each window by this instead of its length.
    """

    def __init__(
        self,
        kernel_size: int | Size,
        stride: int | Size | None = None,
        padding: int | Size = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ):
        super().__init__(kernel_size, stride, padding, 1, ceil_mode)
        if divisor_override == 0:
            raise ValueError("divisor_override=0: give another number, or None to divide by the length of a window")
        self.count_include_pad, self.divisor_override = count_include_pad, divisor_override

    @unbatched_forward
    def forward(self, input: Array) -> Array:
        """(N, C, *size) -> (N, C, *output size)."""
        x, divisor = self.check_input(input), (self.count_include_pad, self.divisor_override)
        y = ops.avg_pool(x, self.kernel_size, self.stride, self.padding, self.ceil_mode, *divisor)
        self.save_for_backward(x.shape[2:], output=y)
        return y

    @unbatched_backward
    def backward(self, grad: Array) -> Array:
        """(N, C, *output size) -> (N, C, *size)."""
        (size,), divisor = self.saved(grad), (self.count_include_pad, self.divisor_override)
        return ops.avg_pool_grad(grad, size, self.kernel_size, self.stride, self.padding, *divisor)


class AvgPool1d(_AvgPool):
    """Mean of each window: (N, C, L) or (C, L) -> (N, C, OL). As torch.nn.AvgPool1d."""

    axes = 1


class AvgPool2d(_AvgPool):
    """Mean of each window: (N, C, H, W) or (C, H, W) -> (N, C, OH, OW). As torch.nn.AvgPool2d."""

    axes = 2


class AvgPool3d(_AvgPool):
    """Mean of each window: (N, C, D, H, W) or (C, D, H, W) -> (N, C, OD, OH, OW). As torch.nn.AvgPool3d."""

    axes = 3


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
