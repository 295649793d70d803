"""The kernels that NumPy's OpenBLAS computes with, chosen before NumPy is loaded, as it looks once and never again.

OpenBLAS tells processors apart by their model number, and takes the kernels of 2013 for one that is newer than itself,
though it has AVX-512: matrix products are then half as fast. It does so without a word; the environment's
OPENBLAS_CORETYPE says which to take.
"""

import os
import sys
from collections.abc import MutableMapping
from pathlib import Path

VARIABLE = "OPENBLAS_CORETYPE"
CORE = "SKYLAKEX"
NEEDS = {"avx512f", "avx512dq", "avx512cd", "avx512bw", "avx512vl"}
"""The instructions that OpenBLAS's kernels of that name use."""


def choose_kernels(
    environment: MutableMapping[str, str] | None = None, processor: Path = Path("/proc/cpuinfo")
) -> str | None:
    """Have OpenBLAS take its AVX-512 kernels where the processor can, and return their name if this call chose them.

    A choice of the user's stands, whatever it is. Does nothing where NumPy is loaded already, or the processor is
    unknown.
    """
    environment = os.environ if environment is None else environment
    if VARIABLE in environment or "numpy" in sys.modules or not _instructions(processor) >= NEEDS:
        return None
    environment[VARIABLE] = CORE
    return CORE


def _instructions(processor: Path) -> set[str]:
    """What the processor can do, as Linux lists it; nothing where it does not."""
    try:
        lines = processor.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return set()
    return next((set(line.partition(":")[2].split()) for line in lines if line.startswith("flags")), set())
