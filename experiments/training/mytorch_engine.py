"""The engine of mytorch: a network in training on NumPy, in one process and in full precision."""

import json
import os
from collections.abc import Iterable
from contextlib import nullcontext
from math import inf
from pathlib import Path
from typing import Any

import numpy as np
import torch

from experiments.config.model_settings import ScratchModel
from experiments.config.recipe import Recipe
from experiments.config.schema import OptimizerSettings
from experiments.data.augment import mix_batch
from experiments.data.dataset import Faces
from experiments.data.loader import BatchShard, normalize_images
from experiments.errors import FacesError
from experiments.metrics.classification import classification_metrics, rank_of_truth
from experiments.training.engine import MIN_PART, under
from experiments.training.schedule import TOTALS, EpochPosition
from models.scratch.face_cnn import face_cnn
from models.scratch.residual import small_resnet
from mytorch import load, manual_seed, no_grad, optim, save
from mytorch.nn import CrossEntropyLoss, Sequential
from mytorch.random import default_generator

EVALUATION_BATCH = 64
"""Images per forward pass where nothing is learned."""


class MytorchEngine:
    """A mytorch network in training. network: as built. moving_average: that of its weights, or None."""

    device, rank, processes = "cpu", 0, 1
    threaded, pinned, steps_per_reading = True, False, 1

    def __init__(self, recipe: Recipe, device: str | None = None, dtype: type = np.float32):
        name, processes = recipe.mytorch_model.name, int(os.environ.get("WORLD_SIZE", "1"))
        if device not in (None, "cpu"):
            raise FacesError(
                f"--device {device}: {name} is a network of mytorch, which trains on the CPU; leave out --device"
            )
        if processes > 1:
            raise FacesError(f"{processes} processes: {name} is a network of mytorch, which trains in one; start one")
        self.recipe, self.dtype = recipe, dtype
        self.loss = CrossEntropyLoss(label_smoothing=recipe.label_smoothing)
        self.loss_per_image = CrossEntropyLoss(label_smoothing=recipe.label_smoothing, reduction="none")
        self.sums, self.gradient_norm = [0.0] * len(TOTALS), 0.0

    @property
    def lr(self) -> float:
        """The learning rate of the last step."""
        return self.optimizer.param_groups[0]["lr"]

    def default_workers(self, processors: int) -> int:
        """None: a thread prepares the batches, as NumPy and image decoders release Python's lock."""
        return 0

    def build(self, faces: Faces, workers: int, resume: bool) -> None:
        """Build the network with the recipe's seed."""
        self.build_network(len(faces.names))

    def build_network(self, classes: int) -> None:
        """Build the network for so many people, and the optimizer of the first stage."""
        manual_seed(self.recipe.seed)
        self.network = build_mytorch_network(self.recipe.mytorch_model, classes).to(self.dtype)
        self.network[0].needs_input_grad = False  # the gradient of the pixels is never used
        self.moving_average = optim.EMA(self.network) if self.recipe.training.ema else None
        self.begin_stage(0)

    def count_parameters(self) -> tuple[int, int]:
        """Return how many parameters there are, twice: all of them are trainable."""
        count = sum(p.data.size for p in self.network.parameters())
        return count, count

    def begin_stage(self, stage: int) -> None:
        """Start a new optimizer of all parameters."""
        self.optimizer = build_mytorch_optimizer(self.network, self.recipe.optimizer)
        self.network.train()

    @np.errstate(over="ignore", invalid="ignore")  # numbers that overflow show in the loss, and are refused there
    def step(self, shard: BatchShard, epoch: int, number: int, factor: float) -> bool:
        """Train on a batch, at `factor` times the learning rate."""
        recipe = self.recipe
        if number == 0:
            manual_seed((recipe.seed, epoch))  # what an epoch drops depends on its number alone, as a resumed run needs
        pixels = torch.from_numpy(normalize_images(_channels_last(shard), recipe.data, self.dtype))
        mixed, kept = mix_batch(pixels, recipe.mixing, recipe.seed, epoch, number)
        labels = shard.labels.numpy()
        self.set_rate(factor)
        weights: np.ndarray | None = None
        if shard.loss_weights is not None:
            weights = shard.loss_weights.numpy().astype(self.dtype)
        loss, logits = self.learn(mixed.numpy(), labels, kept, weights)
        right = int((rank_of_truth(logits, labels) == 0).sum())
        finite = bool(np.isfinite(self.gradient_norm))
        norm = self.gradient_norm if finite else 0.0
        self.set_totals(np.add(self.sums, (loss * len(labels), right, len(labels), norm, finite)))
        return True

    def set_rate(self, factor: float) -> None:
        """Set the learning rate of the next step, as a fraction of the recipe's."""
        for group in self.optimizer.param_groups:
            group["lr"] = self.recipe.optimizer.lr * factor

    def learn(
        self, pixels: np.ndarray, labels: np.ndarray, kept: float = 1.0, weights: np.ndarray | None = None
    ) -> tuple[float, np.ndarray]:
        """Train on normalized pixels (n, 3, H, W) and labels (n,); return loss and logits, both from before the step.

        kept: weight of an image's own label; that of its partner in the mixture, `labels[::-1]`, is 1 - kept.
        weights: (n,) of the images in the loss, which is not mixed then.
        """
        settings, total = self.recipe.training, len(labels)
        parts = max(1, min(settings.accumulate, total // MIN_PART))
        self.network.zero_grad()
        loss, outputs = 0.0, []
        for rows in np.array_split(np.arange(total), parts):
            part, weight = slice(rows[0], rows[-1] + 1), len(rows) / total
            outputs.append(self.network(pixels[part]))
            if weights is not None:
                scale = weights[part] / total
                loss += float(self.loss_per_image(outputs[-1], labels[part]) @ scale)
                self.network.backward(self.loss_per_image.backward(scale))
                continue
            loss += weight * kept * self.loss(outputs[-1], labels[part])
            grad = self.loss.backward(weight * kept)
            if kept < 1:
                loss += weight * (1 - kept) * self.loss(outputs[-1], labels[::-1][part])
                grad = grad + self.loss.backward(weight * (1 - kept))
            self.network.backward(grad)
        self.gradient_norm = optim.clip_grad_norm_(self.network.parameters(), settings.clip or inf)
        self.optimizer.step()
        return loss, outputs[0] if parts == 1 else np.concatenate(outputs)

    def average(self, decay: float) -> None:
        """Add the weights to their moving average."""
        assert self.moving_average is not None
        self.moving_average.decay = decay
        self.moving_average.update()

    def totals(self) -> list[float]:
        """Return the epoch's sums so far."""
        return self.sums

    def set_totals(self, totals: Iterable[float]) -> None:
        """Continue from these sums."""
        self.sums = [float(total) for total in totals]

    @np.errstate(over="ignore", invalid="ignore")
    def validate(self, shards: Iterable[BatchShard]) -> tuple[dict[str, float | None], list[str]]:
        """Return top1, top5 and loss; eer is None, as the network has no embeddings."""
        found = [(_channels_last(shard), shard.labels.numpy()) for shard in shards]
        if not found:
            return {"top1": None, "top5": None, "loss": None, "eer": None}, []
        images, labels = (np.concatenate(kind) for kind in zip(*found, strict=True))
        starts = range(0, len(images), EVALUATION_BATCH)
        chunks = (normalize_images(images[n : n + EVALUATION_BATCH], self.recipe.data, self.dtype) for n in starts)
        with self.moving_average.average_parameters() if self.moving_average else nullcontext():
            logits = np.concatenate([predict_logits(self.network, chunk) for chunk in chunks])
        return {**classification_metrics(logits, labels), "eer": None}, []

    def save_weights(self, path: Path) -> None:
        """Write the weights that are validated."""
        save(self.moving_average.averages if self.moving_average else self.network.state_dict(), path)

    def save(self, path: Path, notes: dict[str, Any]) -> None:
        """Write the network, its average, its optimizer and, within an epoch, the generator that dropout draws from."""
        arrays = {f"network.{name}": array for name, array in self.network.state_dict().items()}
        if self.moving_average:
            arrays |= {f"average.{name}": array for name, array in self.moving_average.averages.items()}
        if notes["stage"] is not None:
            optimizer, scalars = self.optimizer.state_dict(), []
            for number, state in enumerate(optimizer["state"]):
                arrays |= {f"optimizer.{number}.{name}": v for name, v in state.items() if isinstance(v, np.ndarray)}
                scalars.append({name: v for name, v in state.items() if not isinstance(v, np.ndarray)})
            notes = {**notes, "optimizer": {"scalars": scalars, "param_groups": optimizer["param_groups"]}}
        if notes["progress"]["step"]:
            notes = {**notes, "generator": default_generator().bit_generator.state}
        save(arrays, path, {"training": json.dumps(notes)})

    def load(self, path: Path, notes: dict[str, Any], position: EpochPosition | None) -> None:
        """Continue from what `save` wrote, in the stage of `position`."""
        arrays, _ = load(path)
        self.network.load_state_dict(under("network.", arrays))
        if self.moving_average:
            updates = {"n_averaged": np.array(notes["progress"]["updates"])}
            self.moving_average.load_state_dict(updates | under("average.", arrays))
        if position is not None:
            self.begin_stage(position.stage)
            if notes.get("stage", 0) == position.stage:  # earlier versions knew one stage and did not note it
                states = [
                    {**scalars, **{name: v.copy() for name, v in under(f"optimizer.{number}.", arrays).items()}}
                    for number, scalars in enumerate(notes["optimizer"]["scalars"])
                ]
                groups = notes["optimizer"]["param_groups"]
                self.optimizer.load_state_dict({"state": states, "param_groups": groups})
        if "generator" in notes:
            default_generator().bit_generator.state = notes["generator"]

    def gather(self, items: list[str]) -> list[str]:
        """Return the items: there is one process."""
        return items

    def wait(self) -> None:
        """Return at once: there is one process."""


def build_mytorch_network(model: ScratchModel, classes: int) -> Sequential:
    """Return the network that a recipe names."""
    builder = {"face_cnn": face_cnn, "small_resnet": small_resnet}[model.name]
    return builder(classes, model.widths, model.depth, model.dropout)


def build_mytorch_optimizer(network: Sequential, settings: OptimizerSettings) -> optim.Optimizer:
    """Return the optimizer that a recipe names, for all parameters of a network."""
    rates: dict[str, Any] = {"lr": settings.lr, "weight_decay": settings.weight_decay}
    match settings.name:
        case "sgd":
            return optim.SGD(network.parameters(), momentum=settings.momentum, nesterov=settings.nesterov, **rates)
        case "adam":
            return optim.Adam(network.parameters(), **rates)
        case "adamw":
            return optim.AdamW(network.parameters(), **rates)


def predict_logits(network: Sequential, pixels: np.ndarray) -> np.ndarray:
    """Return logits (n, classes) in evaluation mode; the network's mode is restored."""
    training = network.training
    network.eval()
    with no_grad():
        logits = [network(pixels[i : i + EVALUATION_BATCH]) for i in range(0, len(pixels), EVALUATION_BATCH)]
    network.train(training)
    return np.concatenate(logits)


def _channels_last(shard: BatchShard) -> np.ndarray:
    """Return a shard's images as (n, H, W, 3), without a copy."""
    return shard.images.permute(0, 2, 3, 1).numpy()
