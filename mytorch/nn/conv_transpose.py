"""Transposed convolution layers, for one and two spatial axes."""

from typing import ClassVar

import numpy as np

from mytorch.device import Array
from mytorch.geometry import Size
from mytorch.nn.conv import _ConvNd
from mytorch.nn.validate import check_input, to_tuple
from mytorch.ops import conv_transpose as ops


class _ConvTranspose(_ConvNd):
    """The gradient of a convolution as a layer: each pixel is multiplied by the kernel, and overlaps are added up.

    An axis of length L becomes (L - 1) stride - 2 padding + dilation (kernel - 1) + 1 + output_padding long.
    """

    transposed: ClassVar[bool] = True

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | Size,
        stride: int | Size = 1,
        padding: int | Size = 0,
        output_padding: int | Size = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: int | Size = 1,
        dtype: type | np.dtype | str = np.float32,
    ):
        super().__init__(in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias, dtype)
        self.output_padding = to_tuple(output_padding, self.axes, "output_padding")
        if any(o >= max(s, d) for o, s, d in zip(self.output_padding, self.stride, self.dilation, strict=True)):
            raise ValueError(
                f"output_padding={output_padding} with stride={stride} and dilation={dilation}: expected less than the "
                "stride or the dilation; it selects one of the sizes that a convolution with this stride maps to one"
            )

    def forward(self, x: Array) -> Array:
        """(N, in, *size) -> (N, out, *output size)."""
        check_input(self, x, self.shape, self.in_channels, self.weight.dtype)
        spacing = (self.stride, self.padding, self.dilation)
        out = tuple(map(ops.transposed_size, x.shape[2:], self.kernel_size, *spacing, self.output_padding))
        bias = None if self.bias is None else self.bias.data
        y = ops.conv_transpose(x, self.weight.data, bias, out, *spacing, self.groups)
        self.save_for_backward(x, output=y)
        return y

    def backward(self, grad: Array) -> Array:
        """(N, out, *output size) -> (N, in, *size); accumulates weight.grad and bias.grad.

        Returns None if `needs_input_grad` is False.
        """
        (x,) = self.saved(grad)
        geometry = (self.stride, self.padding, self.dilation, self.groups)
        self.weight.accumulate(ops.conv_transpose_weight_grad(grad, x, self.kernel_size, *geometry))
        if self.bias is not None:
            self.bias.accumulate(ops.conv_transpose_bias_grad(grad))
        if not self.needs_input_grad:
            return None  # type: ignore[return-value]
        return ops.conv_transpose_input_grad(grad, self.weight.data, x.shape[2:], *geometry)

    def extra_repr(self) -> str:
        """Return the arguments, shortened, as PyTorch prints them."""
        text = super().extra_repr()
        return text + (f", output_padding={self.output_padding}" if any(self.output_padding) else "")


class ConvTranspose1d(_ConvTranspose):
    """Transposed convolution: (N, in, L) -> (N, out, OL). As torch.nn.ConvTranspose1d.

    weight: (in, out / groups, K); bias: (out,), or None with bias=False.
    """

    axes, shape = 1, "(N, C, L)"


class ConvTranspose2d(_ConvTranspose):
    """Transposed convolution: (N, in, H, W) -> (N, out, OH, OW). As torch.nn.ConvTranspose2d.

    weight: (in, out / groups, KH, KW); bias: (out,), or None with bias=False.
    """

    axes, shape = 2, "(N, C, H, W)"
