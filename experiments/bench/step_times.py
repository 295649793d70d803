"""Steps of training, timed: at batch 64, and as the batch grows, where an image should cost the same all along."""

from typing import Any

import numpy as np

from experiments.bench.devices import Device
from experiments.bench.plan import SIDES, Plan
from experiments.bench.steps import BATCH, CLASSES, SIZE, step_of, step_recipe
from experiments.bench.timing import race, ratios

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
