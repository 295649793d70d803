"""Unfold and fold, over any number of spatial axes: the windows of an image as columns, and columns added to an image.

x: (N, C, *size); columns: (N, C K, L), for each channel all K elements of the kernel, for each of L windows. Each
function is the gradient of the other. They use nothing but what NumPy and CuPy have in common.
"""

from math import prod

from mytorch.device import Array, get_array_module
from mytorch.geometry import Size, inside_padding, output_size, pad, padded_size, tap_slices


def unfold(x: Array, kernel: Size, stride: Size, padding: Size, dilation: Size) -> Array:
    """Return the windows of `x`, zero outside, as columns."""
    out = tuple(map(output_size, x.shape[2:], kernel, stride, padding, dilation))
    n, channels = x.shape[:2]
    padded, columns = pad(x, padding), get_array_module(x).empty((n, channels, prod(kernel), *out), x.dtype)
    for k, tap in enumerate(tap_slices(kernel, stride, dilation, out)):
        columns[:, :, k] = padded[tap]
    return columns.reshape(n, channels * prod(kernel), prod(out))


def fold(columns: Array, size: Size, kernel: Size, stride: Size, padding: Size, dilation: Size) -> Array:
    """Return (N, C, *size): every column added at the place of its window."""
    out = tuple(map(output_size, size, kernel, stride, padding, dilation))
    n, channels = len(columns), columns.shape[1] // prod(kernel)
    windows = columns.reshape(n, channels, prod(kernel), *out)
    padded = get_array_module(columns).zeros((n, channels, *padded_size(size, padding)), columns.dtype)
    for k, tap in enumerate(tap_slices(kernel, stride, dilation, out)):
        padded[tap] += windows[:, :, k]
    return padded[inside_padding(padding)]
