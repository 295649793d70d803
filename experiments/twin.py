"""mytorch and PyTorch side by side: the same weights, the same batches, and how far their losses differ."""

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from experiments.config.recipe import Recipe
from experiments.config.schema import OptimizerSettings
from experiments.data.dataset import Faces, read_split
from experiments.data.folders import identity_root
from experiments.data.loader import Batch, Batches, normalize_images
from experiments.errors import FacesError
from experiments.files import new_folder, refuse_existing, refuse_inside, write_csv, write_json, write_text
from experiments.metrics.classification import classification_metrics
from experiments.plots.training import plot_twin_curves
from experiments.progress import say, track
from experiments.training.build_mytorch import EVALUATION_BATCH, predict_logits
from experiments.training.mytorch_engine import MytorchEngine
from experiments.training.schedule import EpochPosition, lr_factor
from experiments.training.torch_engine import build_torch_optimizer
from models.twin import twin

DTYPES = {"float32": np.float32, "float64": np.float64}


class TorchTwin:
    """The PyTorch twin of a mytorch network in training: same weights, PyTorch's own layers, loss and optimizer."""

    def __init__(self, original: MytorchEngine, settings: OptimizerSettings):
        self.original = original
        self.network = twin(original.network)
        self.loss = twin(original.loss)
        group = {"params": list(self.network.parameters()), "weight_decay": settings.weight_decay}
        self.optimizer = build_torch_optimizer([group], settings)

    def step(self, pixels: np.ndarray, labels: np.ndarray, lr: float) -> float:
        """Train on a batch at the learning rate that the original had for it; return the loss before the step."""
        self.optimizer.param_groups[0]["lr"] = lr
        loss = self.loss(self.network(_tensor(pixels)), torch.from_numpy(labels)).mean()
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss.item()

    def predict(self, pixels: np.ndarray) -> np.ndarray:
        """Return logits (n, classes) in evaluation mode."""
        self.network.eval()
        with torch.no_grad():
            parts = [self.network(part).numpy() for part in _tensor(pixels).split(EVALUATION_BATCH)]
        self.network.train()
        return np.concatenate(parts)


@dataclass
class TwinComparison:
    """The losses of two networks on the same batches, and the seconds each took, step by step."""

    ours: list[float] = field(default_factory=list)
    theirs: list[float] = field(default_factory=list)
    our_seconds: list[float] = field(default_factory=list)
    their_seconds: list[float] = field(default_factory=list)

    @property
    def difference(self) -> np.ndarray:
        """|ours - theirs| / |theirs| of each step's loss."""
        ours, theirs = np.array(self.ours), np.array(self.theirs)
        return np.abs(ours - theirs) / np.abs(theirs)

    def rows(self) -> list[dict[str, Any]]:
        """Return one row per step."""
        columns = (self.ours, self.theirs, self.difference.tolist(), self.our_seconds, self.their_seconds)
        names = ("mytorch", "torch", "relative_difference", "mytorch_seconds", "torch_seconds")
        return [
            {"step": n, **dict(zip(names, row, strict=True))} for n, row in enumerate(zip(*columns, strict=True), 1)
        ]


