"""Convolution over any number of spatial axes: the forward pass and its three gradients. It picks the fastest method.

- depthwise (one kernel per channel): `depthwise`
- float32 with enough channels: `winograd`, with about a quarter of the multiplications. For images it covers kernels of
  3 and 5, and at stride 2 of 3 and 4; for sequences mostly kernels of 5
- everything else: `im2col`, one matrix product. A 1x1 kernel needs no windows and multiplies the pixels themselves

At stride 1 the gradient at the input is a convolution of the gradient with the flipped kernels, and is computed as one:
gathering is faster than scattering.

Everywhere: x (N, C, *size), weight (F, C / groups, *kernel), grad and y (N, F, *out); stride, padding and dilation have
one number per spatial axis.
"""

from math import prod

import numpy as np

from mytorch.device import Array, cuda_implementation
from mytorch.geometry import Size, output_size, to_channels_last, to_matrix
from mytorch.modes import winograd_allowed
from mytorch.ops import depthwise, im2col, winograd
from mytorch.ops.cuda import conv as cuda
from mytorch.ops.reduce import column_sums
from mytorch.ops.toom_cook import multiplication_ratio

# When Winograd convolution is faster than im2col. The multiplication ratio compares it with direct convolution.
MIN_CHANNELS_2D = 24
"""Minimum of input and output channels for images, if the ratio is at most MAX_MULTIPLICATION_RATIO."""
MIN_CHANNELS_1D = 64
"""Minimum of input and output channels for sequences, and for images with a higher ratio."""
MIN_PIXELS = 1024
"""Minimum of pixels in the whole batch: with fewer, transforming the kernels costs more than it saves."""
MAX_MULTIPLICATION_RATIO = 0.45
"""Largest ratio for sequences, and for images with fewer than MIN_CHANNELS_1D channels."""
MAX_MULTIPLICATION_RATIO_WIDE = 0.75
"""Largest ratio for images with at least MIN_CHANNELS_1D channels."""


@cuda_implementation(cuda.conv)
def conv(
    x: Array, weight: Array, bias: Array | None, stride: Size, padding: Size, dilation: Size, groups: int = 1
) -> Array:
    """Return the correlation of `x` with `weight`, plus `bias` (F,) unless it is None."""
    if _use_winograd(weight.shape, x, stride, padding, dilation, groups):
        return winograd.winograd_conv(x, weight, bias, padding, stride)
    if _is_depthwise(weight.shape, groups):
        return depthwise.depthwise_conv(x, weight, bias, stride, padding, dilation)
    return im2col.im2col_conv(x, weight, bias, stride, padding, dilation, groups)


@cuda_implementation(cuda.conv_input_grad)
def conv_input_grad(
    grad: Array, weight: Array, size: Size, stride: Size, padding: Size, dilation: Size, groups: int = 1
) -> Array:
    """Return the gradient at the input, (N, C, *size)."""
    overlap = tuple(d * (k - 1) for d, k in zip(dilation, weight.shape[2:], strict=True))
    grad_padding = tuple(r - p for r, p in zip(overlap, padding, strict=True))
    covered = tuple(n + 2 * p - r for n, p, r in zip(grad.shape[2:], grad_padding, overlap, strict=True))
    if _use_winograd(weight.shape, grad, stride, padding, dilation, groups, grad.shape[2:]):
        return winograd.winograd_conv_input_grad(grad, weight, grad_padding, stride, size)
    if max(stride) == 1 and min(grad_padding) >= 0 and covered == tuple(size):
        flipped = _flip_kernels(weight, groups)
        return conv(to_channels_last(grad), flipped, None, stride, grad_padding, dilation, groups)
    if _is_depthwise(weight.shape, groups):
        return depthwise.depthwise_conv_input_grad(grad, weight, size, stride, padding, dilation)
    return im2col.im2col_conv_input_grad(grad, weight, size, stride, padding, dilation, groups)


@cuda_implementation(cuda.conv_weight_grad)
def conv_weight_grad(
    grad: Array, x: Array, kernel: Size, stride: Size, padding: Size, dilation: Size, groups: int = 1
) -> Array:
    """Return the gradient at the weight, (F, C / groups, *kernel)."""
    shape = (grad.shape[1], x.shape[1] // groups, *kernel)
    if _use_winograd(shape, x, stride, padding, dilation, groups, grad.shape[2:]):
        return winograd.winograd_conv_weight_grad(grad, x, kernel, padding, stride)
    if _is_depthwise(shape, groups):
        return depthwise.depthwise_conv_weight_grad(grad, x, kernel, stride, padding, dilation)
    return im2col.im2col_conv_weight_grad(grad, x, kernel, stride, padding, dilation, groups)


def conv_bias_grad(grad: Array) -> Array:
    """Return the gradient at the bias, (F,): the sum over images and positions."""
    return column_sums(to_matrix(grad))


def _is_depthwise(shape: Size, groups: int) -> bool:
    """Return True if a weight of this shape has one kernel per channel."""
    return 1 < groups == shape[0] and shape[1] == 1


def _use_winograd(
    shape: Size, x: Array, stride: Size, padding: Size, dilation: Size, groups: int, out: Size | None = None
) -> bool:
    """Return True if Winograd convolution applies and is faster. shape: the weight's; out: the size of y, if known."""
    filters, channels, *kernel = shape
    if len(kernel) > 2 or max(*dilation, groups) > 1 or x.dtype != np.float32 or not winograd_allowed():
        return False
    out = out or tuple(map(output_size, x.shape[2:], kernel, stride, padding))
    ratio = multiplication_ratio(kernel, stride, out)
    images = len(kernel) == 2
    min_channels = MIN_CHANNELS_2D if images and ratio <= MAX_MULTIPLICATION_RATIO else MIN_CHANNELS_1D
    max_ratio = MAX_MULTIPLICATION_RATIO_WIDE if images else MAX_MULTIPLICATION_RATIO
    return min(filters, channels) >= min_channels and ratio <= max_ratio and len(x) * prod(x.shape[2:]) >= MIN_PIXELS


def _flip_kernels(weight: Array, groups: int) -> Array:
    """Flip every kernel along all axes and exchange channels and filters: (C, F / groups, *kernel)."""
    filters, channels, *kernel = weight.shape
    split = weight.reshape(groups, filters // groups, channels, *kernel).swapaxes(1, 2)
    return np.flip(split, tuple(range(3, split.ndim))).reshape(groups * channels, filters // groups, *kernel)
