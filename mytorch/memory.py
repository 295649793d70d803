"""A cache of memory blocks for large arrays.

The operating system provides fresh memory page by page, at the first touch of each page. That costs about as much as
the arithmetic on it. A training step allocates the same sizes again and again, so the memory of a freed array is cached
here for the next array of its size. A block is reused only when no view of its array is left: an array that a user
still holds is never overwritten.
"""

import os
import threading
from collections import OrderedDict
from math import prod
from typing import Any

import numpy as np

MIN_POOLED_BYTES = 1 << 18
"""Smaller arrays are allocated by NumPy as usual."""

CACHE_LINE_BYTES = 64
"""Arrays start at a multiple of this, so that the processor's vectors never straddle two cache lines."""

_LOCK = threading.RLock()  # reentrant: garbage collection may return a block while `empty` holds the lock
_free: OrderedDict[int, list[np.ndarray]] = OrderedDict()
_cached_bytes = 0
_cache_limit = 1 << 30


def _reset_after_fork() -> None:
    """Start with an empty cache in a forked process: another thread of the parent may have held the lock."""
    global _LOCK, _free, _cached_bytes
    _LOCK, _free, _cached_bytes = threading.RLock(), OrderedDict(), 0


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_reset_after_fork)


def empty(shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    """Return an uninitialized array in C order, in cached memory if a block of its size is free."""
    size = prod(shape) * np.dtype(dtype).itemsize
    if size < MIN_POOLED_BYTES:
        return np.empty(shape, dtype)
    return np.asarray(_Lease(_take_block(_round_up(size)), shape, np.dtype(dtype)))


def zeros(shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    """Return an array of zeros in C order, in cached memory if a block of its size is free."""
    array = empty(shape, dtype)
    array[...] = 0
    return array


def set_cache_limit(size: int) -> None:
    """Cache at most `size` bytes of freed memory; the default is 1 GiB, and 0 turns the cache off.

    Raises ValueError for a negative size.
    """
    global _cache_limit
    if size < 0:
        raise ValueError(f"set_cache_limit({size}): expected a number of bytes, 0 or more")
    with _LOCK:
        _cache_limit = int(size)
        _trim()


def cached_bytes() -> int:
    """Return how many bytes of freed memory are cached."""
    return _cached_bytes


class _Lease:
    """The owner of an array's memory. It is collected with the last view of the array and returns its block."""

    __slots__ = ("__array_interface__", "block")

    def __init__(self, block: np.ndarray, shape: tuple[int, ...], dtype: np.dtype):
        self.block = block
        self.__array_interface__ = {
            "shape": shape,
            "typestr": dtype.str,
            "data": (block.__array_interface__["data"][0], False),
            "version": 3,
        }

    def __del__(self) -> None:
        _return_block(self.block)


def _round_up(size: int) -> int:
    """Round up to one of eight sizes per power of two, so that arrays of similar size share blocks."""
    step = 1 << max(12, size.bit_length() - 4)
    return -(-size // step) * step


def _take_block(size: int) -> np.ndarray:
    global _cached_bytes
    with _LOCK:
        blocks = _free.get(size)
        if blocks:
            _cached_bytes -= size
            return blocks.pop()
    memory = np.empty(size + CACHE_LINE_BYTES, np.uint8)
    start = -memory.ctypes.data % CACHE_LINE_BYTES
    return memory[start : start + size]


def _return_block(block: np.ndarray) -> None:
    global _cached_bytes
    with _LOCK:
        _free.setdefault(len(block), []).append(block)
        _free.move_to_end(len(block))
        _cached_bytes += len(block)
        _trim()


def _trim() -> None:
    """Free cached blocks until the limit holds, least recently returned sizes first."""
    global _cached_bytes
    while _cached_bytes > _cache_limit:
        size, blocks = next(iter(_free.items()))
        if blocks:
            blocks.pop()
            _cached_bytes -= size
        else:
            del _free[size]
