"""Memory for large arrays, used again once nobody holds the array that had it.

The operating system hands out fresh memory page by page, each at its first touch, and that costs about as much as the
arithmetic on it. A training step needs the same sizes again and again; so a freed array's memory waits here for the
next of its size. It is handed out only when no view of the array is left: an array that a user holds is never written
to by others.
"""

import threading
from collections import OrderedDict
from math import prod
from typing import Any

import numpy as np

LEAST = 1 << 18
"""Bytes from which on an array has its memory from here; smaller ones are NumPy's own business."""

LINE = 64
"""Bytes of a line of the cache, at which arrays begin: the processor's vectors then never straddle two."""

_LOCK = threading.RLock()  # a collected array comes back at any moment, inside of `empty` as well
_free: OrderedDict[int, list[np.ndarray]] = OrderedDict()
_waiting = 0
_reserve = 1 << 30


def empty(shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    """An array with C order, uninitialised, whose memory may have served before."""
    size = prod(shape) * np.dtype(dtype).itemsize
    if size < LEAST:
        return np.empty(shape, dtype)
    return np.asarray(_Lease(_taken(_rounded(size)), shape, np.dtype(dtype)))


def zeros(shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    """An array of zeros, whose memory may have served before."""
    array = empty(shape, dtype)
    array[...] = 0
    return array


def set_reserve(size: int) -> None:
    """Let at most so many bytes of freed memory wait for their next use, 1 GiB unless set; 0 keeps none."""
    global _reserve
    if size < 0:
        raise ValueError(f"set_reserve({size}): expected a number of bytes, 0 or more")
    with _LOCK:
        _reserve = int(size)
        _trim()


def waiting() -> int:
    """Bytes of freed memory that wait for their next use."""
    return _waiting


class _Lease:
    """What an array that came from here holds on to. Where the array and all its views are gone, so is this."""

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
        _give_back(self.block)


def _rounded(size: int) -> int:
    """Up to the next of eight sizes between a power of two and the next: arrays of nearly one size share memory."""
    step = 1 << max(12, size.bit_length() - 4)
    return -(-size // step) * step


def _taken(size: int) -> np.ndarray:
    global _waiting
    with _LOCK:
        blocks = _free.get(size)
        if blocks:
            _waiting -= size
            return blocks.pop()
    memory = np.empty(size + LINE, np.uint8)
    start = -memory.ctypes.data % LINE
    return memory[start : start + size]


def _give_back(block: np.ndarray) -> None:
    global _waiting
    with _LOCK:
        _free.setdefault(len(block), []).append(block)
        _free.move_to_end(len(block))
        _waiting += len(block)
        _trim()


def _trim() -> None:
    """Let go of memory above the reserve, of the sizes first that were given back the longest ago."""
    global _waiting
    while _waiting > _reserve:
        size, blocks = next(iter(_free.items()))
        if blocks:
            blocks.pop()
            _waiting -= size
        else:
            del _free[size]
