"""Where an array lives, NumPy on the CPU or CuPy on an NVIDIA GPU, and moving it between them."""

from collections.abc import Callable
from functools import wraps
from types import ModuleType
from typing import Any, ParamSpec, TypeAlias, TypeVar

import numpy as np

Array: TypeAlias = np.ndarray
"""A NumPy array, or a CuPy array, which offers the same methods."""

DEVICES = ("cpu", "cuda")

P = ParamSpec("P")
R = TypeVar("R")


def on_cuda(array: Any) -> bool:
    """True for CuPy's arrays."""
    return type(array).__module__.partition(".")[0] == "cupy"


def side(array: Any) -> str:
    """The device of an array, "cpu" or "cuda"."""
    return "cuda" if on_cuda(array) else "cpu"


def namespace(array: Array) -> ModuleType:
    """The module whose functions work on `array`: cupy for its own arrays, numpy for all else.

    CuPy is imported only once somebody holds one of its arrays, so the library needs NumPy alone.
    """
    if on_cuda(array):
        import cupy

        return cupy
    return np


def on_gpu(kernel: Callable[P, R]) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """A decorator: where the first argument is CuPy's, `kernel`, of the same signature, stands for the function."""

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        @wraps(function)
        def either(*args: P.args, **kwargs: P.kwargs) -> R:
            return (kernel if on_cuda(args[0]) else function)(*args, **kwargs)

        vars(either)["kernel"] = kernel
        return either

    return decorate


def to_device(array: Array, device: str) -> Array:
    """`array` on "cpu" or "cuda": itself where it is there already, else a copy.

    Raises ValueError for another device, RuntimeError where there is no GPU to use.
    """
    if device not in DEVICES:
        raise ValueError(f"device={device!r}: expected 'cpu' or 'cuda'")
    if device == side(array):
        return array
    if device == "cpu":
        import cupy

        return cupy.asnumpy(array)
    require_cuda()
    import cupy

    return cupy.asarray(array)


def require_cuda() -> None:
    """Raise RuntimeError where arrays cannot go to a GPU, saying what is missing and what to do."""
    try:
        import cupy
    except ImportError as error:
        raise RuntimeError(
            "no CuPy, which the GPU needs: install it with pip install 'mytorch-faces[cuda13]', or [cuda12] for a "
            f"driver of CUDA 12; nvidia-smi shows the driver's version ({error})"
        ) from error
    runtime, count = cupy.cuda.runtime, 0
    try:
        driver, built = runtime.driverGetVersion(), runtime.runtimeGetVersion()
        old = driver // 1000 < built // 1000
        if driver and not old:
            count = runtime.getDeviceCount()
    except RuntimeError as error:
        raise RuntimeError(f"the NVIDIA driver does not answer ({error}): does nvidia-smi work?") from error
    if not driver:
        raise RuntimeError("no NVIDIA driver: install it (nvidia-smi then shows it), or stay on the CPU: .to('cpu')")
    if old:
        raise RuntimeError(
            f"the NVIDIA driver is too old: it runs CUDA {_version(driver)}, this CuPy needs {_version(built)}: update "
            f"the driver, or change CuPy for the one that fits: pip install 'mytorch-faces[cuda{driver // 1000}]'"
        )
    if not count:
        raise RuntimeError(
            "the NVIDIA driver sees no GPU: look at nvidia-smi and CUDA_VISIBLE_DEVICES, or stay on the CPU: .to('cpu')"
        )


def _version(number: int) -> str:
    """CUDA's 12040 as 12.4."""
    return f"{number // 1000}.{number % 1000 // 10}"
