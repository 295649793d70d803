"""Transposed convolution (Dumoulin and Visin, arXiv 1603.07285, chapter 4) over any number of spatial axes.

The forward pass is the gradient of a convolution at its input; so the gradient at the input is that convolution, and in
the gradient at the weight, x and grad exchange roles. x (N, C, *size), weight (C, F / groups, *kernel), y and grad
(N, F, *out).
"""

from mytorch.device import Array
from mytorch.geometry import Size
from mytorch.ops import conv as ops


def transposed_size(size: int, kernel: int, stride: int, padding: int, dilation: int, output_padding: int) -> int:
    """Return the length of an output axis: the one whose convolution has `size` windows.

    If the stride does not divide evenly, there are several; `output_padding` is added to the shortest. Raises
    ValueError if padding leaves nothing.
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
    """Return the sum over all pixels of `x` of the pixel times the kernel, at its place, plus `bias` (F,)."""
    y = ops.conv_input_grad(x, weight, out, stride, padding, dilation, groups)
    if bias is not None:
        y += bias.reshape(1, -1, *(1,) * len(out))
    return y


def conv_transpose_input_grad(
    grad: Array, weight: Array, size: Size, stride: Size, padding: Size, dilation: Size, groups: int = 1
) -> Array:
    """Return the gradient at the input, (N, C, *size)."""
    windows = ops.conv(grad, weight, None, stride, padding, dilation, groups)
    own: tuple = (..., *map(slice, size))  # with a large output_padding there are more windows than x has pixels
    return windows[own]


def conv_transpose_weight_grad(
    grad: Array, x: Array, kernel: Size, stride: Size, padding: Size, dilation: Size, groups: int = 1
) -> Array:
    """Return the gradient at the weight, (C, F / groups, *kernel)."""
    return ops.conv_weight_grad(x, grad, kernel, stride, padding, dilation, groups)


conv_transpose_bias_grad = ops.conv_bias_grad
