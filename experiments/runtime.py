"""Settings of the process that make it faster or repeatable: OpenBLAS's kernels, the allocator, seeds."""

import ctypes
import os
import sys
from collections.abc import MutableMapping
from pathlib import Path
from typing import TYPE_CHECKING

from experiments.errors import FacesError

if TYPE_CHECKING:
    import torch

CORETYPE_VARIABLE = "OPENBLAS_CORETYPE"
AVX512_CORETYPE = "SKYLAKEX"
AVX512_FLAGS = {"avx512f", "avx512dq", "avx512cd", "avx512bw", "avx512vl"}
"""The instructions that OpenBLAS's kernels of that name use, as Linux names them."""


def choose_blas_kernels(
    environment: MutableMapping[str, str] | None = None, processor: Path = Path("/proc/cpuinfo")
) -> str | None:
    """Make OpenBLAS use its AVX-512 kernels where the processor can; return their name if this call chose them.

    OpenBLAS identifies processors by model number. For one that is newer than itself it uses kernels of 2013, silently,
    and matrix products are half as fast. It reads the choice once, when NumPy is imported: so this must be called
    before. Does nothing where the user has chosen, NumPy is imported already, or the processor is unknown.
    """
    environment = os.environ if environment is None else environment
    if CORETYPE_VARIABLE in environment or "numpy" in sys.modules or not _read_flags(processor) >= AVX512_FLAGS:
        return None
    environment[CORETYPE_VARIABLE] = AVX512_CORETYPE
    return AVX512_CORETYPE


def _read_flags(processor: Path) -> set[str]:
    """Return the processor's instruction sets, as Linux lists them; empty elsewhere."""
    try:
        lines = processor.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return set()
    return next((set(line.partition(":")[2].split()) for line in lines if line.startswith("flags")), set())


TRIM_THRESHOLD, MMAP_MAX = -1, -4
"""Names of settings in glibc's malloc.h; see mallopt(3)."""

MAX_TRIM_THRESHOLD = (1 << 31) - 1
"""Bytes of freed memory that stay with the process: the largest int of C."""


def torch_device(name: str | None) -> "torch.device":
    """Return PyTorch's device of that name; without one, the GPU where there is one.

    Raises FacesError for a device that does not exist here.
    """
    import torch

    try:
        device = torch.device(name or ("cuda" if torch.cuda.is_available() else "cpu"))
    except RuntimeError as error:
        raise FacesError(f"--device {name}: expected cpu, cuda, or one of several GPUs such as cuda:1") from error
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).partition(".")[0].splitlines()[0]
        raise FacesError(f"--device {name}: {reason}; expected cpu, or a GPU that is here") from error
    return device


def keep_freed_memory() -> bool:
    """Make the C library keep freed memory for the next allocation; True where it can, which is glibc on Linux.

    By default it returns blocks of many megabytes to the system, which clears each page before it hands it out again. A
    training step on a CPU frees and allocates gigabytes, in the same sizes as the step before. With its memory kept, a
    MobileFaceNet embeds twice as many faces per second.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False
    return bool(mallopt(MMAP_MAX, 0)) and bool(mallopt(TRIM_THRESHOLD, MAX_TRIM_THRESHOLD))


def step_seed(*numbers: int) -> int:
    """Return a 63-bit seed made of several numbers (run's seed, epoch, step, process), unrelated for neighbors.

    A resumed run so draws what an uninterrupted one would have drawn.
    """
    import numpy as np  # not at the top: choose_blas_kernels must run before NumPy is imported

    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0] >> np.uint64(1))
