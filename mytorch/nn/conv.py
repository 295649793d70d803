"""Convolution layers, for one to three spatial axes."""

from collections.abc import Sequence
from typing import ClassVar, Literal

from mytorch.device import Array
from mytorch.geometry import Size
from mytorch.nn import init
from mytorch.nn.spatial import SpatialLayer, unbatched_backward, unbatched_forward
from mytorch.nn.validate import to_tuple
from mytorch.ops import conv as ops
from mytorch.ops import padding as padding_ops

PaddingMode = Literal["zeros", "reflect", "replicate", "circular"]
PADDING_MODES = ("zeros", "reflect", "replicate", "circular")


class _ConvNd(SpatialLayer):
    """Base of convolutions and transposed convolutions: the parameters, and the geometry of the windows."""

    transposed: ClassVar[bool] = False

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | Size,
        stride: int | Size,
        padding: int | Size | str,
        dilation: int | Size,
        groups: int,
        bias: bool,
        padding_mode: PaddingMode,
        device: str | None,
        dtype: init.DType,
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
        self.padding = padding if isinstance(padding, str) else to_tuple(padding, self.axes, "padding")
        self.dilation = to_tuple(dilation, self.axes, "dilation", minimum=1)
        self.padding_mode = padding_mode
        first, second = (in_channels, out_channels) if self.transposed else (out_channels, in_channels)
        shape = (first, second // groups, *self.kernel_size)
        self.weight = init.parameter(init.default_weight(shape, dtype), device, dtype)
        self.bias = None
        if bias:
            self.bias = init.parameter(init.default_bias(shape, dtype, out_channels), device, dtype)

    def extra_repr(self) -> str:
        """Return the arguments, shortened, as PyTorch prints them."""
        text = f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}"
        text += f", padding={self.padding}" if isinstance(self.padding, str) or any(self.padding) else ""
        text += f", dilation={self.dilation}" if max(self.dilation) > 1 else ""
        text += f", groups={self.groups}" if self.groups > 1 else ""
        text += ", bias=False" if self.bias is None else ""
        return text + (f", padding_mode={self.padding_mode}" if self.padding_mode != "zeros" else "")


class _Conv(_ConvNd):
    """Correlation with learned kernels.

    padding: pixels added at both ends of each axis; "same" adds as many as keep the size, one more at the end if the
    number is odd; "valid" adds none. padding_mode: what is added, as the padding layers do.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | Size,
        stride: int | Size = 1,
        padding: int | Size | Literal["same", "valid"] = 0,
        dilation: int | Size = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: PaddingMode = "zeros",
        *,
        device: str | None = None,
        dtype: init.DType = None,
    ):
        if isinstance(padding, str) and padding not in ("same", "valid"):
            raise ValueError(f"padding={padding!r}: give numbers of pixels, 'same' or 'valid'")
        if padding_mode not in PADDING_MODES:
            raise ValueError(f"padding_mode={padding_mode!r}: expected one of {', '.join(PADDING_MODES)}")
        geometry = (kernel_size, stride, padding, dilation, groups, bias, padding_mode)
        super().__init__(in_channels, out_channels, *geometry, device=device, dtype=dtype)
        if padding == "same" and max(self.stride) > 1:
            raise ValueError(f"padding='same' with stride={stride}: a stride changes the size; give numbers of pixels")
        self._outer, self._inner = self._split_padding()
        self._pad_mode: padding_ops.Mode = "constant" if padding_mode == "zeros" else padding_mode

    def _split_padding(self) -> tuple[Sequence[tuple[int, int]], Size]:
        """Return the padding that is added before the convolution, and that which the convolution assumes: zeros."""
        if self.padding == "same":
            total = [d * (k - 1) for d, k in zip(self.dilation, self.kernel_size, strict=True)]
            ends = [(n // 2, n - n // 2) for n in total]
        else:
            ends = [(0, 0) if isinstance(p, str) else (p, p) for p in self.padding[: self.axes]]
        none = (0,) * self.axes
        inner = tuple(before for before, _ in ends) if self.padding_mode == "zeros" else none
        outer = [(before - n, after - n) for (before, after), n in zip(ends, inner, strict=True)]
        return outer if any(map(any, outer)) else (), inner

    @unbatched_forward
    def forward(self, input: Array) -> Array:
        """(N, in, *size) -> (N, out, *output size)."""
        x = self.check_input(input, self.in_channels, self.weight.dtype)
        if self._outer:
            x = padding_ops.pad(x, self._outer, self._pad_mode)
        bias = None if self.bias is None else self.bias.data
        y = ops.conv(x, self.weight.data, bias, self.stride, self._inner, self.dilation, self.groups)
        self.save_for_backward(x, input.shape[2:], output=y)
        return y

    @unbatched_backward
    def backward(self, grad: Array) -> Array:
        """(N, out, *output size) -> (N, in, *size); accumulates weight.grad and bias.grad.

        Returns None if `needs_input_grad` is False.
        """
        x, size = self.saved(grad)
        geometry = (self.stride, self._inner, self.dilation, self.groups)
        self.weight.accumulate(ops.conv_weight_grad(grad, x, self.kernel_size, *geometry))
        if self.bias is not None:
            self.bias.accumulate(ops.conv_bias_grad(grad))
        if not self.needs_input_grad:
            return None  # type: ignore[return-value]
        grad_x = ops.conv_input_grad(grad, self.weight.data, x.shape[2:], *geometry)
        return padding_ops.pad_grad(grad_x, size, self._outer, self._pad_mode) if self._outer else grad_x


class Conv1d(_Conv):
    """Correlation with learned kernels: (N, in, L) or (in, L) -> (N, out, OL). As torch.nn.Conv1d.

    weight: (out, in / groups, K); bias: (out,), or None with bias=False.
    """

    axes = 1


class Conv2d(_Conv):
    """Correlation with learned kernels: (N, in, H, W) or (in, H, W) -> (N, out, OH, OW). As torch.nn.Conv2d.

    weight: (out, in / groups, KH, KW); bias: (out,), or None with bias=False.
    """

    axes = 2


class Conv3d(_Conv):
    """Correlation with learned kernels: (N, in, D, H, W) or (in, D, H, W) -> (N, out, OD, OH, OW).

    As torch.nn.Conv3d. weight: (out, in / groups, KD, KH, KW); bias: (out,), or None with bias=False.
    """

    axes = 3
