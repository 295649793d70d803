"""Whole training steps of the trainer and of the network's PyTorch twin: at batch 64, and as the batch grows.

Torch is imported only for its own backends, so that the memory of mytorch can be measured without it.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from experiments.bench.devices import Device
from experiments.bench.timing import BACKENDS, Plan, race, ratios
from experiments.config.load import load_recipe
from experiments.config.recipe import Recipe
from experiments.training.mytorch_learner import MytorchLearner, build_mytorch_optimizer
from mytorch import to_device

NETWORKS = {"scratch_cnn": "scratch_cnn", "small_resnet": "scratch_resnet"}
"""Networks whose step is timed: the name in the results, and the recipe."""

SIZE, BATCH, CLASSES = 64, 64, 500
STEPS = 1_000_000
"""Steps of the schedule: so many that those timed are all at its beginning."""


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
    learner = MytorchLearner(recipe, CLASSES, STEPS)
    if backend != "mytorch":
        return _torch_step(backend, learner, recipe, pixels, labels, device)
    if device != "cpu":
        learner = _moved(learner, recipe, device)
    x, target = to_device(pixels, device), to_device(labels, device)
    return lambda: learner.step(x, target)[0]


def _moved(learner: MytorchLearner, recipe: Recipe, device: str) -> MytorchLearner:
    """The learner with its network on another device, and a new optimizer for the parameters there."""
    learner.network.to(device)
    learner.optimizer = build_mytorch_optimizer(learner.network, recipe.optimizer)
    return learner


def _torch_step(
    backend: str, learner: MytorchLearner, recipe: Recipe, pixels: np.ndarray, labels: np.ndarray, name: str
) -> Callable[[], float]:
    import torch

    from experiments.bench.devices import open_device
    from experiments.training.torch_stages import build_torch_optimizer
    from models.twin import twin

    device = open_device(name)
    network, loss = device.module(twin(learner.network), backend), twin(learner.loss)
    group = {"params": list(network.parameters()), "weight_decay": recipe.optimizer.weight_decay}
    optimizer = build_torch_optimizer([group], recipe.optimizer)
    x, target = device.theirs(pixels, backend), torch.from_numpy(labels).to(name)

    def step() -> float:
        value = loss(network(x), target)
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
