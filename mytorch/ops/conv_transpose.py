"""Transposed convolution (Dumoulin and Visin, arXiv 1603.07285, chapter 4) over any number of spatial axes.

It is the input's gradient of a convolution, used as a forward; so its own input's gradient is that convolution, and at
the weight x and grad exchange their parts. x (N, C, *size), weight (C, F / groups, *kernel), y and grad (N, F, *out).
"""

from mytorch.device import Array
from mytorch.geometry import Size
from mytorch.ops import conv as ops


def transposed_size(size: int, kernel: int, stride: int, padding: int, dilation: int, output_padding: int) -> int:
    """The length of an axis of the output: the one whose convolution has `size` windows.

    Several have, where the stride does not divide; `output_padding` is added to the shortest. Raises ValueError where
    padding leaves nothing.
    """
    length = (size - 1) * stride + dilation * (kernel - 1) + 1 + output_padding - 2 * padding
    if length < 1:
        raise ValueError(
            f"padding {padding} on both ends leaves nothing of an axis of {length + 2 * padding}: "
            "use less padding, a larger kernel, stride or dilation, or a larger input"
        )
    return length


def conv_transpose(
    x: Array,
    weight: Array,
    bias: Array | None,
    out: Size,
    stride: Size,
    padding: Size,
    dilation: Size,
    groups: int = 1,
) -> Array:
    """Every pixel of `x` times the kernel, added up where they stand on the output, plus `bias` (F,). Returns y."""
    y = ops.conv_input_grad(x, weight, out, stride, padding, dilation, groups)
    if bias is not None:
        y += bias.reshape(1, -1, *(1,) * len(out))
    return y


def conv_transpose_input_grad(
    grad: Array, weight: Array, size: Size, stride: Size, padding: Size, dilation: Size, groups: int = 1
) -> Array:
    """Gradient at the input, (N, C, *size)."""
    windows = ops.conv(grad, weight, None, stride, padding, dilation, groups)
    own: tuple = (..., *map(slice, size))  # a large output_padding leaves room for more than x has pixels
    return windows[own]


def conv_transpose_weight_grad(
    grad: Array, x: Array, kernel: Size, stride: Size, padding: Size, dilation: Size, groups: int = 1
) -> Array:
    """Gradient at the weight, (C, F / groups, *kernel)."""
    return ops.conv_weight_grad(x, grad, kernel, stride, padding, dilation, groups)


conv_transpose_bias_grad = ops.conv_bias_grad
