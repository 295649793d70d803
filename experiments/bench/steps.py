"""A whole step of training, as the trainer takes it, and by the PyTorch twin of the same network.

Torch is imported only where a side of its own is asked for, so that our memory can be measured without it.

Steps of training, timed: at batch 64, and as the batch grows, where an image should cost the same all along.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from experiments.bench.devices import Device
from experiments.bench.timing import SIDES, Plan, race, ratios
from experiments.config.load import load_recipe
from experiments.config.recipe import Recipe
from experiments.training.mytorch_learner import MytorchLearner, build_mytorch_optimizer
from mytorch import to_device

NETWORKS = {"scratch_cnn": "scratch_cnn", "small_resnet": "scratch_resnet"}
"""What a step is timed of: its name in the figures, and the recipe."""

SIZE, BATCH, CLASSES = 64, 64, 500
STEPS = 1_000_000
"""So many steps that the schedule is at its beginning in all of them."""


def step_recipe(network: str, seed: int) -> Recipe:
    """A network's recipe for pictures of 64 px, without the warm-up's tiny rates."""
    settings = [f"data.size=[{SIZE}, {SIZE}]", f"batch_size={BATCH}", "schedule.name=constant", f"seed={seed}"]
    return load_recipe(NETWORKS[network], settings)


def step_of(side: str, recipe: Recipe, batch: int, device: str = "cpu") -> Callable[[], float]:
    """A function that takes one step on one batch, by a side, and returns the loss before it.

    The batch lies there already, in the side's own layout.
    """
    rng = np.random.default_rng(recipe.seed)
    pixels = np.moveaxis(rng.standard_normal((batch, *recipe.data.size, 3), np.float32), -1, 1)  # as batches come
    labels = rng.integers(0, CLASSES, batch)
    learner = MytorchLearner(recipe, CLASSES, STEPS)
    if side != "mytorch":
        return _torch_step(side, learner, recipe, pixels, labels, device)
    if device != "cpu":
        learner = _moved(learner, recipe, device)
    x, target = to_device(pixels, device), to_device(labels, device)
    return lambda: learner.step(x, target)[0]


def _moved(learner: MytorchLearner, recipe: Recipe, device: str) -> MytorchLearner:
    """The learner with its network on another device, and a new optimiser over the parameters there."""
    learner.network.to(device)
    learner.optimizer = build_mytorch_optimizer(learner.network, recipe.optimizer)
    return learner


def _torch_step(
    side: str, learner: MytorchLearner, recipe: Recipe, pixels: np.ndarray, labels: np.ndarray, name: str
) -> Callable[[], float]:
    import torch

    from experiments.bench.devices import device_called
    from experiments.twin import build_torch_optimizer
    from models.twin import twin

    device = device_called(name)
    network, loss = device.module(twin(learner.network), side), twin(learner.loss)
    optimizer = build_torch_optimizer(network, recipe.optimizer)
    x, target = device.theirs(pixels, side), torch.from_numpy(labels).to(name)

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
    """A step at batch 64: the times by side, and their ratios."""
    recipe, batch = step_recipe(network, plan.seed), plan.batch(BATCH)
    times = race({side: step_of(side, recipe, batch, plan.device) for side in SIDES}, plan, device)
    return {"name": network, "batch": batch, "pixels": SIZE, "classes": CLASSES, **times, **ratios(times)}


def measure_growth(plan: Plan, device: Device) -> dict[str, Any]:
    """The milliseconds an image of a step of the scratch CNN takes, by batch and side, and the power of the batch.

    "power": p of the line through the points where a step's time is batch^p: 1 is linear.
    """
    recipe = step_recipe("scratch_cnn", plan.seed)
    rows: list[dict[str, Any]] = []
    for batch in BATCHES[:2] if plan.quick else BATCHES:
        times = race({side: step_of(side, recipe, batch, plan.device) for side in GROWING}, plan, device)
        rows.append({"batch": batch, **times, "ms_an_image": {side: times[side]["ms"] / batch for side in GROWING}})
    logs = np.log([row["batch"] for row in rows])
    powers = {side: float(np.polyfit(logs, np.log([row[side]["ms"] for row in rows]), 1)[0]) for side in GROWING}
    return {"rows": rows, "power": powers}
