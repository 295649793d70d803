"""Supervises one test: forks the worker, watches the clock and the pipes, and leaves no process behind."""

import contextlib
import json
import os
import select
import signal
import time
from collections.abc import Callable
from typing import Any

from autograder.sandbox import linux
from autograder.sandbox.limits import Limits

_LOUD = 4096  # what is kept of the output's end
_TICK = 0.05


def keep(limits: Limits, own_processes: bool, work: Callable[[int, int], None]) -> tuple[dict[str, Any], bytes]:
    """Run `work(results, violations)`, which writes to those two pipes, in a process of its own.

    own_processes: give it a process namespace; all processes in it end with it.
    Returns how it went ({"status": "exited" | "killed" | "timeout" | "output" | "results", ...}) and its results.
    """
    results, violations, output = os.pipe(), os.pipe(), os.pipe()
    started = time.monotonic()
    child = _fork_worker(own_processes, results, violations, output, work)
    for _, write_end in (results, violations, output):
        os.close(write_end)
    received = {results[0]: bytearray(), violations[0]: bytearray(), output[0]: bytearray()}
    caps = {results[0]: limits.results, violations[0]: 1 << 16, output[0]: limits.output}
    printed = 0
    for end in received:
        os.set_blocking(end, False)
    ending = os.pidfd_open(child) if hasattr(os, "pidfd_open") else None

    status, code, open_ends, over = "", 0, set(received), False
    while True:
        waiting = [*open_ends, *([ending] if ending is not None and not over else [])]
        select.select(waiting, [], [], 0 if over else _TICK if ending is None else 0.25)
        for end in list(open_ends):
            with contextlib.suppress(BlockingIOError):
                chunk = os.read(end, 1 << 18)
                if not chunk:
                    open_ends.discard(end)
                received[end] += chunk
                if end == output[0]:
                    printed += len(chunk)
                    del received[end][:-_LOUD]
                if (printed if end == output[0] else len(received[end])) > caps[end] and not status:
                    status = "output" if end == output[0] else "results"
        if over:
            break  # the worker had ended before this round of reading
        if time.monotonic() - started > limits.seconds and not status:
            status = "timeout"
        if status:
            os.kill(child, signal.SIGKILL)
        pid, raw = os.waitpid(child, 0 if status else os.WNOHANG)
        if pid:
            over = True
            code = os.waitstatus_to_exitcode(raw)
            _end_stragglers(child)
    for end in (*received, *([ending] if ending is not None else [])):
        os.close(end)
    if own_processes and not status and code >= 128:
        code = 128 - code  # the namespace's init passes a signal on as a shell does
    report = {
        "status": status or ("killed" if code < 0 else "exited"),
        "code": code,
        "seconds": round(time.monotonic() - started, 3),
        "printed": printed,
        "output": bytes(received[output[0]]).decode("utf-8", "replace"),
        "violations": _lines(received[violations[0]]),
    }
    return report, bytes(received[results[0]])


def _fork_worker(
    own_processes: bool, results: Any, violations: Any, output: Any, work: Callable[[int, int], None]
) -> int:
    """Fork the worker. In a namespace of its own it is a child of an init, as an init ignores most signals."""
    if linux.AVAILABLE:
        linux.prctl(linux.PR_SET_CHILD_SUBREAPER, 1)  # what the worker leaves behind becomes ours to kill
    if own_processes:
        linux.unshare(linux.CLONE_NEWPID)
    child = os.fork()
    if child:
        return child
    code = 70
    try:
        os.setsid()
        if linux.AVAILABLE:
            linux.prctl(linux.PR_SET_PDEATHSIG, signal.SIGKILL)
        if own_processes:
            worker = os.fork()
            if worker:
                _be_init(worker)
        for read_end, _ in (results, violations, output):
            os.close(read_end)
        nothing = os.open(os.devnull, os.O_RDONLY) if os.path.exists(os.devnull) else os.pipe()[0]
        for source, target in ((nothing, 0), (output[1], 1), (output[1], 2)):
            os.dup2(source, target)
        kept = {results[1], violations[1]}
        first = 3
        for end in sorted(kept):
            os.closerange(first, end)
            first = end + 1
        os.closerange(first, 1 << 16)
        work(results[1], violations[1])
        code = 0
    finally:
        os._exit(code)


def _be_init(worker: int) -> None:
    """Wait for the worker and end as it ended; the kernel then kills every other process of the namespace."""
    while True:
        pid, raw = os.wait()
        if pid == worker:
            code = os.waitstatus_to_exitcode(raw)
            os._exit(128 - code if code < 0 else min(code, 127))


def _end_stragglers(group: int) -> None:
    """Kill the worker's group, then every orphan that became a child of this process, until none is left."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)
    for _ in range(1000):
        with contextlib.suppress(OSError):
            children = f"/proc/self/task/{os.getpid()}/children"
            with open(children, encoding="ascii") as listed:
                for pid in listed.read().split():
                    os.kill(int(pid), signal.SIGKILL)
        try:
            if os.waitpid(-1, os.WNOHANG)[0] == 0:
                time.sleep(0.005)
        except ChildProcessError:
            return


def _lines(data: bytearray) -> list[list[str]]:
    """The violations, each once. Other lines, which a submission may write, are left out."""
    found: list[list[str]] = []
    for line in bytes(data).decode("utf-8", "replace").splitlines():
        with contextlib.suppress(ValueError):
            entry = json.loads(line)
            if isinstance(entry, list) and len(entry) == 2 and all(isinstance(part, str) for part in entry):
                short = [part[:200] for part in entry]
                if short not in found and len(found) < 20:
                    found.append(short)
    return found
