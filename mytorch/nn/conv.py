"""Convolution layers, for one and two spatial axes."""

from typing import ClassVar

import numpy as np

from mytorch.device import Array
from mytorch.geometry import Size
from mytorch.nn import init
from mytorch.nn.module import Module, Parameter
from mytorch.nn.validate import check_input, to_tuple
from mytorch.ops import conv as ops


class _ConvNd(Module):
    """Base of convolutions and transposed convolutions: the parameters, and the geometry of the windows.

    A subclass sets `axes`, the number of spatial axes, and `shape`, that of its input.
    """

    axes: ClassVar[int]
    shape: ClassVar[str]
    transposed: ClassVar[bool] = False

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | Size,
        stride: int | Size = 1,
        padding: int | Size = 0,
        dilation: int | Size = 1,
        groups: int = 1,
        bias: bool = True,
        dtype: type | np.dtype | str = np.float32,
    ):
        to_tuple((in_channels, out_channels), 2, "in_channels and out_channels", minimum=1)
        if groups < 1 or in_channels % groups or out_channels % groups:
            raise ValueError(
                f"groups={groups} does not divide in_channels={in_channels} and out_channels={out_channels}: "
                "choose a common divisor of both"
            )
        self.in_channels, self.out_channels, self.groups = in_channels, out_channels, groups
        self.kernel_size = to_tuple(kernel_size, self.axes, "kernel_size", minimum=1)
        self.stride = to_tuple(stride, self.axes, "stride", minimum=1)
        self.padding = to_tuple(padding, self.axes, "padding")
        self.dilation = to_tuple(dilation, self.axes, "dilation", minimum=1)
        first, second = (in_channels, out_channels) if self.transposed else (out_channels, in_channels)
        shape = (first, second // groups, *self.kernel_size)
        self.weight = Parameter(init.default_weight(shape, dtype))
        self.bias = Parameter(init.default_bias(shape, dtype, out_channels)) if bias else None

    def extra_repr(self) -> str:
        """Return the arguments, shortened, as PyTorch prints them."""
        text = f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}"
        text += f", padding={self.padding}" if any(self.padding) else ""
        text += f", dilation={self.dilation}" if max(self.dilation) > 1 else ""
        text += f", groups={self.groups}" if self.groups > 1 else ""
        return text + (", bias=False" if self.bias is None else "")


class _Conv(_ConvNd):
    """Correlation with learned kernels and zero padding, over any number of spatial axes."""

    def forward(self, x: Array) -> Array:
        """(N, in, *size) -> (N, out, *output size)."""
        check_input(self, x, self.shape, self.in_channels, self.weight.dtype)
        bias = None if self.bias is None else self.bias.data
        y = ops.conv(x, self.weight.data, bias, self.stride, self.padding, self.dilation, self.groups)
        self.save_for_backward(x, output=y)
        return y

    def backward(self, grad: Array) -> Array:
        """(N, out, *output size) -> (N, in, *size); accumulates weight.grad and bias.grad.

        Returns None if `needs_input_grad` is False.
        """
        (x,) = self.saved(grad)
        geometry = (self.stride, self.padding, self.dilation, self.groups)
        self.weight.accumulate(ops.conv_weight_grad(grad, x, self.kernel_size, *geometry))
        if self.bias is not None:
            self.bias.accumulate(ops.conv_bias_grad(grad))
        if not self.needs_input_grad:
            return None  # type: ignore[return-value]
        return ops.conv_input_grad(grad, self.weight.data, x.shape[2:], *geometry)


class Conv1d(_Conv):
    """Correlation with learned kernels: (N, in, L) -> (N, out, OL). As torch.nn.Conv1d, with zero padding.

    weight: (out, in / groups, K); bias: (out,), or None with bias=False.
    """

    axes, shape = 1, "(N, C, L)"


class Conv2d(_Conv):
    """Correlation with learned kernels: (N, in, H, W) -> (N, out, OH, OW). As torch.nn.Conv2d, with zero padding.

    weight: (out, in / groups, KH, KW); bias: (out,), or None with bias=False.
    """

    axes, shape = 2, "(N, C, H, W)"
