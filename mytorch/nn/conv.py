"""Convolution layers."""

import numpy as np

from mytorch.device import Array
from mytorch.geometry import Size
from mytorch.nn import init
from mytorch.nn.checks import expect, numbers
from mytorch.nn.module import Module, Parameter
from mytorch.ops import conv as ops


class Conv2d(Module):
    """Correlation with learned kernels: (N, in, H, W) -> (N, out, OH, OW). As torch.nn.Conv2d, with zero padding.

    weight: (out, in / groups, KH, KW); bias: (out,), or None with bias=False.
    """

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
        numbers((in_channels, out_channels), 2, "in_channels and out_channels", least=1)
        if groups < 1 or in_channels % groups or out_channels % groups:
            raise ValueError(
                f"groups={groups} does not divide in_channels={in_channels} and out_channels={out_channels}: "
                "choose a common divisor of both"
            )
        self.in_channels, self.out_channels, self.groups = in_channels, out_channels, groups
        self.kernel_size = numbers(kernel_size, 2, "kernel_size", least=1)
        self.stride = numbers(stride, 2, "stride", least=1)
        self.padding = numbers(padding, 2, "padding")
        self.dilation = numbers(dilation, 2, "dilation", least=1)
        shape = (out_channels, in_channels // groups, *self.kernel_size)
        self.weight = Parameter(init.default_weight(shape, dtype))
        self.bias = Parameter(init.default_bias(shape, dtype)) if bias else None

    def forward(self, x: Array) -> Array:
        """(N, in, H, W) -> (N, out, OH, OW)."""
        expect(self, x, "(N, C, H, W)", self.in_channels, self.weight.dtype)
        bias = None if self.bias is None else self.bias.data
        y = ops.conv(x, self.weight.data, bias, self.stride, self.padding, self.dilation, self.groups)
        self.keep(x, output=y)
        return y

    def backward(self, grad: Array) -> Array:
        """(N, out, OH, OW) -> (N, in, H, W), or None without `needs_input_grad`; accumulates weight.grad and bias.grad."""
        (x,) = self.kept(grad)
        geometry = (self.stride, self.padding, self.dilation, self.groups)
        self.weight.accumulate(ops.conv_weight_grad(grad, x, self.kernel_size, *geometry))
        if self.bias is not None:
            self.bias.accumulate(ops.conv_bias_grad(grad))
        if not self.needs_input_grad:
            return None  # type: ignore[return-value]
        return ops.conv_input_grad(grad, self.weight.data, x.shape[2:], *geometry)

    def extra_repr(self) -> str:
        """As PyTorch prints it, shortened."""
        text = f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}"
        text += f", padding={self.padding}" if any(self.padding) else ""
        text += f", dilation={self.dilation}" if self.dilation != (1, 1) else ""
        text += f", groups={self.groups}" if self.groups > 1 else ""
        return text + (", bias=False" if self.bias is None else "")
