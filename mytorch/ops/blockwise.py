"""Arithmetic element by element in blocks that stay in a core's own cache, shared among threads.

A formula of several steps is as many NumPy calls, and over a large array each of them would go to memory and back. A
block of a MiB goes through all of them in the cache. Where elements stand does not matter: arrays are taken as
flat ones, in the order in which they lie in memory.
"""

from collections.abc import Callable, Sequence
from functools import wraps
from inspect import Signature, signature
from typing import Any

import numpy as np

from mytorch.device import Array, namespace, on_cuda
from mytorch.geometry import empty_like, to_pixels
from mytorch.threads import parts, spread

WHOLE = 1 << 17
"""Elements up to which an array is one block, and no thread's work is split off."""

ARRAYS = 8
"""So many arrays a formula is taken to touch when elements are parted."""


def elementwise(function: Callable[..., None]) -> Callable[..., Array]:
    """A decorator: `function(out, *arrays, ...)`, which fills `out`, becomes one that returns a new array.

    Arguments of the first one's shape are parted along with it; others, such as numbers, every block is given whole.
    """

    @wraps(function)
    def whole(*args: Any, **settings: Any) -> Array:
        x = args[0]
        out = namespace(x).empty_like(x) if on_cuda(x) else empty_like(x)
        _each_block(function, out, (out, *args), settings)
        return out

    vars(whole)["__signature__"] = signature_of_result(function)
    return whole


def elementwise_twice(function: Callable[..., None]) -> Callable[..., tuple[Array, Array]]:
    """As `elementwise`: `function(out, beside, *arrays, ...)`, which fills two, becomes one that returns both."""

    @wraps(function)
    def whole(*args: Any, **settings: Any) -> tuple[Array, Array]:
        out, beside = empty_like(args[0]), empty_like(args[0])
        _each_block(function, out, (out, beside, *args), settings)
        return out, beside

    vars(whole)["__signature__"] = signature_of_result(function)
    return whole


def signature_of_result(function: Callable[..., None]) -> Signature:
    """How `function(out, *arrays)` is called once it returns a new array, or two."""
    filled = signature(function)
    given = [parameter for name, parameter in filled.parameters.items() if name not in ("out", "beside")]
    returned = tuple[Array, Array] if "beside" in filled.parameters else Array
    return filled.replace(parameters=given, return_annotation=returned)


def in_place(function: Callable[..., None]) -> Callable[..., None]:
    """A decorator: `function(array, ...)`, which changes arrays of one shape in place, does so in blocks."""

    @wraps(function)
    def whole(*args: Any, **settings: Any) -> None:
        arrays = [a for a in args if _of_shape(a, args[0])]
        if any(not a.flags.c_contiguous for a in arrays):
            function(*args, **settings)
        else:
            _each_block(function, args[0], args, settings)

    return whole


def summed(terms: Callable[..., Array], *arrays: Array) -> float:
    """The sum of `terms(*arrays)`, which are computed block by block and never all there; blocks add up in float64."""
    first = arrays[0]
    if on_cuda(first):
        return float(terms(*arrays).sum(dtype="d"))
    lines = [_line(array, first) for array in arrays]

    def work(run: Sequence[slice]) -> float:
        return sum(float(terms(*(line[block] for line in lines)).sum()) for block in run)

    return sum(spread(_blocks(first), work))


def _each_block(function: Callable[..., None], like: Array, args: Sequence[Any], settings: dict[str, Any]) -> None:
    small = like.ndim > 0 and like.size <= WHOLE
    if on_cuda(like) or (small and all(a.flags.c_contiguous for a in args if _of_shape(a, like))):
        function(*args, **settings)
        return
    lines = [(_line(a, like), True) if _of_shape(a, like) else (a, False) for a in args]

    def work(run: Sequence[slice]) -> None:
        for block in run:
            function(*(line[block] if parted else line for line, parted in lines), **settings)

    spread(_blocks(like), work)


def _blocks(like: Array) -> list[slice]:
    return parts(like.size, ARRAYS * like.itemsize)


def _of_shape(array: Any, like: Array) -> bool:
    return isinstance(array, np.ndarray) and array.shape == like.shape


def _line(array: Array, like: Array) -> Array:
    """`array` as a vector in the order of `like`'s memory: a view where it lies as `like` does."""
    return (array if like.ndim < 3 or like.flags.c_contiguous else to_pixels(array)).reshape(-1)
