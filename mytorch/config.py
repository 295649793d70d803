"""What mytorch computes with here, and what would be faster."""

import os
import platform
import sys
from pathlib import Path

import numpy as np

from mytorch.device import require_cuda
from mytorch.modes import winograd_allowed
from mytorch.threads import blas_libraries, get_num_threads

WIDE = "SkylakeX"
"""OpenBLAS's name for its AVX-512 kernels; newer names are of kernels that are as wide."""

NARROW = {"Haswell", "Zen", "Sandybridge", "Nehalem", "Prescott", "Core2", "Barcelona"}
"""Kernels that use half as wide registers, or less."""


def show_config() -> None:
    """Print what mytorch computes with: versions, threads, the BLAS and its kernels, GPU; then what would be faster."""
    facts, hints = config()
    width = max(map(len, facts))
    for name, value in facts.items():
        print(f"{name:<{width}}  {value}")
    for hint in hints:
        print(f"faster: {hint}")


def config() -> tuple[dict[str, str], list[str]]:
    """Facts by name, and what would be faster, in words."""
    libraries = blas_libraries()
    facts = {
        "Python": platform.python_version() + ("" if _locked() else ", free-threaded"),
        "NumPy": np.__version__,
        "threads": f"{get_num_threads()} of {os.cpu_count()} processors",
        "BLAS": _blas(libraries),
        "Winograd": "allowed" if winograd_allowed() else "forbidden: allow_winograd(False) was said",
        "GPU": _gpu(),
    }
    hints = []
    if libraries is None:
        hints.append("pip install threadpoolctl: without it convolutions use one thread, beside those of the BLAS")
    elif _avx512() and any(library.get("architecture") in NARROW for library in libraries):
        hints.append(
            f"OPENBLAS_CORETYPE={WIDE.upper()} in the environment, before NumPy is imported: this processor has "
            "AVX-512, and OpenBLAS does not know it"
        )
    if get_num_threads() == 1 and (os.cpu_count() or 1) > 1:
        hints.append("mytorch.set_num_threads(n), or OMP_NUM_THREADS=n in the environment: one thread works now")
    return facts, hints


def _locked() -> bool:
    """Whether Python lets one thread at a time run its own code."""
    return getattr(sys, "_is_gil_enabled", lambda: True)()


def _blas(libraries: list[dict] | None) -> str:
    if libraries is None:
        return "unknown without threadpoolctl"
    named = (
        f"{library['internal_api']} {library['version']}, kernels {library.get('architecture', 'unknown')}, "
        f"{library['num_threads']} threads of its own"
        for library in libraries
    )
    return "; ".join(named) or "none that threadpoolctl knows"


def _gpu() -> str:
    try:
        require_cuda()
    except RuntimeError as error:
        return f"none: {error}"
    import cupy

    name = cupy.cuda.runtime.getDeviceProperties(0)["name"].decode()
    return f"{name}, CuPy {cupy.__version__}"


def _avx512(processor: Path = Path("/proc/cpuinfo")) -> bool:
    """Whether Linux lists the instructions; False where there is no such list."""
    try:
        return "avx512f" in processor.read_text(encoding="utf-8", errors="replace").split()
    except OSError:
        return False
