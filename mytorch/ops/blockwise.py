"""Elementwise arithmetic in blocks that stay in a core's cache, on several threads.

A formula of several steps is several NumPy calls, and each would read and write the whole array in main memory. A block
of about 1 MiB goes through all of them in the cache. The shape does not matter: arrays are flattened in memory order.
"""

from collections.abc import Callable, Sequence
from functools import wraps
from inspect import Signature, signature
from typing import Any

import numpy as np

from mytorch.device import Array, get_array_module, is_cuda
from mytorch.geometry import empty_like, to_nhwc
from mytorch.threads import chunks, parallel_map

MAX_SINGLE_BLOCK = 1 << 17
"""Arrays with at most this many elements are one block, without threads."""

ARRAYS_PER_FORMULA = 8
"""How many arrays, temporaries included, a formula is assumed to touch. It decides the size of the blocks."""


def elementwise(function: Callable[..., None]) -> Callable[..., Array]:
    """Decorate `function(out, *arrays, ...)`, which fills `out`, so that it returns a new array.

    Arguments of the first array's shape are split into blocks with it; others, such as numbers, are passed whole.
    """

    @wraps(function)
    def returning(*args: Any, **settings: Any) -> Array:
        x = args[0]
        out = get_array_module(x).empty_like(x) if is_cuda(x) else empty_like(x)
        _call_on_blocks(function, out, (out, *args), settings)
        return out

    vars(returning)["__signature__"] = returning_signature(function)
    return returning


def elementwise_pair(function: Callable[..., None]) -> Callable[..., tuple[Array, Array]]:
    """Decorate `function(out, saved, *arrays, ...)`, which fills two arrays, so that it returns both."""

    @wraps(function)
    def returning(*args: Any, **settings: Any) -> tuple[Array, Array]:
        out, saved = empty_like(args[0]), empty_like(args[0])
        _call_on_blocks(function, out, (out, saved, *args), settings)
        return out, saved

    vars(returning)["__signature__"] = returning_signature(function, outputs=2)
    return returning


def returning_signature(function: Callable[..., None], outputs: int = 1) -> Signature:
    """Return the signature of `function(out, *arrays)` once it returns its one or two outputs instead."""
    filling = signature(function)
    inputs = list(filling.parameters.values())[outputs:]
    return filling.replace(parameters=inputs, return_annotation=tuple[Array, Array] if outputs == 2 else Array)


@elementwise
def copied(out: Array, x: Array) -> None:
    """Return a copy of x, for a layer that needs an output which its caller may change."""
    out[...] = x


def in_place(function: Callable[..., None]) -> Callable[..., None]:
    """Decorate `function(array, ...)`, which changes arrays of one shape in place, to work block by block."""

    @wraps(function)
    def blockwise(*args: Any, **settings: Any) -> None:
        arrays = [a for a in args if _has_shape(a, args[0])]
        if any(not a.flags.c_contiguous for a in arrays):
            function(*args, **settings)
        else:
            _call_on_blocks(function, args[0], args, settings)

    return blockwise


def blockwise_sum(terms: Callable[..., Array], *arrays: Array) -> float:
    """Return the sum of `terms(*arrays)`, computed block by block. The sums of the blocks are added in float64."""
    first = arrays[0]
    if is_cuda(first):
        return float(terms(*arrays).sum(dtype="d"))
    vectors = [_flatten(array, first) for array in arrays]

    def work(run: Sequence[slice]) -> float:
        return sum(float(terms(*(vector[block] for vector in vectors)).sum()) for block in run)

    return sum(parallel_map(_blocks(first), work))


def _call_on_blocks(function: Callable[..., None], like: Array, args: Sequence[Any], settings: dict[str, Any]) -> None:
    small = like.ndim > 0 and like.size <= MAX_SINGLE_BLOCK
    if is_cuda(like) or (small and all(a.flags.c_contiguous for a in args if _has_shape(a, like))):
        function(*args, **settings)
        return
    values = [(_flatten(a, like), True) if _has_shape(a, like) else (a, False) for a in args]

    def work(run: Sequence[slice]) -> None:
        for block in run:
            function(*(value[block] if is_split else value for value, is_split in values), **settings)

    parallel_map(_blocks(like), work)


def _blocks(like: Array) -> list[slice]:
    return chunks(like.size, ARRAYS_PER_FORMULA * like.itemsize)


def _has_shape(array: Any, like: Array) -> bool:
    return isinstance(array, np.ndarray) and array.shape == like.shape


def _flatten(array: Array, like: Array) -> Array:
    """Return `array` as a vector in the memory order of `like`: a view if its layout is the same."""
    return (array if like.ndim < 3 or like.flags.c_contiguous else to_nhwc(array)).reshape(-1)
