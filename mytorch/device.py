"""Which array module an array lives in: NumPy on the CPU, CuPy on an NVIDIA GPU."""

from types import ModuleType
from typing import TypeAlias

import numpy as np

Array: TypeAlias = np.ndarray
"""A NumPy array, or a CuPy array, which offers the same methods."""


def namespace(array: Array) -> ModuleType:
    """The module whose functions work on `array`: cupy for its own arrays, numpy for all else.

    CuPy is imported only once somebody holds one of its arrays, so the library needs NumPy alone.
    """
    if type(array).__module__.partition(".")[0] == "cupy":
        import cupy

        return cupy
    return np
