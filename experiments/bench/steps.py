"""Whole training steps of mytorch and of the network's PyTorch twin: their time, as the batch grows, and their memory.

A process never returns all its memory, so each measurement of memory has a process of its own:
`python -m experiments.bench.steps KIND NETWORK BACKEND BATCH STEPS SEED` measures and prints, and the functions here
start it. KIND is "peak" or "resident".
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from experiments.bench.timing import BACKENDS, Device, Plan, limit_mytorch, race, ratios
from experiments.config.load import load_recipe
from experiments.config.recipe import Recipe
from experiments.errors import FacesError
from experiments.training.mytorch_engine import MytorchEngine
from mytorch import to_device

NETWORKS = {"scratch_cnn": "scratch_cnn", "small_resnet": "scratch_resnet"}
"""Networks whose step is timed: the name in the results, and the recipe."""

SIZE, BATCH, CLASSES = 64, 64, 500


def step_recipe(network: str, seed: int) -> Recipe:
    """Return a network's recipe for images of 64 px, without the warm-up's tiny rates."""
    settings = [f"data.size=[{SIZE}, {SIZE}]", f"batch_size={BATCH}", "schedule.name=constant", f"seed={seed}"]
    return load_recipe(NETWORKS[network], settings)


def step_of(backend: str, recipe: Recipe, batch: int, device: str = "cpu") -> Callable[[], float]:
    """Return a function that takes one step on one batch with a backend, and returns the loss before it.

    The batch is on the device already, in the backend's own layout.
    """
    rng = np.random.default_rng(recipe.seed)
    pixels = np.moveaxis(rng.standard_normal((batch, *recipe.data.size, 3), np.float32), -1, 1)  # as batches come
    labels = rng.integers(0, CLASSES, batch)
    engine = MytorchEngine(recipe)
    engine.build_network(CLASSES)
    if backend != "mytorch":
        return _torch_step(backend, engine, recipe, pixels, labels, device)
    if device != "cpu":
        engine.network.to(device)
        engine.begin_stage(0)  # an optimizer of the parameters there
    x, target = to_device(pixels, device), to_device(labels, device)
    return lambda: engine.learn(x, target)[0]


def _torch_step(
    backend: str, engine: MytorchEngine, recipe: Recipe, pixels: np.ndarray, labels: np.ndarray, name: str
) -> Callable[[], float]:
    import torch

    from experiments.bench.timing import open_device
    from experiments.training.torch_engine import build_torch_optimizer
    from models.twin import twin

    device = open_device(name)
    network, loss = device.module(twin(engine.network), backend), twin(engine.loss)
    group = {"params": list(network.parameters()), "weight_decay": recipe.optimizer.weight_decay}
    optimizer = build_torch_optimizer([group], recipe.optimizer)
    x, target = device.theirs(pixels, backend), torch.from_numpy(labels).to(name)

    def step() -> float:
        value = loss(network(x), target).mean()
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        return float(value.item())

    return step


BATCHES = (8, 16, 32, 64, 128)
GROWING = ("mytorch", "torch")


def measure_step(network: str, plan: Plan, device: Device) -> dict[str, Any]:
    """Time a step at batch 64; return the times by backend, and their ratios."""
    recipe, batch = step_recipe(network, plan.seed), plan.batch(BATCH)
    times = race({backend: step_of(backend, recipe, batch, plan.device) for backend in BACKENDS}, plan, device)
    return {"name": network, "batch": batch, "pixels": SIZE, "classes": CLASSES, **times, **ratios(times)}


def measure_growth(plan: Plan, device: Device) -> dict[str, Any]:
    """Time a step of the scratch CNN per image, by batch and backend; an image should cost the same at every batch.

    "power": p of the line through the points where a step's time is batch^p: 1 is linear.
    """
    recipe = step_recipe("scratch_cnn", plan.seed)
    rows: list[dict[str, Any]] = []
    for batch in BATCHES[:2] if plan.quick else BATCHES:
        times = race({backend: step_of(backend, recipe, batch, plan.device) for backend in GROWING}, plan, device)
        rows.append(
            {"batch": batch, **times, "ms_an_image": {backend: times[backend]["ms"] / batch for backend in GROWING}}
        )
    logs = np.log([row["batch"] for row in rows])
    powers = {
        backend: float(np.polyfit(logs, np.log([row[backend]["ms"] for row in rows]), 1)[0]) for backend in GROWING
    }
    return {"rows": rows, "power": powers}


STATUS = Path("/proc/self/status")
MIB = 1 << 20
STEPS_TO_PEAK = 2
SAMPLES = 10
TINY = {"model.widths": "[16, 16]", "data.size": "[16, 16]"}
"""Settings of the small network whose memory is observed over many steps: a step takes milliseconds, but its arrays are
large enough for threads and for the memory cache."""

TINY_BATCH = 64


def reports_memory() -> bool:
    """Return whether this system reports the memory of a process: Linux does."""
    return STATUS.is_file()


def measure_peak(network: str, plan: Plan) -> dict[str, Any]:
    """Measure the peak memory of training steps in MiB by backend, and the ratio of ours to theirs.

    It is counted from what the process has before the first step: libraries, network, optimizer and batch.
    """
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
    program = [sys.executable, "-m", __spec__.name]
    arguments = [kind, network, backend, batch, steps, plan.seed]
    threads = {"OMP_NUM_THREADS": str(plan.threads), "OPENBLAS_NUM_THREADS": str(plan.threads)}  # torch's and NumPy's
    done = subprocess.run(
        [*program, *map(str, arguments)], env=os.environ | threads, capture_output=True, text=True, check=False
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or [f"status {done.returncode}"])[-1]
        raise FacesError(f"measuring the memory of {network} by {backend} failed: {last}; is there enough memory?")
    found: list[float] = json.loads(done.stdout)
    return found


def _peak(network: str, backend: str, batch: int, steps: int, seed: int) -> list[float]:
    step = step_of(backend, step_recipe(network, seed), batch)
    before = _read("VmRSS")
    for _ in range(steps):
        step()
    return [max(_read("VmHWM") - before, 0.01)]


def _resident(network: str, batch: int, steps: int, seed: int) -> list[float]:
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
    batch, steps, seed = map(int, numbers)
    limit_mytorch(int(os.environ["OMP_NUM_THREADS"]))
    return _peak(network, backend, batch, steps, seed) if kind == "peak" else _resident(network, batch, steps, seed)


if __name__ == "__main__":
    print(json.dumps(_measure(*sys.argv[1:])))
