"""Depthwise convolution on the GPU: one thread per output, no windows. Names as in `mytorch.ops.conv`."""

from math import prod

from mytorch.device import Array, get_array_module
from mytorch.geometry import Size, empty_channels_last, output_size, to_channels_last
from mytorch.ops.cuda.loader import launch, window
from mytorch.ops.cuda.reduce import combine_chunks, sum_chunks


def depthwise_conv(x: Array, weight: Array, stride: Size, padding: Size, dilation: Size) -> Array:
    """Return the correlation of each channel with its kernel, (C, 1, *kernel), without a bias."""
    x, kernel = to_channels_last(x), weight.shape[2:]
    out = tuple(map(output_size, x.shape[2:], kernel, stride, padding, dilation))
    y = empty_channels_last((*x.shape[:2], *out), x)
    geometry = window(x.shape[2:], out, kernel, stride, padding, dilation)
    launch("depthwise", "depthwise_conv", x, x, _by_tap(weight), y, geometry, *x.shape[:2], count=y.size)
    return y


def depthwise_conv_input_grad(
    grad: Array, weight: Array, size: Size, stride: Size, padding: Size, dilation: Size
) -> Array:
    """Return the gradient at the input, (N, C, *size)."""
    grad = to_channels_last(grad)
    grad_x = empty_channels_last((*grad.shape[:2], *size), grad)
    geometry = window(tuple(size), grad.shape[2:], weight.shape[2:], stride, padding, dilation)
    arguments = (grad, _by_tap(weight), grad_x, geometry, *grad.shape[:2])
    launch("depthwise", "depthwise_conv_input_grad", grad, *arguments, count=grad_x.size)
    return grad_x


def depthwise_conv_weight_grad(
    grad: Array, x: Array, kernel: Size, stride: Size, padding: Size, dilation: Size
) -> Array:
    """Return the gradient at the weight, (C, 1, *kernel)."""
    grad, x, xp = to_channels_last(grad), to_channels_last(x), get_array_module(x)
    channels, taps = x.shape[1], prod(kernel)
    geometry = window(x.shape[2:], grad.shape[2:], tuple(kernel), stride, padding, dilation)
    shape = (len(grad) * prod(grad.shape[2:]), taps * channels)
    partial = sum_chunks("depthwise", "depthwise_conv_weight_sums", x, shape, grad, x, geometry, channels)
    by_tap = xp.empty((taps, channels), x.dtype)
    combine_chunks("depthwise", "combine_weight_sums", x, partial, by_tap)
    return xp.ascontiguousarray(by_tap.T).reshape(channels, 1, *kernel)


def _by_tap(weight: Array) -> Array:
    """Return (C, 1, *kernel) as (K, C)."""
    return get_array_module(weight).ascontiguousarray(weight.reshape(len(weight), -1).T)
