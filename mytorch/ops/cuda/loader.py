"""Compiling and launching CUDA kernels: CuPy compiles a source at its first launch, once per floating-point type."""

import re
from collections.abc import Callable
from functools import cache
from math import ceil
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from mytorch.device import Array, is_cuda

FOLDER = Path(__file__).parent
TYPES = {"f": "float", "d": "double"}
"""The C++ type that REAL is defined as in a source, by the character of the arrays' dtype."""

THREADS_PER_BLOCK = 256

MAX_BLOCKS = 1 << 14
"""Blocks of a grid, enough for any GPU. Kernels loop over the rest of the work."""

Launcher: TypeAlias = Callable[[str, str, str, int, int, tuple], None]
"""A function that runs a kernel: (source, kernel, type, blocks, threads, arguments)."""

AXES = np.dtype(("i4", 3))
"""`Axes` of grid.cuh."""

WINDOW_DEFAULTS = {"size": 1, "out": 1, "kernel": 1, "stride": 1, "padding": 0, "dilation": 1}
"""The fields of a window, and their values for axes that do not exist."""

WINDOW = np.dtype([(name, AXES) for name in WINDOW_DEFAULTS])
"""`Window` of grid.cuh."""

INCLUDE = re.compile(r'#include "(\w+\.cuh)"\n')

_host_launcher: Launcher | None = None


def source_text(source: str) -> str:
    """Return the text of `source`.cu with its includes inserted, as the compiler gets it."""
    text = (FOLDER / f"{source}.cu").read_text(encoding="utf-8")
    return INCLUDE.sub(lambda match: (FOLDER / match[1]).read_text(encoding="utf-8"), text)


def options(kind: str) -> tuple[str, ...]:
    """Return the compiler's options: the language, and the floating-point type ("f" or "d")."""
    return ("-std=c++17", f"-DREAL={TYPES[kind]}")


def launch(
    source: str,
    kernel: str,
    like: Array,
    *arguments: Any,
    count: int,
    count_blocks: bool = False,
    threads: int = THREADS_PER_BLOCK,
) -> None:
    """Run `kernel` of `source` on the device of `like`, compiled for its floating-point type.

    arguments: dense arrays; integers (`index_t` in the kernel), other numbers (`real`), and structures (`axes`,
    `window`). count: how many threads have work, or how many blocks with count_blocks=True. With 0 nothing runs.
    """
    if not count:
        return
    blocks = min(MAX_BLOCKS, count if count_blocks else ceil(count / threads))
    run = run_by_cupy if is_cuda(like) else _host_launcher
    if run is None:
        raise TypeError(
            f"the CUDA kernel {kernel} got a NumPy array: expected a CuPy array; move it with to_device(x, 'cuda')"
        )
    run(source, kernel, like.dtype.char, blocks, threads, tuple(_argument(a, like.dtype) for a in arguments))


def set_host_launcher(launcher: Launcher | None) -> Launcher | None:
    """Set the function that runs kernels on NumPy arrays, and return the one before.

    There is none except in tests, which compile the kernels for the CPU with the C++ compiler.
    """
    global _host_launcher
    before, _host_launcher = _host_launcher, launcher
    return before


@cache
def axes(numbers: tuple[int, ...]) -> np.ndarray:
    """Return one number for each of up to three axes as `Axes`. Axes that do not exist come first and get 1."""
    value = np.zeros(1, [("at", AXES)])
    value["at"] = _three(numbers, 1)
    value.flags.writeable = False  # the same array is returned for all calls with these numbers
    return value


@cache
def window(
    size: tuple[int, ...],
    out: tuple[int, ...],
    kernel: tuple[int, ...],
    stride: tuple[int, ...],
    padding: tuple[int, ...],
    dilation: tuple[int, ...],
) -> np.ndarray:
    """Return the geometry of a convolution or pooling as `Window`."""
    value = np.zeros(1, WINDOW)
    fields = (size, out, kernel, stride, padding, dilation)
    for (name, default), numbers in zip(WINDOW_DEFAULTS.items(), fields, strict=True):
        value[name] = _three(numbers, default)
    value.flags.writeable = False
    return value


def _three(numbers: tuple[int, ...], default: int) -> tuple[int, ...]:
    if len(numbers) > 3:
        raise ValueError(f"the CUDA kernels got {len(numbers)} spatial axes, {numbers}: expected at most 3")
    return (*(default,) * (3 - len(numbers)), *numbers)


def _argument(value: Any, dtype: np.dtype) -> Any:
    """Return a number in the type that the kernel expects, and anything else unchanged."""
    if isinstance(value, int | np.integer):
        return np.int64(value)
    return dtype.type(value) if isinstance(value, float | np.floating) else value


@cache
def _module(source: str, kind: str) -> Any:
    import cupy

    return cupy.RawModule(code=source_text(source), options=options(kind))


@cache
def _function(source: str, kernel: str, kind: str) -> Any:
    return _module(source, kind).get_function(kernel)


def run_by_cupy(source: str, kernel: str, kind: str, blocks: int, threads: int, arguments: tuple) -> None:
    """Run a kernel on CuPy arrays."""
    _function(source, kernel, kind)((blocks,), (threads,), arguments)
