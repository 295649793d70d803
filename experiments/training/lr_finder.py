"""Find a learning rate by the range test: train a few batches while the rate rises, and watch the loss.

Smith 2017, "Cyclical Learning Rates for Training Neural Networks", arXiv 1506.01186, section 3.3. The rate rises
exponentially, as in fastai's learning-rate finder. Nothing but the plot and the table is written.
"""

import os
from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass
from math import isfinite
from pathlib import Path

import numpy as np

from experiments.config.recipe import Recipe
from experiments.data.images import available_processors
from experiments.data.loader import BatchShard, EpochLoader, ShardedBatches
from experiments.errors import FacesError
from experiments.files import write_csv
from experiments.plots.training import plot_lr_range
from experiments.progress import format_count, say, track
from experiments.training.schedule import TOTALS
from experiments.training.trainer import DEFAULT_OPTIONS, TrainOptions, build_engine, explain_out_of_memory

LOWEST, HIGHEST, STEPS = 1e-6, 10.0, 100
"""The rates tried, and how many."""

DIVERGED = 4.0
"""The test ends where the running mean of the loss is this many times its lowest."""

RUNNING_MEAN = 0.9
"""Decay of that running mean."""

SMOOTHING = 3.0
"""Standard deviation, in steps, of the Gaussian that smooths the curve. It is centered, so that nothing is late."""

FIRST_STEPS = 10
"""Steps at the lowest rates, at which nothing is learned yet: their mean loss is the start."""

MIN_FALL = 0.05
"""The loss must fall by this fraction for a suggestion."""


@dataclass(frozen=True)
class LrRange:
    """A range test. rates, losses, smoothed: (N,), one for each step. diverged: whether it ended early.

    suggestion: the rate at which the smoothed loss falls fastest, before its lowest point; None where it hardly falls.
    lowest: the rate of that point.
    """

    rates: np.ndarray
    losses: np.ndarray
    smoothed: np.ndarray
    diverged: bool
    suggestion: float | None
    lowest: float


def find_lr(
    recipe: Recipe, data: str | os.PathLike[str], path: Path, options: TrainOptions = DEFAULT_OPTIONS
) -> LrRange:
    """Run the test on a recipe's first stage, write the plot to `path` and the numbers to a .csv next to it.

    The rates are those of the optimizer; those that stages and parts set rise in proportion, as with `--lr`. Raises
    FacesError, before anything is trained, for another type of file, a missing folder and a recipe that learns nothing;
    and where the loss is not finite at the lowest rates.
    """
    if path.suffix.lower() != ".png":
        raise FacesError(f"--find-lr {path}: expected the name of a file that ends in .png")
    if not path.absolute().parent.is_dir():
        raise FacesError(f"--find-lr {path}: there is no folder {path.parent}; make it first")
    if not recipe.epochs:
        raise FacesError("--find-lr: this recipe computes class means and learns nothing; leave the option out")
    engine = build_engine(recipe, options.device)
    if engine.processes > 1:
        raise FacesError(f"--find-lr: {engine.processes} processes; start one")
    workers = options.workers
    if workers is None:
        workers = engine.default_workers(available_processors())
    with explain_out_of_memory(recipe, 1):
        faces, _ = options.read(data, recipe)
        engine.build(faces, workers, False)
        batches = ShardedBatches(faces, recipe, training=True)
        loader = EpochLoader(batches, min(workers, len(batches)), pin=engine.pinned)
        engine.begin_stage(0)
        rates = LOWEST * (HIGHEST / LOWEST) ** (np.arange(STEPS) / (STEPS - 1))
        losses: list[float] = []
        with track("range test", STEPS, "steps") as advance, closing(_endless(loader)) as shards:
            for rate, (epoch, number, shard) in zip(rates, shards, strict=False):
                engine.set_totals([0.0] * len(TOTALS))
                engine.step(shard, epoch, number, float(rate) / recipe.optimizer.lr)
                loss, _, images, *_ = engine.totals()
                losses.append(loss / max(images, 1))
                advance(len(losses), STEPS)
                if has_diverged(losses):
                    break
    found = analyze(rates[: len(losses)], np.array(losses))
    title = f"{recipe.model.name}, {len(faces.names)} people, batches of {recipe.batch_size}"
    plot_lr_range(found.rates, found.losses, found.smoothed, found.suggestion, path, title)
    table = path.with_suffix(".csv")
    rows = zip(found.rates, found.losses, found.smoothed, strict=True)
    write_csv(table, [{"lr": float(lr), "loss": float(loss), "smoothed": float(mean)} for lr, loss, mean in rows])
    for line in describe(found):
        say(line)
    say(f"written to {path} and {table}")
    return found


