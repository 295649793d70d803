"""Memory of training. Each measurement is a process of its own, because a process never returns all its memory.

`python -m experiments.bench.memory KIND NETWORK BACKEND BATCH THREADS STEPS SEED` measures and prints; the functions
here start that process. KIND is "peak" or "resident".
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from experiments.bench.timing import BACKENDS, Plan
from experiments.errors import FacesError

STATUS = Path("/proc/self/status")
MIB = 1 << 20
STEPS_TO_PEAK = 2
SAMPLES = 10
TINY = {"model.widths": "[16, 16]", "data.size": "[16, 16]"}
"""Settings of the small network whose memory is observed over many steps: a step takes milliseconds, but its arrays are
large enough for threads and for the memory cache."""

TINY_BATCH = 64


def available() -> bool:
    """Return whether this system reports the memory of a process: Linux does."""
    return STATUS.is_file()


def measure_peak(network: str, plan: Plan) -> dict[str, Any]:
    """Measure the peak memory of training steps in MiB by backend, and the ratio of ours to theirs.

    It is counted from what the process has before the first step: libraries, network, optimizer and batch.
    """
    from experiments.bench.steps import BATCH

    batch = plan.batch(BATCH)
    mib = {backend: _in_a_process("peak", network, backend, batch, plan, STEPS_TO_PEAK)[0] for backend in BACKENDS}
    return {
        "name": network, "batch": batch, "mib": mib, "ratio": mib["mytorch"] / mib["torch"],
        "ratio_channels_last": mib["mytorch"] / mib["torch_channels_last"],
    }  # fmt: skip


def measure_resident(plan: Plan) -> dict[str, Any]:
    """Measure the memory of mytorch after each tenth of `plan.memory_steps` steps, in MiB, and its growth.

    The first tenth fills the cache, so growth is counted from its end.
    """
    held = _in_a_process("resident", "scratch_cnn", "mytorch", TINY_BATCH, plan, plan.memory_steps)
    return {"steps": plan.memory_steps, "mib": held, "grown_mib": max(held) - held[0]}


def _in_a_process(kind: str, network: str, backend: str, batch: int, plan: Plan, steps: int) -> list[float]:
    """Run this file as a program, and return what it prints."""
    program = [sys.executable, "-m", __name__]
    arguments = [kind, network, backend, batch, plan.threads, steps, plan.seed]
    done = subprocess.run([*program, *map(str, arguments)], capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or [f"status {done.returncode}"])[-1]
        raise FacesError(f"measuring the memory of {network} by {backend} failed: {last}; is there enough memory?")
    found: list[float] = json.loads(done.stdout)
    return found


def _peak(network: str, backend: str, batch: int, steps: int, seed: int) -> list[float]:
    from experiments.bench.steps import step_of, step_recipe

    step = step_of(backend, step_recipe(network, seed), batch)
    before = _read("VmRSS")
    for _ in range(steps):
        step()
    return [max(_read("VmHWM") - before, 0.01)]


def _resident(network: str, batch: int, steps: int, seed: int) -> list[float]:
    from experiments.bench.steps import step_of
    from experiments.config.load import load_recipe

    settings = [*(f"{key}={value}" for key, value in TINY.items()), "schedule.name=constant", f"seed={seed}"]
    step, held = step_of("mytorch", load_recipe(network, settings), batch), []
    for done in range(1, steps + 1):
        step()
        if done % max(1, steps // SAMPLES) == 0:
            held.append(_read("VmRSS"))
    return held


def _read(field: str) -> float:
    """A field of /proc/self/status in MiB. Not getrusage: its peak includes the parent's."""
    line = next(line for line in STATUS.read_text().splitlines() if line.startswith(f"{field}:"))
    return int(line.split()[1]) * 1024 / MIB


def _measure(kind: str, network: str, backend: str, *numbers: str) -> list[float]:
    batch, threads, steps, seed = map(int, numbers)
    os.environ.update(OMP_NUM_THREADS=str(threads), OPENBLAS_NUM_THREADS=str(threads))  # torch's and NumPy's
    from experiments.bench.timing import limit_mytorch

    limit_mytorch(threads)
    return _peak(network, backend, batch, steps, seed) if kind == "peak" else _resident(network, batch, steps, seed)


if __name__ == "__main__":
    print(json.dumps(_measure(*sys.argv[1:])))
