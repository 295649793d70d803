"""Where a training is in its stages, and its learning rate there: functions of what was done, which keep no state."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import cos, inf, pi
from typing import Any

from experiments.config.recipe import Recipe
from experiments.config.schema import ScheduleSettings

MIN_IMPROVEMENT = 1e-4
"""A loss lower by less than this share is no improvement, as in torch.optim.lr_scheduler.ReduceLROnPlateau."""

ONE_CYCLE_START, ONE_CYCLE_END = 1 / 25, 1 / 250_000
"""Shares of the highest rate, as in torch.optim.lr_scheduler.OneCycleLR."""


@dataclass(frozen=True)
class EpochPosition:
    """An epoch of a training. stage, epoch: which, from 0, epoch being counted in the stage; losses: of the stage's
    epochs so far, on the validation pictures where there are any.
    """

    stage: int
    epoch: int
    losses: tuple[float, ...]


def next_epoch(recipe: Recipe, history: Sequence[Mapping[str, Any]]) -> EpochPosition | None:
    """The epoch that follows a history, which has a row an epoch done; none at the end of the last stage.

    A stage is over after its epochs, or once as many in a row as early stopping allows brought no better loss.
    """
    done = 0
    for number, stage in enumerate(recipe.planned_stages):
        rows = [row for row in history[done:] if row["stage"] == number + 1]
        losses = tuple(monitored_loss(row) for row in rows)
        if len(rows) < stage.epochs and not _stopped(losses, recipe.training.early_stopping):
            return EpochPosition(number, len(rows), losses)
        done += len(rows)
    return None


def monitored_loss(row: Mapping[str, Any]) -> float:
    """What plateaus and early stopping look at: the validation loss, or where nothing validates, training's."""
    return float(row["train_loss"] if row["loss"] is None else row["loss"])


def lr_factor(recipe: Recipe, place: EpochPosition, step: int, steps: int) -> float:
    """The learning rate as a share of its highest, at `step` of the `steps` of an epoch."""
    schedule, before, epochs = recipe.schedule, 0, recipe.planned_stages[place.stage].epochs
    if schedule.over == "run":
        before = sum(stage.epochs for stage in recipe.planned_stages[: place.stage])
        epochs = recipe.epochs
    at, total = (before + place.epoch) * steps + step, epochs * steps
    match schedule.name:
        case "cosine":
            return _cosine(schedule, at, total)
        case "one_cycle":
            return _one_cycle(schedule, at, total)
        case "step":
            return schedule.gamma ** ((before + place.epoch) // schedule.every)
        case "plateau":
            return max(schedule.gamma ** _plateaus(place.losses, schedule.patience), schedule.least)
    return 1.0


def _cosine(schedule: ScheduleSettings, at: int, total: int) -> float:
    """A straight line up over the warm-up, then half a cosine down: mytorch.optim.CosineWithWarmup's."""
    warmup = int(schedule.warmup * total)
    if at < warmup:
        return (at + 1) / (warmup + 1)
    done = min(1.0, (at - warmup) / (total - warmup))
    return schedule.least + (1 - schedule.least) * (1 + cos(pi * done)) / 2


def _one_cycle(schedule: ScheduleSettings, at: int, total: int) -> float:
    """Half a cosine up and half a cosine down. Smith and Topin, arXiv 1708.07120."""
    peak = schedule.warmup * total - 1
    if at <= peak:
        return _between(ONE_CYCLE_START, 1.0, at / peak if peak else 1.0)
    end = total - 1
    return _between(1.0, ONE_CYCLE_END, (at - max(peak, 0)) / (end - max(peak, 0)) if end > max(peak, 0) else 1.0)


def _between(start: float, end: float, done: float) -> float:
    return end + (start - end) * (1 + cos(pi * done)) / 2


def _plateaus(losses: Sequence[float], patience: int) -> int:
    """How often the losses stopped improving for more than `patience` epochs."""
    best, waited, found = inf, 0, 0
    for loss in losses:
        if loss < best * (1 - MIN_IMPROVEMENT):
            best, waited = loss, 0
        else:
            waited += 1
        if waited > patience:
            found, waited = found + 1, 0
    return found


def _stopped(losses: Sequence[float], patience: int | None) -> bool:
    """Whether the last `patience` losses are no better than the best before them."""
    if patience is None or len(losses) <= patience:
        return False
    return min(losses[-patience:]) >= min(losses[:-patience])
