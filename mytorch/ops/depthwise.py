"""Depthwise convolution, in which each channel has a kernel of its own (groups == channels == filters): tap by tap.

A matrix product has nothing to do here: its matrices would be one column wide. Multiplying what a tap sees by the
tap's weights and adding up goes over the same memory once a tap, which is 2 to 6 times faster. Names and shapes as in
`mytorch.ops.conv`, the weight being (C, 1, *kernel).
"""

from math import prod

from mytorch.device import Array, namespace
from mytorch.geometry import Size, blocks, channels_last, empty, flat, inner, output_size, pad, padded_size, taps
from mytorch.ops.sums import column_sums

BLOCK = 1 << 18
"""Elements of the output made at a time: 1 MiB in float32, which stays in the cache from tap to tap."""


def depthwise(x: Array, weight: Array, stride: Size, padding: Size, dilation: Size) -> Array:
    """Correlation of each channel with its kernel. Returns y, without a bias."""
    kernel = weight.shape[2:]
    out = tuple(map(output_size, x.shape[2:], kernel, stride, padding, dilation))
    padded, y = pad(x, padding), empty((*x.shape[:2], *out), x)
    y[...] = 0
    for images in blocks(len(x), prod(y.shape[1:]), BLOCK):
        for factor, seen in zip(_factors(weight), taps(kernel, stride, dilation, out), strict=True):
            y[images] += padded[images][seen] * factor
    return y


def depthwise_input_grad(grad: Array, weight: Array, size: Size, stride: Size, padding: Size, dilation: Size) -> Array:
    """Gradient at the input, (N, C, *size)."""
    grad, kernel, out = channels_last(grad), weight.shape[2:], grad.shape[2:]
    padded = empty((*grad.shape[:2], *padded_size(size, padding)), grad)
    padded[...] = 0
    for images in blocks(len(grad), prod(grad.shape[1:]), BLOCK):
        for factor, seen in zip(_factors(weight), taps(kernel, stride, dilation, out), strict=True):
            window = padded[images][seen]
            window += grad[images] * factor
    return padded[inner(padding)]


def depthwise_weight_grad(grad: Array, x: Array, kernel: Size, stride: Size, padding: Size, dilation: Size) -> Array:
    """Gradient at the weight, (C, 1, *kernel)."""
    grad, padded, channels = channels_last(grad), pad(x, padding), x.shape[1]
    sums = namespace(x).zeros((channels, prod(kernel)), x.dtype)
    for images in blocks(len(x), prod(grad.shape[1:]), BLOCK):
        for k, seen in enumerate(taps(kernel, stride, dilation, grad.shape[2:])):
            sums[:, k] += column_sums(flat(padded[images][seen] * grad[images]))
    return sums.reshape(channels, 1, *kernel)


def _factors(weight: Array) -> Array:
    """For each tap, the channels' weights, to multiply arrays (n, C, *out) by: (K, 1, C, 1, ...)."""
    return weight.reshape(len(weight), -1).T.reshape(-1, 1, len(weight), *(1,) * (weight.ndim - 2))