def run_twin(
    recipe: Recipe, data: str | os.PathLike[str], out: str | os.PathLike[str], steps: int | None, dtype: str = "float32"
) -> dict[str, Any]:
    """Train a recipe with mytorch and with PyTorch over the same batches; write both curves and their difference.

    Dropout is off, because the two draw their random numbers differently. A plateau schedule watches the training loss
    here. steps: how many; by default all epochs of the recipe. Writes to `out`: twin.csv (one row per step), twin.png,
    twin.json (the largest difference, the time and accuracy of each) and recipe.yaml. Raises FacesError for an `out`
    that exists, an unknown dtype, data that cannot be read, and losses that are not finite.
    """
    folder = Path(out)
    if dtype not in DTYPES:
        raise FacesError(f"--dtype {dtype}: expected float32 or float64")
    if recipe.loss.class_weights != "none" or recipe.sampling != "shuffle":
        raise FacesError(
            "loss.class_weights and sampling: the twins learn from every image once, with equal weights; leave out"
        )
    refuse_existing(folder, "remove that one")
    refuse_inside(folder, identity_root(data))
    recipe = recipe.model_copy(update={"model": recipe.mytorch_model.model_copy(update={"dropout": 0.0})})
    faces, validation = read_split(data, recipe)
    batches = Batches(faces, recipe, DTYPES[dtype])
    total = len(batches) * recipe.epochs if steps is None else min(steps, len(batches) * recipe.epochs)
    ours = MytorchEngine(recipe, dtype=DTYPES[dtype])
    ours.build_network(len(faces.names))
    theirs = TorchTwin(ours, recipe.optimizer)
    say(f"{recipe.model.name} in {dtype}, {total} steps of {recipe.batch_size} images, mytorch and torch alternating")
    comparison = _train_both(ours, theirs, batches, total)
    result = _summarize(comparison, dtype, recipe) | _validation_accuracies(ours, theirs, validation, recipe)
    with new_folder(folder) as made:
        write_text(made / "recipe.yaml", recipe.dump())
        write_csv(made / "twin.csv", comparison.rows())
        write_json(made / "twin.json", result)
        plot_twin_curves(comparison.ours, comparison.theirs, comparison.difference, made / "twin.png", dtype)
    say(
        f"largest relative difference of the losses: {result['largest_difference']:.1e} "
        f"(first five steps: {result['largest_difference_first_5']:.1e})"
    )
    say(f"validation top-1: mytorch {result['mytorch_top1']:.1%}, torch {result['torch_top1']:.1%}")
    say(f"seconds per step (median): mytorch {result['mytorch_step']:.3f}, torch {result['torch_step']:.3f}")
    say(f"wrote {folder}: twin.png, twin.csv, twin.json")
    return result


@np.errstate(over="ignore", invalid="ignore")  # as in training: the loss shows it
def _train_both(ours: MytorchEngine, theirs: TorchTwin, batches: Batches, total: int) -> TwinComparison:
    """Train both on the same batches, alternating."""
    comparison, steps = TwinComparison(), len(batches)
    losses: list[float] = []
    with track("twins", total, "steps") as advance:
        for done, batch in zip(range(1, total + 1), _stream(batches), strict=False):
            epoch, step = divmod(done - 1, steps)
            if epoch > len(losses):
                losses.append(float(np.mean(comparison.ours[-steps:])))
            ours.set_rate(lr_factor(ours.recipe, EpochPosition(0, epoch, tuple(losses)), step, steps))
            started = time.perf_counter()
            comparison.ours.append(ours.learn(batch.pixels, batch.labels)[0])
            between = time.perf_counter()
            comparison.theirs.append(theirs.step(batch.pixels, batch.labels, ours.lr))
            comparison.our_seconds.append(between - started)
            comparison.their_seconds.append(time.perf_counter() - between)
            if not np.isfinite([comparison.ours[-1], comparison.theirs[-1]]).all():
                raise FacesError(
                    f"at step {done} the losses are {comparison.ours[-1]} and {comparison.theirs[-1]}: training "
                    f"diverged; try a learning rate below {ours.lr:.2g}, by --set optimizer.lr=..."
                )
            advance(done, total)
    return comparison


def _summarize(comparison: TwinComparison, dtype: str, recipe: Recipe) -> dict[str, Any]:
    difference = comparison.difference
    return {
        "dtype": dtype,
        "seed": recipe.seed,
        "steps": len(difference),
        "largest_difference": float(difference.max()),
        "largest_difference_first_5": float(difference[:5].max()),
        "largest_difference_first_100": float(difference[:100].max()),
        "mytorch_step": float(np.median(comparison.our_seconds)),
        "torch_step": float(np.median(comparison.their_seconds)),
        "step_ratio": float(np.median(np.array(comparison.our_seconds) / np.array(comparison.their_seconds))),
        "torch_threads": torch.get_num_threads(),
    }


def _validation_accuracies(
    ours: MytorchEngine, theirs: TorchTwin, validation: Faces, recipe: Recipe
) -> dict[str, float]:
    pixels = normalize_images(validation.images, recipe.data, next(ours.network.parameters()).dtype.type)
    pairs = {"mytorch": predict_logits(ours.network, pixels), "torch": theirs.predict(pixels)}
    return {f"{name}_top1": classification_metrics(logits, validation.labels)["top1"] for name, logits in pairs.items()}


def _stream(batches: Batches) -> Iterator[Batch]:
    """Yield the batches of epoch after epoch, endlessly."""
    epoch = 0
    while True:
        yield from batches.epoch(epoch)
        epoch += 1


def _tensor(pixels: np.ndarray) -> torch.Tensor:
    """Return an array as PyTorch users have it: (N, C, H, W) in the default memory order."""
    return torch.from_numpy(np.ascontiguousarray(pixels))