def _endless(loader: EpochLoader) -> Generator[tuple[int, int, BatchShard], None, None]:
    """Yield the batches of epoch after epoch, with the epoch and the batch's number in it."""
    epoch = 0
    while True:
        for number, shard in enumerate(loader.epoch(epoch)):
            yield epoch, number, shard
        epoch += 1


def has_diverged(losses: list[float]) -> bool:
    """Return whether the last loss is not finite, or the running mean is `DIVERGED` times its lowest."""
    mean, lowest = 0.0, float("inf")
    for step, loss in enumerate(losses, 1):
        if not isfinite(loss):
            return True
        mean = RUNNING_MEAN * mean + (1 - RUNNING_MEAN) * loss
        corrected = mean / (1 - RUNNING_MEAN**step)
        lowest = min(lowest, corrected)
    return corrected > DIVERGED * lowest if losses else False


def analyze(rates: np.ndarray, losses: np.ndarray) -> LrRange:
    """Smooth the losses (N,) of rates (N,) and choose a rate. A last loss that is not finite is left out.

    Raises FacesError where fewer than `FIRST_STEPS` losses are finite.
    """
    finite = np.isfinite(losses)
    diverged = has_diverged(losses.tolist())
    rates, losses = rates[finite], losses[finite]
    if len(losses) < FIRST_STEPS:
        raise FacesError(
            f"the loss is not finite after {format_count(len(losses), 'step')} at a learning rate of at most "
            f"{rates[-1] if len(rates) else LOWEST:.1g}: the weights or the images are damaged, or the rates of the "
            "stages are too high"
        )
    smoothed = smooth(losses)
    bottom = int(smoothed.argmin())
    start = float(losses[:FIRST_STEPS].mean())
    suggestion = None
    if bottom and start - smoothed[bottom] >= MIN_FALL * abs(start):
        slope = np.gradient(smoothed, np.log10(rates))
        suggestion = float(rates[slope[: bottom + 1].argmin()])
    return LrRange(rates, losses, smoothed, diverged, suggestion, float(rates[bottom]))


def smooth(values: np.ndarray) -> np.ndarray:
    """Return values (N,) smoothed by a centered Gaussian of `SMOOTHING` steps. Its weights sum to 1."""
    places = np.arange(len(values))
    weights = np.exp(-0.5 * ((places[:, None] - places) / SMOOTHING) ** 2)
    smoothed: np.ndarray = (weights @ values) / weights.sum(1)
    return smoothed


def describe(found: LrRange) -> list[str]:
    """Return what was found, and how the suggestion was chosen."""
    tried = f"{len(found.rates)} rates from {found.rates[0]:.1g} to {found.rates[-1]:.2g}"
    ended = ", where the loss diverged" if found.diverged else ", without divergence"
    lines = [f"{tried}{ended}; the smoothed loss is lowest, {found.smoothed.min():.3f}, at {found.lowest:.2g}"]
    if found.suggestion is None:
        lines.append(
            f"no suggestion: the loss fell by less than {MIN_FALL:.0%}; try larger batches (--batch-size), or a recipe "
            "with pretrained weights"
        )
    else:
        lines.append(
            f"suggestion: --lr {found.suggestion:.2g}, where the smoothed loss falls fastest; above "
            f"{found.lowest:.2g}, where it is lowest, training is likely to be unstable"
        )
    return lines
