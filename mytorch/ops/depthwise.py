"""Depthwise convolution, in which each channel has a kernel of its own (groups == channels == filters): tap by tap.

A matrix product has nothing to do here: its matrices would be one column wide. Multiplying what a tap sees by the
tap's weights and adding up goes over the same memory once a tap, while it is in the cache. Names and shapes as in
`mytorch.ops.conv`, the weight being (C, 1, *kernel).
"""

from collections.abc import Iterator, Sequence
from functools import reduce
from math import prod

import numpy as np

from mytorch import memory
from mytorch.device import Array
from mytorch.geometry import Band, Size, bands, channels_last, cut, empty, output_size, padded_size, taps
from mytorch.threads import PART, share, spread


def depthwise(x: Array, weight: Array, bias: Array | None, stride: Size, padding: Size, dilation: Size) -> Array:
    """Correlation of each channel with its kernel, plus `bias` (C,). Returns y."""
    kernel = weight.shape[2:]
    out = tuple(map(output_size, x.shape[2:], kernel, stride, padding, dilation))
    y = empty((*x.shape[:2], *out), x)
    source, target = np.moveaxis(x, 1, -1), np.moveaxis(y, 1, -1)
    times = out[-1] if _whole_lines(stride) else 1
    factors = np.tile(weight.reshape(len(weight), -1).T, times)
    offset = None if bias is None else np.tile(bias, times)

    def work(run: Sequence[Band]) -> None:
        term: Array = np.empty(0)
        for band in run:
            total = _lines(target[band.images, band.top : band.bottom], stride)
            term = term if term.shape == total.shape else memory.empty(total.shape, x.dtype)
            for k, seen in enumerate(_seen(source, band, out, kernel, stride, padding, dilation)):
                np.multiply(seen, factors[k], out=term if k else total)
                if k:
                    total += term
            if offset is not None:
                total += offset

    spread(_bands(target), work)
    return y


def depthwise_input_grad(grad: Array, weight: Array, size: Size, stride: Size, padding: Size, dilation: Size) -> Array:
    """Gradient at the input, (N, C, *size)."""
    kernel, out, channels = weight.shape[2:], grad.shape[2:], grad.shape[1]
    result = empty((*grad.shape[:2], *size), grad)
    source, target = np.moveaxis(channels_last(grad), 1, -1), np.moveaxis(result, 1, -1)
    factors = np.ascontiguousarray(weight.reshape(channels, -1).T)
    inner = tuple(slice(p, p + n) for p, n in zip(padding, size, strict=True))

    def work(images: slice) -> None:
        some = source[images]
        padded = memory.empty((len(some), *padded_size(size, padding), channels), grad.dtype)
        term = memory.empty(some.shape, grad.dtype)
        padded[...] = 0
        for factor, (_, *seen) in zip(factors, taps(kernel, stride, dilation, out), strict=True):
            padded[:, *seen] += np.multiply(some, factor, out=term)
        target[images] = padded[:, *inner]

    share(len(grad), 3 * result[:1].nbytes, work)
    return result


def depthwise_weight_grad(grad: Array, x: Array, kernel: Size, stride: Size, padding: Size, dilation: Size) -> Array:
    """Gradient at the weight, (C, 1, *kernel)."""
    source, above = np.moveaxis(x, 1, -1), np.moveaxis(channels_last(grad), 1, -1)
    out, channels = grad.shape[2:], x.shape[1]

    def work(run: Sequence[Band]) -> Array:
        total, term = np.zeros((prod(kernel), channels)), np.empty(0, x.dtype)
        for band in run:
            some = _lines(above[band.images, band.top : band.bottom], stride)
            if term.shape != some.shape:
                term, ones = memory.empty(some.shape, x.dtype), np.ones(some.size // channels, x.dtype)
            for k, seen in enumerate(_seen(source, band, out, kernel, stride, padding, dilation)):
                np.multiply(seen, some, out=term)
                total[k] += ones @ term.reshape(-1, channels)
        return total

    total = reduce(np.add, spread(_bands(above), work) or [np.zeros((prod(kernel), channels))])
    return np.ascontiguousarray(total.T.astype(x.dtype)).reshape(channels, 1, *kernel)


def _seen(
    source: Array, band: Band, out: Size, kernel: Size, stride: Size, padding: Size, dilation: Size
) -> Iterator[Array]:
    """For each tap, what it sees of pixels (N, *size, C) over all outputs of a band, as `_lines` of them."""
    counts, channels = (band.bottom - band.top, *out[1:]), source.shape[-1]
    reach = tuple((n - 1) * s + d * (k - 1) + 1 for n, s, d, k in zip(counts, stride, dilation, kernel, strict=True))
    box = cut(source, band.images, (band.top * stride[0] - padding[0], *(-p for p in padding[1:])), reach)
    if not _whole_lines(stride):
        return (box[:, *seen] for _, *seen in taps(kernel, stride, dilation, counts))
    lines = np.ascontiguousarray(box).reshape(*box.shape[:-2], -1)
    return (
        lines[:, *seen, channels * last.start : channels * last.stop]
        for _, *seen, last in taps(kernel, stride, dilation, counts)
    )


def _lines(pixels: Array, stride: Size) -> Array:
    """Outputs (..., W, C) in the form in which NumPy goes over what a tap sees: at stride 1 a whole line in one go."""
    return pixels.reshape(*pixels.shape[:-2], -1) if _whole_lines(stride) else pixels


def _whole_lines(stride: Size) -> bool:
    """Whether a line of what a tap sees is one run in memory. The first axis is cut into bands, and makes no lines."""
    return len(stride) > 1 and stride[-1] == 1


def _bands(target: Array) -> list[Band]:
    """Bands of outputs (N, *out, C), of which three fit the cache."""
    return bands(target.shape[0], target.shape[1], max(1, PART // (3 * target[0, 0].nbytes)))
