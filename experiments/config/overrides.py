"""What `faces train --epochs --lr --batch-size --seed` mean for a recipe, also for one in stages."""

from collections.abc import Sequence
from typing import Any

from experiments.config.recipe import Recipe
from experiments.errors import FacesError


def override_recipe(
    recipe: Recipe,
    epochs: int | None = None,
    lr: float | None = None,
    batch_size: int | None = None,
    seed: int | None = None,
) -> Recipe:
    """Return the recipe with another length, learning rate, batch size or seed, each as the user means it.

    epochs: of the whole run. Stages keep their proportions, at least one epoch each, and a step schedule its shape:
    its steps come after the same fractions of the run. lr: the optimizer's. The rates of stages and parts keep their
    ratio to it. Raises FacesError for values that do not fit the recipe.
    """
    changes: dict[str, Any] = {}
    if (epochs is not None or lr is not None) and not recipe.epochs:
        option = "--epochs" if epochs is not None else "--lr"
        raise FacesError(f"{option}: this recipe computes class means and learns nothing; leave the option out")
    stages = [stage.model_dump() for stage in recipe.stages]
    if epochs is not None:
        if epochs < max(1, len(stages)):
            raise FacesError(
                f"--epochs {epochs}: expected at least {max(1, len(stages))}"
                + (", one for each stage of the recipe" if stages else "")
            )
        for stage, length in zip(stages, scale_epochs([s["epochs"] for s in stages], epochs), strict=True):
            stage["epochs"] = length
        every = max(1, round(recipe.schedule.every * epochs / recipe.epochs))
        changes |= {"epochs": epochs, "schedule": {**recipe.schedule.model_dump(), "every": every}}
    if lr is not None:
        for stage in stages:
            stage["lr"] = _scale_rates(stage["lr"], lr / recipe.optimizer.lr)
        changes["optimizer"] = {**recipe.optimizer.model_dump(), "lr": lr}
    if stages:
        changes["stages"] = stages
    changes |= {name: value for name, value in {"batch_size": batch_size, "seed": seed}.items() if value is not None}
    return recipe.replace(**changes) if changes else recipe


def scale_epochs(lengths: Sequence[int], total: int) -> list[int]:
    """Divide `total` epochs in the proportions of `lengths`, at least one each: the method of largest remainders.

    lengths: none, or at most `total` of them, each 1 or more.
    """
    if not lengths:
        return []
    spare, weight = total - len(lengths), sum(lengths)
    exact = [max(0.0, total * length / weight - 1) for length in lengths]
    exact = [spare * share / (sum(exact) or 1) for share in exact]
    scaled = [int(share) for share in exact]
    by_remainder = sorted(range(len(lengths)), key=lambda n: (scaled[n] - exact[n], n))
    for n in by_remainder[: spare - sum(scaled)]:
        scaled[n] += 1
    return [1 + share for share in scaled]


def _scale_rates(rates: float | dict[str, float] | None, factor: float) -> float | dict[str, float] | None:
    """Multiply a stage's learning rates; none remains none, the optimizer's."""
    if isinstance(rates, dict):
        return {name: rate * factor for name, rate in rates.items()}
    return None if rates is None else rates * factor
