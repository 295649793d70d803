"""Memory layout for kernels: dense arrays only, and the same order for all arrays of a launch."""

from typing import Any

import numpy as np

from mytorch.device import Array, get_array_module, is_cuda
from mytorch.geometry import to_channels_last

MAX_FETCH_BYTES = 16
"""Bytes that a thread can fetch at once at most, from an address that is a multiple of this."""


def dense(x: Array) -> Array:
    """Return `x` in dense memory, in C order or channels last: itself if it already is, otherwise a copy."""
    return contiguous(x) if x.flags.c_contiguous or x.ndim < 2 else to_channels_last(x)


def match_layout(x: Array, other: Array) -> Array:
    """Return `other`, of x's shape, in the memory layout of the dense `x`: itself if it already is."""
    if other.strides == x.strides:
        return other
    copy = get_array_module(x).empty_like(x, dtype=other.dtype)
    copy[...] = other
    return copy


def contiguous(x: Array) -> Array:
    """Return `x` in C order: itself if it already is, otherwise a copy."""
    return get_array_module(x).ascontiguousarray(x)


def is_aligned(x: Any) -> bool:
    """Return True if the memory of `x` starts where the widest fetch may. A view into a larger array may not."""
    return bool((x.data.ptr if is_cuda(x) else x.ctypes.data) % MAX_FETCH_BYTES == 0)


def to_dtype(x: Array, dtype: np.dtype | type | str) -> Array:
    """Return `x` in `dtype`: itself if it already is."""
    return x.astype(dtype, copy=False)
