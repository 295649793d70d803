"""What one worker may use. The kernel enforces the resource limits, the keeper the others."""

import contextlib
import dataclasses
import math
import sys
from typing import Any


@dataclasses.dataclass(frozen=True)
class Limits:
    """Limits of one test; sizes in bytes."""

    seconds: float = 20.0  # of the clock, for all cases of a test together
    memory: int = 1 << 30  # address space
    file_size: int = 8 << 20  # one file
    scratch: int = 16 << 20  # all files together, where the jail holds
    open_files: int = 64
    processes: int = 32  # with their threads, of the worker's own user
    output: int = 1 << 20  # what it prints; more, and it is stopped
    results: int = 64 << 20  # what it sends back

    def to_json(self) -> dict[str, Any]:
        """As the zygote receives it."""
        return dataclasses.asdict(self)


def apply(limits: Limits, own_user: bool) -> None:
    """Set the kernel's limits on this process; `own_user`: only its own processes count as its user's."""
    if sys.platform == "win32":
        return
    import resource  # not on Windows

    seconds = math.ceil(limits.seconds) + 1
    wanted = {
        "RLIMIT_CPU": seconds,
        "RLIMIT_AS": limits.memory,
        "RLIMIT_FSIZE": limits.file_size,
        "RLIMIT_NOFILE": limits.open_files,
        "RLIMIT_CORE": 0,
        "RLIMIT_MEMLOCK": 0,
    }
    if own_user:
        wanted["RLIMIT_NPROC"] = limits.processes
    for name, value in wanted.items():
        number = getattr(resource, name, None)
        if number is None:
            continue
        hard = resource.getrlimit(number)[1]
        if hard != resource.RLIM_INFINITY:
            value = min(value, hard)
        with contextlib.suppress(OSError, ValueError):  # macOS knows some limits by name only
            resource.setrlimit(number, (value, value))
