"""Power-average pooling layers, for one to three spatial axes."""

from mytorch.device import Array
from mytorch.geometry import Size
from mytorch.modes import is_grad_enabled
from mytorch.nn.spatial import SpatialLayer, unbatched_backward, unbatched_forward
from mytorch.nn.validate import to_tuple
from mytorch.ops import lp_pool as ops
from mytorch.ops.blockwise import copied


class _LPPool(SpatialLayer):
    """The p-norm of each window: (sum of x^p)^(1/p). norm_type: p; 1 is the sum, infinity the largest magnitude.

    If a window's norm is zero, its gradient is zero.
    """

    def __init__(
        self, norm_type: float, kernel_size: int | Size, stride: int | Size | None = None, ceil_mode: bool = False
    ):
        if not abs(norm_type) > 0:
            raise ValueError(f"norm_type={norm_type!r}: give another number than 0, such as 2")
        self.norm_type, self.ceil_mode = norm_type, ceil_mode
        self.kernel_size = to_tuple(kernel_size, self.axes, "kernel_size", minimum=1)
        self.stride = self.kernel_size if stride is None else to_tuple(stride, self.axes, "stride", minimum=1)

    @unbatched_forward
    def forward(self, input: Array) -> Array:
        """(N, C, *size) -> (N, C, *output size)."""
        x = self.check_input(input)
        y = ops.lp_pool(x, self.norm_type, self.kernel_size, self.stride, self.ceil_mode)
        self.save_for_backward(x, copied(y) if is_grad_enabled() else None, output=y)  # the caller may change y
        return y

    @unbatched_backward
    def backward(self, grad: Array) -> Array:
        """(N, C, *output size) -> (N, C, *size)."""
        x, y = self.saved(grad)
        return ops.lp_pool_grad(grad, x, y, self.norm_type, self.kernel_size, self.stride)

    def extra_repr(self) -> str:
        """Return the arguments as PyTorch prints them."""
        return (
            f"norm_type={self.norm_type}, kernel_size={self.kernel_size}, stride={self.stride}, "
            f"ceil_mode={self.ceil_mode}"
        )


class LPPool1d(_LPPool):
    """The p-norm of each window: (N, C, L) or (C, L) -> (N, C, OL). As torch.nn.LPPool1d."""

    axes = 1


class LPPool2d(_LPPool):
    """The p-norm of each window: (N, C, H, W) or (C, H, W) -> (N, C, OH, OW). As torch.nn.LPPool2d."""

    axes = 2


class LPPool3d(_LPPool):
    """The p-norm of each window: (N, C, D, H, W) or (C, D, H, W) -> (N, C, OD, OH, OW). As torch.nn.LPPool3d."""

    axes = 3
