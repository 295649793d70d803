"""Depthwise convolution, with one kernel per channel (groups == channels == filters), one kernel element at a time.

A matrix product would have matrices of one column, so it does not help. Instead, the pixels under each kernel element
are multiplied by its weights and added up, while they are in the cache. Names and shapes as in `mytorch.ops.conv`; the
weight is (C, 1, *kernel).
"""

from collections.abc import Iterator, Sequence
from functools import reduce
from math import prod

import numpy as np

from mytorch import memory
from mytorch.device import Array
from mytorch.geometry import (
    Band,
    Size,
    crop,
    empty_channels_last,
    output_size,
    padded_size,
    split_into_bands,
    tap_slices,
    to_channels_last,
)
from mytorch.threads import CHUNK_BYTES, parallel_for, parallel_map


def depthwise_conv(x: Array, weight: Array, bias: Array | None, stride: Size, padding: Size, dilation: Size) -> Array:
    """Return the correlation of each channel with its kernel, plus `bias` (C,) unless it is None."""
    kernel = weight.shape[2:]
    out = tuple(map(output_size, x.shape[2:], kernel, stride, padding, dilation))
    y = empty_channels_last((*x.shape[:2], *out), x)
    if not len(x):
        return y
    source, target = np.moveaxis(x, 1, -1), np.moveaxis(y, 1, -1)
    repeats = out[-1] if _uses_lines(stride) else 1
    factors = np.tile(weight.reshape(len(weight), -1).T, repeats)
    offset = None if bias is None else np.tile(bias, repeats)

    def work(run: Sequence[Band]) -> None:
        term: Array = np.empty(0)
        for band in run:
            total = _as_lines(target[band.images, band.top : band.bottom], stride)
            term = term if term.shape == total.shape else memory.empty(total.shape, x.dtype)
            for k, pixels in enumerate(_tap_pixels(source, band, out, kernel, stride, padding, dilation)):
                np.multiply(pixels, factors[k], out=term if k else total)
                if k:
                    total += term
            if offset is not None:
                total += offset

    parallel_map(_split(target), work)
    return y


def depthwise_conv_input_grad(
    grad: Array, weight: Array, size: Size, stride: Size, padding: Size, dilation: Size
) -> Array:
    """Return the gradient at the input, (N, C, *size)."""
    kernel, out, channels = weight.shape[2:], grad.shape[2:], grad.shape[1]
    result = empty_channels_last((*grad.shape[:2], *size), grad)
    if not len(grad):
        return result
    source, target = np.moveaxis(to_channels_last(grad), 1, -1), np.moveaxis(result, 1, -1)
    factors = np.ascontiguousarray(weight.reshape(channels, -1).T)
    inside = tuple(slice(p, p + n) for p, n in zip(padding, size, strict=True))

    def work(images: slice) -> None:
        some = source[images]
        padded = memory.zeros((len(some), *padded_size(size, padding), channels), grad.dtype)
        term = memory.empty(some.shape, grad.dtype)
        for factor, (_, *tap) in zip(factors, tap_slices(kernel, stride, dilation, out), strict=True):
            padded[:, *tap] += np.multiply(some, factor, out=term)
        target[images] = padded[:, *inside]

    parallel_for(len(grad), 3 * result[:1].nbytes, work)
    return result


def depthwise_conv_weight_grad(
    grad: Array, x: Array, kernel: Size, stride: Size, padding: Size, dilation: Size
) -> Array:
    """Return the gradient at the weight, (C, 1, *kernel)."""
    if not len(x):
        return np.zeros((x.shape[1], 1, *kernel), x.dtype)
    x_pixels, grad_pixels = np.moveaxis(x, 1, -1), np.moveaxis(to_channels_last(grad), 1, -1)
    out, channels = grad.shape[2:], x.shape[1]

    def work(run: Sequence[Band]) -> Array:
        total, term = np.zeros((prod(kernel), channels)), np.empty(0, x.dtype)
        for band in run:
            gradient = _as_lines(grad_pixels[band.images, band.top : band.bottom], stride)
            if term.shape != gradient.shape:
                term, ones = memory.empty(gradient.shape, x.dtype), np.ones(gradient.size // channels, x.dtype)
            for k, pixels in enumerate(_tap_pixels(x_pixels, band, out, kernel, stride, padding, dilation)):
                np.multiply(pixels, gradient, out=term)
                total[k] += ones @ term.reshape(-1, channels)
        return total

    total = reduce(np.add, parallel_map(_split(grad_pixels), work) or [np.zeros((prod(kernel), channels))])
    return np.ascontiguousarray(total.T.astype(x.dtype)).reshape(channels, 1, *kernel)


def _tap_pixels(
    pixels: Array, band: Band, out: Size, kernel: Size, stride: Size, padding: Size, dilation: Size
) -> Iterator[Array]:
    """Yield, for each kernel element, the pixels of (N, *size, C) that it meets in a band, as `_as_lines` has them."""
    counts, channels = (band.bottom - band.top, *out[1:]), pixels.shape[-1]
    reach = tuple((n - 1) * s + d * (k - 1) + 1 for n, s, d, k in zip(counts, stride, dilation, kernel, strict=True))
    start = (band.top * stride[0] - padding[0], *(-p for p in padding[1:]))
    box = crop(pixels, band.images, start, reach)
    if not _uses_lines(stride):
        return (box[:, *tap] for _, *tap in tap_slices(kernel, stride, dilation, counts))
    lines = np.ascontiguousarray(box).reshape(*box.shape[:-2], -1)
    return (
        lines[:, *tap, channels * last.start : channels * last.stop]
        for _, *tap, last in tap_slices(kernel, stride, dilation, counts)
    )


def _as_lines(pixels: Array, stride: Size) -> Array:
    """Return outputs (..., W, C) in the form in which NumPy processes them: (..., W * C) if `_uses_lines`."""
    return pixels.reshape(*pixels.shape[:-2], -1) if _uses_lines(stride) else pixels


def _uses_lines(stride: Size) -> bool:
    """Return True if the pixels that a kernel element meets along a line are contiguous.

    The first axis is split into bands and does not form lines.
    """
    return len(stride) > 1 and stride[-1] == 1


def _split(target: Array) -> list[Band]:
    """Split outputs (N, *out, C) into bands of which three fit the cache."""
    return split_into_bands(target.shape[0], target.shape[1], max(1, CHUNK_BYTES // (3 * target[0, 0].nbytes)))
