"""Freed memory kept for the next allocation: PyTorch on a processor asks for the same sizes in every step.

The C library gives blocks of many megabytes back to the system at once, and the system hands out their next pages one
by one, each cleared first. A training step frees and allocates gigabytes so, and a prediction hundreds of megabytes:
with its memory kept, a MobileFaceNet embeds twice as many faces a second.
"""

import ctypes
import sys

TRIM_THRESHOLD, MMAP_MAX = -1, -4
"""Names of settings in glibc's malloc.h: see mallopt(3)."""

KEPT = (1 << 31) - 1
"""Bytes of freed memory that stay with the process, the most that an int of C can say."""


def keep_freed_memory() -> bool:
    """Have the C library keep freed memory from now on; True where it could be told to, which is glibc's on Linux."""
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False
    return bool(mallopt(MMAP_MAX, 0)) and bool(mallopt(TRIM_THRESHOLD, KEPT))
