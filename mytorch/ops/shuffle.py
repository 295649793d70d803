"""Rearranging values between channels and positions, and among channels. Each function's inverse is its gradient.

The functions use nothing but what NumPy and CuPy have in common.
"""

from math import prod

from mytorch.device import Array
from mytorch.geometry import empty_channels_last, to_nhwc


def pixel_shuffle(x: Array, factor: int) -> Array:
    """Return (*, C, r H, r W) of (*, C r^2, H, W): r^2 channels become a block of r by r pixels."""
    *lead, channels, height, width = x.shape
    images, out = prod(lead), channels // factor**2
    split = x.reshape(images, out, factor, factor, height, width)
    y = empty_channels_last((images, out, factor * height, factor * width), x)
    blocks = to_nhwc(y).reshape(images, height, factor, width, factor, out)  # a view
    blocks[...] = split.transpose(0, 4, 2, 5, 3, 1)
    return y.reshape(*lead, *y.shape[1:])


def pixel_unshuffle(x: Array, factor: int) -> Array:
    """Return (*, C r^2, H, W) of (*, C, r H, r W): the inverse of pixel_shuffle."""
    *lead, channels, height, width = x.shape
    images, h, w = prod(lead), height // factor, width // factor
    split = x.reshape(images, channels, h, factor, w, factor)
    y = empty_channels_last((images, channels * factor**2, h, w), x)
    pixels = to_nhwc(y).reshape(images, h, w, channels, factor, factor)
    pixels[...] = split.transpose(0, 2, 4, 1, 3, 5)
    return y.reshape(*lead, *y.shape[1:])


def channel_shuffle(x: Array, groups: int) -> Array:
    """Return `x` (N, C, *size) with its channels interleaved: the first of each group, the second of each, ...

    The inverse is the same with C / groups groups.
    """
    n, channels, *size = x.shape
    split = to_nhwc(x).reshape(n, *size, groups, channels // groups)
    y = empty_channels_last(x.shape, x)
    to_nhwc(y).reshape(n, *size, channels // groups, groups)[...] = split.swapaxes(-1, -2)
    return y
