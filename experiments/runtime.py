"""The kernels that NumPy's OpenBLAS computes with, chosen before NumPy is loaded, as it looks once and never again.

OpenBLAS tells processors apart by their model number, and takes the kernels of 2013 for one that is newer than itself,
though it has AVX-512: matrix products are then half as fast. It does so without a word; the environment's
OPENBLAS_CORETYPE says which to take.

Freed memory kept for the next allocation: PyTorch on a processor asks for the same sizes in every step.

The C library gives blocks of many megabytes back to the system at once, and the system hands out their next pages one
by one, each cleared first. A training step frees and allocates gigabytes so, and a prediction hundreds of megabytes:
with its memory kept, a MobileFaceNet embeds twice as many faces a second.

Seeds for what a step draws at random, so that a resumed run draws what an unbroken one would have drawn.
"""

import ctypes
import os
import sys
from collections.abc import MutableMapping
from pathlib import Path

CORETYPE_VARIABLE = "OPENBLAS_CORETYPE"
AVX512_CORETYPE = "SKYLAKEX"
AVX512_FLAGS = {"avx512f", "avx512dq", "avx512cd", "avx512bw", "avx512vl"}
"""The instructions that OpenBLAS's kernels of that name use."""


def choose_blas_kernels(
    environment: MutableMapping[str, str] | None = None, processor: Path = Path("/proc/cpuinfo")
) -> str | None:
    """Have OpenBLAS take its AVX-512 kernels where the processor can, and return their name if this call chose them.

    A choice of the user's stands, whatever it is. Does nothing where NumPy is loaded already, or the processor is
    unknown.
    """
    environment = os.environ if environment is None else environment
    if CORETYPE_VARIABLE in environment or "numpy" in sys.modules or not _instructions(processor) >= AVX512_FLAGS:
        return None
    environment[CORETYPE_VARIABLE] = AVX512_CORETYPE
    return AVX512_CORETYPE


def _instructions(processor: Path) -> set[str]:
    """What the processor can do, as Linux lists it; nothing where it does not."""
    try:
        lines = processor.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return set()
    return next((set(line.partition(":")[2].split()) for line in lines if line.startswith("flags")), set())


TRIM_THRESHOLD, MMAP_MAX = -1, -4
"""Names of settings in glibc's malloc.h: see mallopt(3)."""

MAX_TRIM_THRESHOLD = (1 << 31) - 1
"""Bytes of freed memory that stay with the process, the most that an int of C can say."""


def keep_freed_memory() -> bool:
    """Have the C library keep freed memory from now on; True where it could be told to, which is glibc's on Linux."""
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False
    return bool(mallopt(MMAP_MAX, 0)) and bool(mallopt(TRIM_THRESHOLD, MAX_TRIM_THRESHOLD))


def step_seed(*numbers: int) -> int:
    """Return a 63-bit seed made of several numbers (seed of the run, epoch, step, process), unrelated for neighbors."""
    import numpy as np  # not at the top: choose_kernels must run before NumPy is loaded

    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0] >> np.uint64(1))
