"""What mytorch computes with on this machine, and what would be faster."""

import os
import platform
import sys
from pathlib import Path

import numpy as np

from mytorch.device import require_cuda
from mytorch.modes import winograd_allowed
from mytorch.threads import blas_libraries, get_num_threads

AVX512_KERNELS = "SkylakeX"
"""OpenBLAS's name for its AVX-512 kernels. Kernels with newer names use AVX-512 too."""

NARROW_KERNELS = {"Haswell", "Zen", "Sandybridge", "Nehalem", "Prescott", "Core2", "Barcelona"}
"""OpenBLAS's names of kernels whose registers are at most half as wide."""


def show_config() -> None:
    """Print what mytorch computes with (versions, threads, BLAS and its kernels, GPU), then what would be faster."""
    facts, hints = config()
    width = max(map(len, facts))
    for name, value in facts.items():
        print(f"{name:<{width}}  {value}")
    for hint in hints:
        print(f"faster: {hint}")


def config() -> tuple[dict[str, str], list[str]]:
    """Return facts by name, and hints at what would be faster."""
    libraries = blas_libraries()
    facts = {
        "Python": platform.python_version() + ("" if _has_global_lock() else ", free-threaded"),
        "NumPy": np.__version__,
        "threads": f"{get_num_threads()} of {os.cpu_count()} processors",
        "BLAS": _describe_blas(libraries),
        "Winograd": "allowed" if winograd_allowed() else "forbidden by allow_winograd(False)",
        "GPU": _describe_gpu(),
    }
    hints = []
    if libraries is None:
        hints.append("pip install threadpoolctl: without it convolutions use one thread, apart from those of the BLAS")
    elif _has_avx512() and any(library.get("architecture") in NARROW_KERNELS for library in libraries):
        hints.append(
            f"set OPENBLAS_CORETYPE={AVX512_KERNELS.upper()} in the environment before NumPy is imported: this "
            "processor has AVX-512, and OpenBLAS does not recognize it"
        )
    if get_num_threads() == 1 and (os.cpu_count() or 1) > 1:
        hints.append("mytorch.set_num_threads(n), or OMP_NUM_THREADS=n in the environment: only one thread is used now")
    return facts, hints


def _has_global_lock() -> bool:
    """Return True if Python runs one thread at a time (the GIL)."""
    return getattr(sys, "_is_gil_enabled", lambda: True)()


def _describe_blas(libraries: list[dict] | None) -> str:
    if libraries is None:
        return "unknown without threadpoolctl"
    descriptions = (
        f"{library['internal_api']} {library['version']}, kernels {library.get('architecture', 'unknown')}, "
        f"{library['num_threads']} threads of its own"
        for library in libraries
    )
    return "; ".join(descriptions) or "none that threadpoolctl knows"


def _describe_gpu() -> str:
    try:
        require_cuda()
    except RuntimeError as error:
        return f"none: {error}"
    import cupy

    name = cupy.cuda.runtime.getDeviceProperties(0)["name"].decode()
    return f"{name}, CuPy {cupy.__version__}"


def _has_avx512(cpuinfo: Path = Path("/proc/cpuinfo")) -> bool:
    """Return True if Linux lists the instructions, False if it does not or there is no such list."""
    try:
        return "avx512f" in cpuinfo.read_text(encoding="utf-8", errors="replace").split()
    except OSError:
        return False
