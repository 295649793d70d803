"""Runs one of the grader's own functions on a hand-in's files, in a process with limits.

Reading is trusted work on untrusted data: a small archive can unfold without end, a source file of 2 MiB can take a
parser minutes and gigabytes. So it happens in a child process, which the kernel stops, and whatever goes wrong there is
an exception here.
"""

import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

_HERE = str(Path(__file__).resolve().parents[1])
_SECONDS, _MEMORY, _FILE = 30, 1 << 30, 256 << 20

Result = TypeVar("Result")


class BoundedError(RuntimeError):
    """The function did not finish; the message says why, without naming what it worked on."""


def call(function: Callable[..., Result], *arguments: Any, seconds: float = _SECONDS, memory: int = _MEMORY) -> Result:
    """`function(*arguments)`, computed in a child process; the function is one of the autograder's own modules'.

    Raises what the function raises where that is one of the autograder's own exceptions, BoundedError for any other
    exception and where it takes more than `seconds` or `memory` bytes.
    """
    program = (
        f"import sys; sys.path[:] = {[_HERE, *sys.path]!r}\nfrom autograder.bounded import serve\n"
        f"serve({seconds!r}, {memory!r})"
    )
    task = pickle.dumps((function.__module__, function.__qualname__, arguments))
    try:
        done = subprocess.run(
            [sys.executable, "-I", "-S", "-B", "-c", program],
            input=task,
            capture_output=True,
            timeout=2 * seconds + 10,
            check=False,
            env={"PATH": os.defpath, "LC_ALL": "C.UTF-8"},
        )
    except subprocess.TimeoutExpired:
        raise BoundedError(f"it takes more than {seconds:g} seconds") from None
    if done.returncode or not done.stdout:
        raise BoundedError(_ending(done.returncode, seconds, memory))
    error, result = pickle.loads(done.stdout)
    if error is not None:
        raise error
    return result


def serve(seconds: float, memory: int) -> None:
    """The child's side: limits, then the one call that its standard input describes."""
    import importlib

    name, attribute, arguments = pickle.loads(sys.stdin.buffer.read())
    function = getattr(importlib.import_module(name), attribute)
    _limit(seconds, memory)
    error: Exception | None = None
    result = None
    try:
        result = function(*arguments)
    except MemoryError:
        error = BoundedError(f"it takes more than {memory >> 20} MiB of memory")
    except Exception as raised:
        error = raised if type(raised).__module__.startswith("autograder.") else BoundedError(_said(raised))
    sys.stdout.buffer.write(pickle.dumps((error, result)))
    sys.stdout.buffer.flush()
    os._exit(0)


def _limit(seconds: float, memory: int) -> None:
    if sys.platform == "win32":
        return
    import contextlib
    import resource

    cpu = int(seconds) + 1
    for limit, value in (
        (resource.RLIMIT_CPU, cpu),
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_FSIZE, _FILE),
        (resource.RLIMIT_CORE, 0),
    ):
        with contextlib.suppress(OSError, ValueError):  # macOS knows some limits by name only
            resource.setrlimit(limit, (value, value))


def _said(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def _ending(code: int, seconds: float, memory: int) -> str:
    """Why the child ended without an answer."""
    import signal

    if code in (-signal.SIGXCPU, -signal.SIGKILL):
        return f"it takes more than {seconds:g} seconds or {memory >> 20} MiB of memory"
    return f"reading it ends Python (status {code})"
