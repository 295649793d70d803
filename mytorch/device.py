"""Devices: NumPy arrays on the CPU, CuPy arrays on an NVIDIA GPU, and moving arrays between them."""

from collections.abc import Callable
from functools import wraps
from types import ModuleType
from typing import Any, ParamSpec, TypeAlias, TypeVar

import numpy as np

Array: TypeAlias = np.ndarray
"""A NumPy array, or a CuPy array, which has the same methods."""

DEVICES = ("cpu", "cuda")

P = ParamSpec("P")
R = TypeVar("R")


def is_cuda(array: Any) -> bool:
    """Return True for a CuPy array."""
    return type(array).__module__.partition(".")[0] == "cupy"


def device_of(array: Any) -> str:
    """Return the device of an array, "cpu" or "cuda"."""
    return "cuda" if is_cuda(array) else "cpu"


def get_array_module(array: Array) -> ModuleType:
    """Return the module whose functions work on `array`: cupy for CuPy arrays, numpy for everything else.

    CuPy is imported only when it is needed, so the library itself needs NumPy alone.
    """
    if is_cuda(array):
        import cupy

        return cupy
    return np


def cuda_implementation(on_gpu: Callable[P, R]) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Decorate a NumPy function with its GPU version of the same signature: `@cuda_implementation(cuda.relu)`.

    The decorated function calls `on_gpu` if its first argument is a CuPy array.
    """

    def decorate(on_cpu: Callable[P, R]) -> Callable[P, R]:
        @wraps(on_cpu)
        def dispatch(*args: P.args, **kwargs: P.kwargs) -> R:
            return (on_gpu if is_cuda(args[0]) else on_cpu)(*args, **kwargs)

        vars(dispatch)["cuda_implementation"] = on_gpu
        return dispatch

    return decorate


def to_device(array: Array, device: str) -> Array:
    """Return `array` on "cpu" or "cuda": the array itself if it is already there, otherwise a copy.

    Raises ValueError for any other device, and RuntimeError if there is no usable GPU.
    """
    if device not in DEVICES:
        raise ValueError(f"device={device!r}: expected 'cpu' or 'cuda'")
    if device == device_of(array):
        return array
    if device == "cpu":
        import cupy

        return cupy.asnumpy(array)
    require_cuda()
    import cupy

    return cupy.asarray(array)


def require_cuda() -> None:
    """Raise RuntimeError if the GPU cannot be used. The message names what is missing and the remedy."""
    try:
        import cupy
    except ImportError as error:
        raise RuntimeError(
            "the GPU needs CuPy, which is not installed: in the project's folder, pip install '.[cuda13]', or "
            f"'.[cuda12]' for a driver of CUDA 12; nvidia-smi shows the driver's version ({error})"
        ) from error
    runtime, count = cupy.cuda.runtime, 0
    try:
        driver, required = runtime.driverGetVersion(), runtime.runtimeGetVersion()
        too_old = driver // 1000 < required // 1000
        if driver and not too_old:
            count = runtime.getDeviceCount()
    except RuntimeError as error:
        raise RuntimeError(f"the NVIDIA driver does not answer ({error}): does nvidia-smi work?") from error
    if not driver:
        raise RuntimeError("no NVIDIA driver: install it (nvidia-smi then shows it), or stay on the CPU: .to('cpu')")
    if too_old:
        raise RuntimeError(
            f"the NVIDIA driver is too old: it supports CUDA {_version(driver)}, this CuPy needs {_version(required)}: "
            f"update the driver, or install the CuPy that fits: "
            f"in the project's folder, pip install '.[cuda{driver // 1000}]'"
        )
    if not count:
        raise RuntimeError(
            "the NVIDIA driver sees no GPU: check nvidia-smi and CUDA_VISIBLE_DEVICES, or stay on the CPU: .to('cpu')"
        )


def _version(number: int) -> str:
    """Format CUDA's 12040 as 12.4."""
    return f"{number // 1000}.{number % 1000 // 10}"
