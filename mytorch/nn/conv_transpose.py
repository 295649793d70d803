"""Transposed convolution layers, for one to three spatial axes."""

from collections.abc import Sequence
from typing import ClassVar

from mytorch.device import Array
from mytorch.geometry import Size
from mytorch.nn import init
from mytorch.nn.conv import PaddingMode, _ConvNd
from mytorch.nn.spatial import unbatched_backward, unbatched_forward
from mytorch.nn.validate import to_tuple
from mytorch.ops import conv_transpose as ops


class _ConvTranspose(_ConvNd):
    """The gradient of a convolution as a layer: each pixel is multiplied by the kernel, and overlaps are added up.

    An axis of length L becomes (L - 1) stride - 2 padding + dilation (kernel - 1) + 1 + output_padding long.
    """

    transposed: ClassVar[bool] = True
    padding: Size

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
        padding_mode: PaddingMode = "zeros",
        *,
        device: str | None = None,
        dtype: init.DType = None,
    ):
        if padding_mode != "zeros":
            raise ValueError(f"padding_mode={padding_mode!r}: a transposed convolution has padding of zeros only")
        padding = to_tuple(padding, self.axes, "padding")
        geometry = (kernel_size, stride, padding, dilation, groups, bias, padding_mode)
        super().__init__(in_channels, out_channels, *geometry, device=device, dtype=dtype)
        self.output_padding = to_tuple(output_padding, self.axes, "output_padding")
        if any(o >= max(s, d) for o, s, d in zip(self.output_padding, self.stride, self.dilation, strict=True)):
            raise ValueError(
                f"output_padding={output_padding} with stride={stride} and dilation={dilation}: expected less than the "
                "stride or the dilation; it selects one of the sizes that a convolution with this stride maps to one"
            )

    @unbatched_forward
    def forward(self, input: Array, output_size: Sequence[int] | None = None) -> Array:
        """(N, in, *size) -> (N, out, *output size).

        output_size: one of the sizes that the stride allows, instead of `output_padding`.
        """
        x = self.check_input(input, self.in_channels, self.weight.dtype)
        spacing = (self.stride, self.padding, self.dilation)
        extra = self.output_padding if output_size is None else self._extra(x.shape[2:], tuple(output_size))
        out = tuple(map(ops.transposed_size, x.shape[2:], self.kernel_size, *spacing, extra))
        bias = None if self.bias is None else self.bias.data
        y = ops.conv_transpose(x, self.weight.data, bias, out, *spacing, self.groups)
        self.save_for_backward(x, output=y)
        return y

    def _extra(self, size: Size, output_size: Size) -> Size:
        """Return the output padding that leads to `output_size`, whose last numbers count."""
        spacing = (self.kernel_size, self.stride, self.padding, self.dilation, (0,) * self.axes)
        least = tuple(map(ops.transposed_size, size, *spacing))
        most = tuple(n + s - 1 for n, s in zip(least, self.stride, strict=True))
        wanted = output_size[-self.axes :]
        fits = len(wanted) == self.axes and all(a <= n <= b for a, n, b in zip(least, wanted, most, strict=True))
        if not fits:
            raise ValueError(f"output_size={output_size}: expected a size from {least} to {most}, for a {size} input")
        return tuple(n - a for n, a in zip(wanted, least, strict=True))

    @unbatched_backward
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
    """Transposed convolution: (N, in, L) or (in, L) -> (N, out, OL). As torch.nn.ConvTranspose1d.

    weight: (in, out / groups, K); bias: (out,), or None with bias=False.
    """

    axes = 1


class ConvTranspose2d(_ConvTranspose):
    """Transposed convolution: (N, in, H, W) or (in, H, W) -> (N, out, OH, OW). As torch.nn.ConvTranspose2d.

    weight: (in, out / groups, KH, KW); bias: (out,), or None with bias=False.
    """

    axes = 2


class ConvTranspose3d(_ConvTranspose):
    """Transposed convolution: (N, in, D, H, W) or (in, D, H, W) -> (N, out, OD, OH, OW).

    As torch.nn.ConvTranspose3d. weight: (in, out / groups, KD, KH, KW); bias: (out,), or None with bias=False.
    """

    axes = 3
