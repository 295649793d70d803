"""How far a training run is, where that is in its stages, and its learning rate there.

Stage and rate are functions of the recipe and of the epochs already done. They keep no state, so a checkpoint cannot
forget any.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import cos, inf, pi
from typing import Any

from experiments.config.recipe import Recipe
from experiments.config.schema import ScheduleSettings

MIN_IMPROVEMENT = 1e-4
"""A loss counts as better if it is lower by this fraction, as in torch.optim.lr_scheduler.ReduceLROnPlateau."""

ONE_CYCLE_START, ONE_CYCLE_END = 1 / 25, 1 / 250_000
"""Fractions of the highest rate, as in torch.optim.lr_scheduler.OneCycleLR."""


UNMEASURED: dict[str, Any] = {
    "epoch": None, "stage": 1, "lr": None, "train_loss": None, "train_top1": None, "top1": None, "top5": None,
    "loss": None, "eer": None, "grad_norm": None, "images_per_second": None, "skipped": 0,
}  # fmt: skip
"""A row of the history, in the order of its columns. Runs begun by earlier versions lack some of them."""

TOTALS = ("loss", "right", "images", "gradient norms", "steps")
"""What an engine sums over an epoch. Steps are those whose gradient was finite; its norm is that before clipping."""


@dataclass
class TrainingProgress:
    """How far a run is, also within an epoch.

    history: one row per epoch done. seconds: of training. step: batches of the next epoch that are done. totals: sums
    over these, as `TOTALS` names them. bad: what is wrong with each image that could not be read.
    select: the metric that decides which epoch is best. updates: how often the average of the weights was updated.
    """

    history: list[dict[str, Any]] = field(default_factory=list)
    seconds: float = 0.0
    step: int = 0
    totals: list[float] = field(default_factory=list)
    bad: list[str] = field(default_factory=list)
    select: str = "top1"
    updates: int = 0

    def __post_init__(self) -> None:
        self.history = [{**UNMEASURED, **row} for row in self.history]
        self.totals = [*self.totals, *[0.0] * (len(TOTALS) - len(self.totals))]  # earlier versions had fewer

    @property
    def epoch(self) -> int:
        """The number of epochs done."""
        return len(self.history)

    @property
    def best(self) -> dict[str, Any]:
        """The row with the lowest EER where that decides, otherwise with the highest accuracy; the first of several.

        The last row where neither was measured.
        """
        measured = [row for row in self.history if row["eer"] is not None]
        if self.select == "eer" and measured:
            return min(measured, key=lambda row: row["eer"])
        if self.history[-1]["top1"] is None:
            return self.history[-1]
        return max(self.history, key=lambda row: row["top1"])


@dataclass(frozen=True)
class EpochPosition:
    """An epoch of a training run.

    stage: its index. epoch: its index within the stage. losses: those of the stage's earlier epochs, on the validation
    images where there are any.
    """

    stage: int
    epoch: int
    losses: tuple[float, ...]


def next_epoch(recipe: Recipe, history: Sequence[Mapping[str, Any]]) -> EpochPosition | None:
    """Return the epoch that follows a history, which has one row per epoch done; None at the end of the last stage.

    A stage ends after its epochs, or when early stopping's number of epochs in a row brought no better loss.
    """
    done = 0
    for number, stage in enumerate(recipe.planned_stages):
        rows = [row for row in history[done:] if row["stage"] == number + 1]
        losses = tuple(monitored_loss(row) for row in rows)
        if len(rows) < stage.epochs and not _stopped_early(losses, recipe.training.early_stopping):
            return EpochPosition(number, len(rows), losses)
        done += len(rows)
    return None


def monitored_loss(row: Mapping[str, Any]) -> float:
    """Return what plateaus and early stopping look at: the validation loss, or without validation the training loss."""
    return float(row["train_loss"] if row["loss"] is None else row["loss"])


def lr_factor(recipe: Recipe, position: EpochPosition, step: int, steps: int) -> float:
    """Return the learning rate as a fraction of its highest, at `step` of the `steps` of an epoch."""
    schedule, before, epochs = recipe.schedule, 0, recipe.planned_stages[position.stage].epochs
    if schedule.span == "run":
        before = sum(stage.epochs for stage in recipe.planned_stages[: position.stage])
        epochs = recipe.epochs
    at, total = (before + position.epoch) * steps + step, epochs * steps
    match schedule.name:
        case "cosine":
            return _cosine(schedule, at, total)
        case "one_cycle":
            return _one_cycle(schedule, at, total)
        case "step":
            return schedule.gamma ** ((before + position.epoch) // schedule.step_size)
        case "plateau":
            return max(schedule.gamma ** _count_plateaus(position.losses, schedule.patience), schedule.min_factor)
    return 1.0


def average_decay(highest: float, updates: int) -> float:
    """Return the decay of the `updates`th update of a moving average of weights, counted from 1.

    It rises from 0 to the highest, as 1 - (1 + step) ** (-2 / 3): timm's ModelEmaV3 with its warm-up.
    """
    return min(highest, 1 - updates ** (-2 / 3))


def _cosine(schedule: ScheduleSettings, at: int, total: int) -> float:
    """A linear warm-up, then half a cosine down, as mytorch.optim.CosineWithWarmup."""
    warmup = int(schedule.warmup * total)
    if at < warmup:
        return (at + 1) / (warmup + 1)
    done = min(1.0, (at - warmup) / (total - warmup))
    return schedule.min_factor + (1 - schedule.min_factor) * (1 + cos(pi * done)) / 2


def _one_cycle(schedule: ScheduleSettings, at: int, total: int) -> float:
    """Half a cosine up and half a cosine down. Smith and Topin, arXiv 1708.07120."""
    peak = schedule.warmup * total - 1
    if at <= peak:
        return _half_cosine(ONE_CYCLE_START, 1.0, at / peak if peak else 1.0)
    end = total - 1
    return _half_cosine(1.0, ONE_CYCLE_END, (at - max(peak, 0)) / (end - max(peak, 0)) if end > max(peak, 0) else 1.0)


def _half_cosine(start: float, end: float, done: float) -> float:
    return end + (start - end) * (1 + cos(pi * done)) / 2


def _count_plateaus(losses: Sequence[float], patience: int) -> int:
    """Return how often the losses stopped improving for more than `patience` epochs."""
    best, waited, found = inf, 0, 0
    for loss in losses:
        if loss < best * (1 - MIN_IMPROVEMENT):
            best, waited = loss, 0
        else:
            waited += 1
        if waited > patience:
            found, waited = found + 1, 0
    return found


def _stopped_early(losses: Sequence[float], patience: int | None) -> bool:
    """Return whether the last `patience` losses are no better than the best before them."""
    if patience is None or len(losses) <= patience:
        return False
    return min(losses[-patience:]) >= min(losses[:-patience])
