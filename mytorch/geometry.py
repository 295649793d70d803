"""Where windows stand: the arithmetic that convolution and pooling share.

Shapes are PyTorch's, (N, C, *size). Memory runs (N, *size, C), "channels last": a pixel's channels lie side by side,
so that gathering windows copies long runs and a convolution is one matrix product. The functions here make, pad and
crop such arrays; elementwise NumPy keeps their order, so nothing is turned over between layers.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import wraps
from itertools import product
from math import prod
from typing import Any, NamedTuple, ParamSpec

import numpy as np

from mytorch import memory
from mytorch.device import Array, namespace, on_cuda
from mytorch.threads import get_num_threads, share

Size = tuple[int, ...]

P = ParamSpec("P")


def output_size(size: int, kernel: int, stride: int = 1, padding: int = 0, dilation: int = 1) -> int:
    """Number of windows along one axis, as PyTorch counts them.

    Raises ValueError where not even one window fits.
    """
    reach = dilation * (kernel - 1) + 1
    count = (size + 2 * padding - reach) // stride + 1
    if count < 1:
        raise ValueError(
            f"a window of {reach} does not fit an axis of {size} with padding {padding}: "
            "use a smaller kernel or dilation, more padding, or a larger input"
        )
    return count


def taps(kernel: Size, stride: Size, dilation: Size, out: Size) -> Iterator[tuple]:
    """For each element of the kernel, the slice of a padded input that it sees over all outputs at once.

    Yields slices for the trailing axes, in the C order of `kernel`. A strided slice is a view, so gathering (im2col,
    pooling) and scattering (their gradients) are both one pass an element, without index arrays.
    """
    for index in product(*map(range, kernel)):
        starts = (k * d for k, d in zip(index, dilation, strict=True))
        yield (..., *(slice(b, b + s * (n - 1) + 1, s) for b, s, n in zip(starts, stride, out, strict=True)))


def empty(shape: Size, like: Array) -> Array:
    """An array (N, C, *size) with memory channels last, uninitialised, of the kind and dtype of `like`."""
    n, c, *size = shape
    return from_pixels(fresh((n, *size, c), like))


def fresh(shape: Size, like: Array) -> Array:
    """An array in C order, uninitialised, of the kind and dtype of `like`."""
    return namespace(like).empty(shape, like.dtype) if on_cuda(like) else memory.empty(shape, like.dtype)


def empty_like(x: Array) -> Array:
    """An array of the shape, kind and dtype of `x`, uninitialised, memory channels last where that of `x` is."""
    last = x.ndim > 2 and not x.flags.c_contiguous and to_pixels(x).flags.c_contiguous
    return empty(x.shape, x) if last else fresh(x.shape, x)


def channels_last(x: Array) -> Array:
    """`x` (N, C, *size) with memory channels last: itself where it is so already, else a copy."""
    return from_pixels(namespace(x).ascontiguousarray(to_pixels(x)))


def to_pixels(x: Array) -> Array:
    """`x` (N, C, *size) as (N, *size, C), a view: C order where memory is channels last."""
    return x.transpose(0, *range(2, x.ndim), 1)


def from_pixels(x: Array) -> Array:
    """(N, *size, C) as (N, C, *size), a view."""
    return x.transpose(0, x.ndim - 1, *range(1, x.ndim - 1))


def flat(x: Array) -> Array:
    """`x` (N, C, *size) as a matrix (N * positions, C): a view where memory is channels last."""
    return to_pixels(x).reshape(-1, x.shape[1])


def inner(padding: Size) -> tuple:
    """The index that cuts `padding` off the trailing axes again."""
    return (..., *(slice(p, -p or None) for p in padding))


def pad(x: Array, padding: Size, value: float = 0) -> Array:
    """`x` (N, C, *size) with `value` around its trailing axes, memory channels last; `x` itself where it can be."""
    if not any(padding):
        return channels_last(x)
    padded = empty((*x.shape[:2], *padded_size(x.shape[2:], padding)), x)
    for axis, p in enumerate(padding, start=2):
        if p:
            border = np.moveaxis(padded, axis, 0)
            border[:p] = value
            border[-p:] = value
    padded[inner(padding)] = x
    return padded


def padded_size(size: Sequence[int], padding: Size) -> Size:
    """The size of the trailing axes after padding at both ends."""
    return tuple(n + 2 * p for n, p in zip(size, padding, strict=True))


def cut(pixels: Array, images: slice, start: Size, size: Size) -> Array:
    """A box of NumPy's `pixels` (N, *size, C), of some images, zero where it reaches beyond them: (n, *size, C).

    A view where it does not.
    """
    some = pixels[images]
    if all(0 <= first <= length - n for first, n, length in zip(start, size, pixels.shape[1:-1], strict=True)):
        return some[:, *(slice(first, first + n) for first, n in zip(start, size, strict=True))]
    return fill(memory.empty((len(some), *size, some.shape[-1]), some.dtype), pixels, images, start)


def fill(box: Array, pixels: Array, images: slice, start: Size, cleared: bool = False) -> Array:
    """`cut` into a box (n, *size, C) that is there already. Returns it.

    cleared: it is zero already wherever this box reaches beyond the pixels.
    """
    some, size, lengths = pixels[images], box.shape[1:-1], pixels.shape[1:-1]
    within: tuple[slice, ...] = ()
    here: tuple[slice, ...] = ()
    for first, n, length in zip(start, size, lengths, strict=True):
        low = min(n, max(0, -first))
        high = max(low, min(n, length - first))
        if low and not cleared:
            box[:, *within, :low] = 0
        if high < n and not cleared:
            box[:, *within, high:] = 0
        within, here = (*within, slice(low, high)), (*here, slice(first + low, first + high))
    box[:, *within] = some[:, *here]
    return box


class Band(NamedTuple):
    """A part of the outputs: the rows from `top` to `bottom`, along the first spatial axis, of some images."""

    images: slice
    top: int
    bottom: int


def bands(count: int, rows: int, most: int) -> list[Band]:
    """Bands of at most so many rows, but one, that cover `count` images: several whole ones, or a part of one.

    There are as many as threads, if there is so much to part.
    """
    threads = get_num_threads()
    some = max(1, min(most // rows, -(-count // threads)))
    parts = max(-(-rows // max(1, most)), -(-threads // max(1, count)))
    height = -(-rows // parts)
    return [
        Band(slice(first, min(first + some, count)), top, min(top + height, rows))
        for first in range(0, count, some)
        for top in range(0, rows, height)
    ]


def by_images(function: Callable[P, Array]) -> Callable[P, Array]:
    """A decorator: a function that keeps the shape of its first array and treats its images apart, done in parts.

    What the function makes on its way is then small enough for the cache, and several threads have work. Arrays of as
    many axes and images are parted along; others, such as a number a channel, every part is given whole.
    """

    @wraps(function)
    def parted(*args: P.args, **kwargs: P.kwargs) -> Array:
        x: Any = args[0]
        if on_cuda(x) or not x.ndim or x.nbytes < memory.LEAST:
            return function(*args, **kwargs)
        along = [isinstance(a, np.ndarray) and a.ndim == x.ndim and len(a) == len(x) for a in args]
        result = empty_like(x)

        def work(part: slice) -> None:
            some = (a[part] if cut else a for a, cut in zip(args, along, strict=True))  # type: ignore[index]
            result[part] = function(*some, **kwargs)  # type: ignore[arg-type]

        share(len(x), 2 * sum(along) * x[:1].nbytes, work)
        return result

    return parted


def blocks(count: int, elements_each: int, budget: int) -> Iterator[slice]:
    """Slices that cover `count` items, each of one at least and as many as `budget` elements allow."""
    step = max(1, budget // max(1, elements_each))
    for start in range(0, count, step):
        yield slice(start, min(start + step, count))


def positions(size: Sequence[int]) -> int:
    """How many positions a grid of this size has."""
    return prod(size)
