"""The geometry of windows and the memory layout of images, for convolution and pooling.

Shapes are PyTorch's, (N, C, *size), with any number of spatial axes. Memory is "channels last", (N, *size, C): the
channels of a pixel are contiguous, so gathering windows copies long runs and a convolution is one matrix product. The
functions here allocate, pad and crop such arrays. Elementwise NumPy keeps the layout, so nothing is transposed between
layers.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache, reduce, wraps
from itertools import product
from math import prod
from typing import Any, NamedTuple, ParamSpec

import numpy as np

from mytorch import memory
from mytorch.device import Array, get_array_module, is_cuda
from mytorch.threads import get_num_threads, parallel_for

Size = tuple[int, ...]

Padding = Sequence[int | tuple[int, int]]
"""For each axis, the padding at both ends, or a pair: before and after."""

P = ParamSpec("P")


def output_size(
    size: int, kernel: int, stride: int = 1, padding: int = 0, dilation: int = 1, ceil_mode: bool = False
) -> int:
    """Return the number of windows along one axis, as PyTorch counts them.

    ceil_mode: count a last window that reaches beyond the padding, unless it starts there. Raises ValueError if not
    even one window fits.
    """
    reach = dilation * (kernel - 1) + 1
    count = (size + 2 * padding - reach) // stride + 1
    if ceil_mode:
        count = -(-(size + 2 * padding - reach) // stride) + 1
        count -= (count - 1) * stride >= size + padding
    if count < 1:
        raise ValueError(
            f"a window of {reach} does not fit an axis of {size} with padding {padding}: "
            "use a smaller kernel or dilation, more padding, or a larger input"
        )
    return count


def tap_slices(kernel: Size, stride: Size, dilation: Size, out: Size) -> Iterator[tuple]:
    """Yield, for each element of the kernel, the index of the padded input's pixels that it meets at all outputs.

    The slices are for the trailing axes, in the C order of `kernel`. A strided slice is a view, so gathering (im2col,
    pooling) and scattering (their gradients) need one pass per kernel element and no index arrays.
    """
    for index in product(*map(range, kernel)):
        starts = (k * d for k, d in zip(index, dilation, strict=True))
        yield (..., *(slice(b, b + s * (n - 1) + 1, s) for b, s, n in zip(starts, stride, out, strict=True)))


def empty_channels_last(shape: Size, like: Array) -> Array:
    """Return an uninitialized array (N, C, *size) in channels-last memory, with the device and dtype of `like`."""
    n, c, *size = shape
    return to_nchw(empty((n, *size, c), like))


def empty(shape: Size, like: Array) -> Array:
    """Return an uninitialized array in C order, with the device and dtype of `like`."""
    return get_array_module(like).empty(shape, like.dtype) if is_cuda(like) else memory.empty(shape, like.dtype)


def empty_like(x: Array) -> Array:
    """Return an uninitialized array with the shape, device and dtype of `x`, channels last if `x` is."""
    channels_last = x.ndim > 2 and not x.flags.c_contiguous and to_nhwc(x).flags.c_contiguous
    return empty_channels_last(x.shape, x) if channels_last else empty(x.shape, x)


def to_channels_last(x: Array) -> Array:
    """Return `x` (N, C, *size) in channels-last memory: itself if it already is, otherwise a copy."""
    return to_nchw(get_array_module(x).ascontiguousarray(to_nhwc(x)))


def to_nhwc(x: Array) -> Array:
    """Return a view (N, *size, C) of `x` (N, C, *size), in C order if memory is channels last."""
    return x.transpose(0, *range(2, x.ndim), 1)


def to_nchw(x: Array) -> Array:
    """Return a view (N, C, *size) of `x` (N, *size, C)."""
    return x.transpose(0, x.ndim - 1, *range(1, x.ndim - 1))


def to_matrix(x: Array) -> Array:
    """Return `x` (N, C, *size) as a matrix (N * positions, C): a view if memory is channels last."""
    return to_nhwc(x).reshape(-1, x.shape[1])


def both_ends(padding: Padding) -> list[tuple[int, int]]:
    """Return the padding of each axis as a pair: before and after."""
    return [p if isinstance(p, tuple) else (p, p) for p in padding]


def inside_padding(padding: Padding) -> tuple:
    """Return the index that removes `padding` from the trailing axes."""
    return (..., *(slice(before, -after or None) for before, after in both_ends(padding)))


def pad(x: Array, padding: Padding, value: float = 0) -> Array:
    """Return `x` (N, C, *size) padded with `value`, in channels-last memory; `x` itself if nothing is to be done."""
    if not any(padding):
        return to_channels_last(x)
    padded = empty_channels_last((*x.shape[:2], *padded_size(x.shape[2:], padding)), x)
    for axis, (before, after) in enumerate(both_ends(padding), start=2):
        border = np.moveaxis(padded, axis, 0)
        border[:before] = value
        border[len(border) - after :] = value
    padded[inside_padding(padding)] = x
    return padded


def padded_size(size: Sequence[int], padding: Padding) -> Size:
    """Return the size of the trailing axes after padding at both ends."""
    return tuple(n + before + after for n, (before, after) in zip(size, both_ends(padding), strict=True))


def window_padding(size: Size, out: Size, kernel: Size, stride: Size, padding: Size, dilation: Size) -> Padding:
    """Return the padding that `out` windows need: `padding`, and more after the end if the last window reaches out."""
    needed: list[int | tuple[int, int]] = []
    for n, o, k, s, p, d in zip(size, out, kernel, stride, padding, dilation, strict=True):
        after = (o - 1) * s + d * (k - 1) + 1 - n - p
        needed.append((p, after) if after > p else p)
    return needed


@lru_cache(maxsize=256)
def mean_weight(
    size: Size,
    out: Size,
    kernel: Size,
    stride: Size,
    padding: Size,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> float | np.ndarray:
    """Return the factor of the sum of each window of an average pooling: a number, or an array (*out) if they differ.

    A window's length excludes what is beyond the padding, and the padding too without count_include_pad.
    """
    if divisor_override:
        return 1 / divisor_override
    counts = []
    for n, o, k, s, p in zip(size, out, kernel, stride, padding, strict=True):
        start = np.arange(o) * s - p
        stop = np.minimum(start + k, n + p)
        counts.append(stop - start if count_include_pad else np.minimum(stop, n) - np.maximum(start, 0))
    if all((count == k).all() for count, k in zip(counts, kernel, strict=True)):
        return 1 / prod(kernel)
    weight = 1 / reduce(np.multiply.outer, counts)
    weight.flags.writeable = False  # the same array is returned for all calls with this geometry
    return weight


def crop(pixels: Array, images: slice, start: Size, size: Size) -> Array:
    """Return a box (n, *size, C) of the NumPy array `pixels` (N, *size, C), for some images, zero outside the pixels.

    The box is a view if it does not reach outside.
    """
    some = pixels[images]
    if all(0 <= first <= length - n for first, n, length in zip(start, size, pixels.shape[1:-1], strict=True)):
        return some[:, *(slice(first, first + n) for first, n in zip(start, size, strict=True))]
    return crop_into(memory.empty((len(some), *size, some.shape[-1]), some.dtype), pixels, images, start)


def crop_into(box: Array, pixels: Array, images: slice, start: Size, zeroed: bool = False) -> Array:
    """Write `crop` into an existing box (n, *size, C), and return it.

    zeroed: the box is already zero wherever it reaches outside the pixels.
    """
    some, size, lengths = pixels[images], box.shape[1:-1], pixels.shape[1:-1]
    inside: tuple[slice, ...] = ()
    source: tuple[slice, ...] = ()
    for first, n, length in zip(start, size, lengths, strict=True):
        low = min(n, max(0, -first))
        high = max(low, min(n, length - first))
        if low and not zeroed:
            box[:, *inside, :low] = 0
        if high < n and not zeroed:
            box[:, *inside, high:] = 0
        inside, source = (*inside, slice(low, high)), (*source, slice(first + low, first + high))
    box[:, *inside] = some[:, *source]
    return box


class Band(NamedTuple):
    """A part of the outputs: the rows from `top` to `bottom`, along the first spatial axis, of some images."""

    images: slice
    top: int
    bottom: int


def split_into_bands(count: int, rows: int, max_rows: int) -> list[Band]:
    """Split `count` images of `rows` rows into bands of at most `max_rows` rows: several images, or part of one.

    A band has at least one row. There is at least one band for each thread, if there are enough rows.
    """
    threads = get_num_threads()
    images = max(1, min(max_rows // rows, -(-count // threads)))
    parts = max(-(-rows // max(1, max_rows)), -(-threads // max(1, count)))
    height = -(-rows // parts)
    return [
        Band(slice(first, min(first + images, count)), top, min(top + height, rows))
        for first in range(0, count, images)
        for top in range(0, rows, height)
    ]


def parallel_over_images(function: Callable[P, Array]) -> Callable[P, Array]:
    """Decorate a function that treats images independently and returns the shape of its first array.

    The function is called on a few images at a time, on several threads, so that its temporaries fit the cache. Arrays
    with as many axes and images as the first are sliced with it; other arguments are passed whole.
    """

    @wraps(function)
    def parallel(*args: P.args, **kwargs: P.kwargs) -> Array:
        x: Any = args[0]
        if is_cuda(x) or not x.ndim or x.nbytes < memory.MIN_POOLED_BYTES:
            return function(*args, **kwargs)
        sliced = [isinstance(a, np.ndarray) and a.ndim == x.ndim and len(a) == len(x) for a in args]
        result = empty_like(x)

        def work(images: slice) -> None:
            some = (a[images] if is_sliced else a for a, is_sliced in zip(args, sliced, strict=True))  # type: ignore[index]
            result[images] = function(*some, **kwargs)  # type: ignore[arg-type]

        parallel_for(len(x), 2 * sum(sliced) * x[:1].nbytes, work)
        return result

    return parallel


def split_by_budget(count: int, elements_per_item: int, max_elements: int) -> Iterator[slice]:
    """Yield slices that cover range(count), each of at most `max_elements` elements and at least one item."""
    step = max(1, max_elements // max(1, elements_per_item))
    for start in range(0, count, step):
        yield slice(start, min(start + step, count))
