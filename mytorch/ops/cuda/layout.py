"""How arrays lie in memory: kernels see dense memory alone, in one order for all arrays of a call."""

from typing import Any

import numpy as np

from mytorch.device import Array, namespace, on_cuda
from mytorch.geometry import channels_last


def dense(x: Array) -> Array:
    """`x` itself where its memory has no gaps and runs in the order of its axes, or channels last; else a copy so."""
    return packed(x) if x.flags.c_contiguous or x.ndim < 2 else channels_last(x)


def beside(x: Array, other: Array) -> Array:
    """`other`, of x's shape, laid out as the dense `x` is: itself where it is so already."""
    if other.strides == x.strides:
        return other
    copy = namespace(x).empty_like(x, dtype=other.dtype)
    copy[...] = other
    return copy


def packed(x: Array) -> Array:
    """`x` with memory in the order of its axes, without gaps: itself where it is so already."""
    return namespace(x).ascontiguousarray(x)


WIDEST = 16
"""Bytes that a thread fetches at once at most, from a multiple of as many."""


def aligned(x: Any) -> bool:
    """Whether the memory of `x` begins where the widest fetch may; that of a view into a larger array may not."""
    return bool((x.data.ptr if on_cuda(x) else x.ctypes.data) % WIDEST == 0)


def of_kind(x: Array, dtype: np.dtype | type | str) -> Array:
    """`x` in `dtype`: itself where it has it already."""
    return x.astype(dtype, copy=False)
