"""Run a command and note its seconds and its memory: `watched.py STEPS.json NAME COMMAND ...`.

A step that STEPS.json has as done is skipped. Seconds of a step that was stopped and begun again are summed. Memory is
what all processes of the command hold together, sampled twice a second: anonymous pages and shared memory, which is
what remains resident when the page cache is left out (images that are mapped from a file are page cache). A page
that two processes share counts twice, so the truth is at most what is noted. Linux only, for /proc.
"""

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from mytorch.files import atomic_write

EVERY = 0.5
"""Seconds between two looks."""
KEEP = 10
"""Looks between two writings of what is known so far."""
COUNTED = ("RssAnon:", "RssShmem:")


def main(steps: Path, name: str, command: list[str]) -> int:
    """The command's exit status; 0 at once for a step that is done."""
    known: dict[str, dict[str, Any]] = json.loads(steps.read_text()) if steps.exists() else {}
    step = known.setdefault(name, {"seconds": 0.0, "peak_mib": 0.0, "largest_process_mib": 0.0, "done": False})
    if step["done"]:
        return 0
    before, started = step["seconds"], time.monotonic()
    process = subprocess.Popen(command)
    looks = 0
    while process.poll() is None:
        held = [memory(pid) for pid in family(process.pid)]
        step["peak_mib"] = max(step["peak_mib"], round(sum(held), 1))
        step["largest_process_mib"] = max(step["largest_process_mib"], round(max(held, default=0.0), 1))
        step["seconds"] = round(before + time.monotonic() - started, 1)
        if looks % KEEP == 0:
            write(steps, known)
        looks += 1
        time.sleep(EVERY)
    step["seconds"], step["done"] = round(before + time.monotonic() - started, 1), process.returncode == 0
    write(steps, known)
    return process.returncode


def family(root: int) -> list[int]:
    """A process and all that come from it, by their numbers."""
    children: dict[int, list[int]] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                # The name, in brackets, may hold anything; the parent is the second word after it.
                parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:  # it has ended
                continue
            children.setdefault(parent, []).append(int(folder.name))
    found = [root]
    for pid in found:
        found.extend(children.get(pid, ()))
    return found


def memory(pid: int) -> float:
    """MiB that a process holds without the page cache; 0 after it has ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) for line in lines if line.startswith(COUNTED)) / 1024


def write(steps: Path, known: dict[str, dict[str, Any]]) -> None:
    """The file whole, or as it was."""
    with atomic_write(steps) as path:
        path.write_text(json.dumps(known, indent=1) + "\n")


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2], sys.argv[3:]))
