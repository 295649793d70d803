"""From a source file to a running kernel: compiled by CuPy where it is first launched, once a type of number."""

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
"""What REAL is in a source, by the character of the arrays' dtype."""

THREADS = 256
"""Threads of a block."""

BLOCKS = 1 << 14
"""Blocks of a grid at most: enough for any GPU. Kernels loop over what is left."""

Launcher: TypeAlias = Callable[[str, str, str, int, int, tuple], None]
"""(source, kernel, type, blocks, threads, arguments): runs a kernel."""

AXES = np.dtype(("i4", 3))
"""`Axes` of grid.cuh."""

WINDOW_MISSING = {"size": 1, "out": 1, "kernel": 1, "stride": 1, "padding": 0, "dilation": 1}
"""What a window is along an axis that is not there."""

WINDOW = np.dtype([(name, AXES) for name in WINDOW_MISSING])
"""`Window` of grid.cuh."""

INCLUDE = re.compile(r'#include "(\w+\.cuh)"\n')

_host_launcher: Launcher | None = None


def source_text(source: str) -> str:
    """`source`.cu with what it includes written out, as the compiler gets it."""
    text = (FOLDER / f"{source}.cu").read_text(encoding="utf-8")
    return INCLUDE.sub(lambda found: (FOLDER / found[1]).read_text(encoding="utf-8"), text)


def options(kind: str) -> tuple[str, ...]:
    """What the compiler is told: the language and the type of number ("f" or "d")."""
    return ("-std=c++17", f"-DREAL={TYPES[kind]}")


def launch(
    source: str, kernel: str, like: Array, *arguments: Any, count: int, blocks: bool = False, threads: int = THREADS
) -> None:
    """Run `kernel` of `source` where `like` lives, in `like`'s type of number.

    arguments: arrays, dense in memory; whole numbers (`whole` in the kernel), other numbers (`real`), and structures
    (`axes`, `window`). count: how many threads are of use, or how many blocks with blocks=True; none, and nothing runs.
    """
    if not count:
        return
    grid = min(BLOCKS, count if blocks else ceil(count / threads))
    run = run_by_cupy if is_cuda(like) else _host_launcher
    if run is None:
        raise TypeError(
            f"the CUDA kernel {kernel} got a NumPy array: expected CuPy's; move it with to_device(x, 'cuda')"
        )
    run(source, kernel, like.dtype.char, grid, threads, tuple(_argument(a, like.dtype) for a in arguments))


def set_host_launcher(launcher: Launcher | None) -> Launcher | None:
    """Who runs kernels on NumPy arrays: nobody, but in tests, where the C++ compiler plays the GPU. Returns the old."""
    global _host_launcher
    before, _host_launcher = _host_launcher, launcher
    return before


@cache
def axes(numbers: tuple[int, ...]) -> np.ndarray:
    """One number for each of up to three axes as `Axes`; axes that are not there come first and get 1."""
    value = np.zeros(1, [("at", AXES)])
    value["at"] = _three(numbers, 1)
    value.flags.writeable = False  # the same one for all calls with these numbers
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
    """A convolution's or pooling's geometry as `Window`."""
    value = np.zeros(1, WINDOW)
    given = (size, out, kernel, stride, padding, dilation)
    for (name, missing), numbers in zip(WINDOW_MISSING.items(), given, strict=True):
        value[name] = _three(numbers, missing)
    value.flags.writeable = False
    return value


def _three(numbers: tuple[int, ...], missing: int) -> tuple[int, ...]:
    if len(numbers) > 3:
        raise ValueError(f"the CUDA kernels got {len(numbers)} spatial axes, {numbers}: expected at most 3")
    return (*(missing,) * (3 - len(numbers)), *numbers)


def _argument(value: Any, dtype: np.dtype) -> Any:
    """A number as the kernel takes it; all else as it is."""
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
    """The launcher for CuPy's arrays."""
    _function(source, kernel, kind)((blocks,), (threads,), arguments)
