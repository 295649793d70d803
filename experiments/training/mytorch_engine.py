"""The engine of mytorch: a network in training on NumPy, in one process and in full precision."""

import json
import os
from collections.abc import Iterable
from contextlib import nullcontext
from math import inf
from pathlib import Path
from typing import Any

import numpy as np

from experiments.config.model_settings import ScratchModel
from experiments.config.recipe import Recipe
from experiments.data.augment import mix_arrays
from experiments.data.dataset import Faces
from experiments.data.loader import BatchShard, normalize_images
from experiments.errors import FacesError
from experiments.metrics.classification import classification_metrics, rank_of_truth
from experiments.metrics.roc import compute_validation_eer
from experiments.training.build_mytorch import build_mytorch_network, build_mytorch_optimizer
from experiments.training.engine import MIN_PART, under
from experiments.training.parameter_groups import StagePlan, group_parameters
from experiments.training.schedule import TOTALS, EpochPosition
from models.mytorch_face_net import MytorchFaceNet, Network
from models.mytorch_heads import TripletHead
from mytorch import load, manual_seed, no_grad, optim, save
from mytorch.nn import CrossEntropyLoss
from mytorch.ops.margin import normalize
from mytorch.random import default_generator


class MytorchEngine:
    """A mytorch network in training.

    network: as built. plans: what each stage trains. moving_average: that of the weights, or None.
    """

    device, rank, processes = "cpu", 0, 1
    threaded, pinned, steps_per_reading = True, False, 1

    def __init__(self, recipe: Recipe, device: str | None = None, dtype: type = np.float32):
        processes = int(os.environ.get("WORLD_SIZE", "1"))
        if device not in (None, "cpu"):
            raise FacesError(f"--device {device}: this run is mytorch's, which trains on the CPU; leave out --device")
        if processes > 1:
            raise FacesError(f"{processes} processes: this run is mytorch's, which trains in one; start one")
        self.recipe, self.dtype = recipe, dtype
        self.loss = CrossEntropyLoss(reduction="none", label_smoothing=recipe.label_smoothing)
        self.sums, self.gradient_norm = [0.0] * len(TOTALS), 0.0

    @property
    def lr(self) -> float:
        """The highest learning rate of any part in the last step."""
        return max(group["lr"] for group in self.optimizer.param_groups)

    def default_workers(self, processors: int) -> int:
        """None: a thread prepares the batches, as NumPy and image decoders release Python's lock."""
        return 0

    def build(self, faces: Faces, workers: int, resume: bool) -> None:
        """Build the network with the recipe's seed; a transfer network with its weights, by PyTorch, and convert it."""
        if isinstance(self.recipe.model, ScratchModel):
            return self.build_network(len(faces.names))
        from experiments.training.convert_model import convert_transfer_model  # imports PyTorch

        return self.adopt(*convert_transfer_model(self.recipe, faces, workers, resume))

    def build_network(self, classes: int) -> None:
        """Build the network from random weights for so many people, and the optimizer of the first stage."""
        recipe = self.recipe
        manual_seed(recipe.seed)
        network = build_mytorch_network(recipe.mytorch_model, classes)
        named = dict(network.named_parameters())
        names = {id(parameter): name for name, parameter in named.items()}
        groups = group_parameters({"network": named.values()}, recipe.planned_stages[0], recipe.optimizer)
        named_groups = [{**group, "params": [names[id(one)] for one in group["params"]]} for group in groups]
        self.adopt(network, [StagePlan(named_groups)])

    def adopt(self, network: Network, plans: list[StagePlan]) -> None:
        """Take a network, in the engine's precision, and what its stages train."""
        self.network, self.plans = network.to(self.dtype), plans
        self.moving_average = optim.EMA(self.network) if self.recipe.training.ema else None
        if plans:
            self.begin_stage(0)

    def count_parameters(self) -> tuple[int, int]:
        """Return how many parameters there are, and how many are trainable."""
        sizes = {name: parameter.data.size for name, parameter in self.network.named_parameters()}
        trained = self.plan.trained if self.plans else set()
        return sum(sizes.values()), sum(sizes[name] for name in trained)

    def begin_stage(self, stage: int) -> None:
        """Freeze and unfreeze the parts of this stage, with a new optimizer."""
        self.plan = plan = self.plans[stage]
        named = dict(self.network.named_parameters())
        groups = [{**group, "params": [named[name] for name in group["params"]]} for group in plan.groups]
        self.optimizer = build_mytorch_optimizer(groups, self.recipe.optimizer)
        if isinstance(self.network, MytorchFaceNet):
            self.network.freeze(plan.frozen, named.keys() - plan.trained)
        self.network.train()

    @np.errstate(over="ignore", invalid="ignore")  # numbers that overflow show in the loss, and are refused there
    def step(self, shard: BatchShard, epoch: int, number: int, factor: float) -> bool:
        """Train on a batch, at `factor` times the highest learning rates."""
        recipe = self.recipe
        if number == 0:
            manual_seed((recipe.seed, epoch))  # what an epoch drops depends on its number alone, as a resumed run needs
        pixels = normalize_images(_channels_last(shard), recipe.data, self.dtype)
        mixed, kept = mix_arrays(pixels, recipe.mixing, recipe.seed, epoch, number)
        labels, weights = shard.labels.numpy(), shard.weights.numpy()
        self.set_rate(factor)
        scales = weights if shard.loss_weights is None else weights * shard.loss_weights.numpy()
        loss, logits = self.learn(mixed, labels, kept, scales)
        right = float(((rank_of_truth(logits, labels) == 0) * weights).sum())
        finite = bool(np.isfinite(self.gradient_norm))
        norm = self.gradient_norm if finite else 0.0
        self.set_totals(np.add(self.sums, (loss * len(labels), right, float(weights.sum()), norm, finite)))
        return True

    def set_rate(self, factor: float) -> None:
        """Set the learning rates of the next step, as a fraction of the highest."""
        for group, plan in zip(self.optimizer.param_groups, self.plan.groups, strict=True):
            group["lr"] = plan["base"] * factor

    def learn(
        self, pixels: np.ndarray, labels: np.ndarray, kept: float = 1.0, weights: np.ndarray | None = None
    ) -> tuple[float, np.ndarray]:
        """Train on normalized pixels (n, 3, H, W) and labels (n,); return loss and logits, both from before the step.

        kept: weight of an image's own label; that of its partner in the mixture, `labels[::-1]`, is 1 - kept. weights:
        (n,) of the images in the loss, 0 for one that counts nothing.
        """
        settings, total = self.recipe.training, len(labels)
        every: np.ndarray = np.ones(total, self.dtype) if weights is None else weights.astype(self.dtype)
        parts = max(1, min(settings.accumulate, total // MIN_PART))
        self.network.zero_grad()
        loss, outputs = 0.0, []
        for rows in np.array_split(np.arange(total), parts):
            part = slice(rows[0], rows[-1] + 1)
            of_part, logits = self._learn_part(pixels[part], labels[part], labels[::-1][part], every[part], kept, total)
            loss += of_part
            outputs.append(logits)
        trained = [one for group in self.optimizer.param_groups for one in group["params"]]
        self.gradient_norm = optim.clip_grad_norm_(trained, settings.clip or inf)
        self.optimizer.step()
        return loss, outputs[0] if parts == 1 else np.concatenate(outputs)

    def _learn_part(
        self, pixels: np.ndarray, own: np.ndarray, partners: np.ndarray, weights: np.ndarray, kept: float, total: int
    ) -> tuple[float, np.ndarray]:
        """Add a part's gradients; return its share of the loss, and its logits. total: images in the whole batch."""
        head, share = getattr(self.network, "head", None), weights / weights.dtype.type(total)
        triplets = head if isinstance(head, TripletHead) else None
        seen = np.where(weights > 0, own, -1) if triplets else own  # images that count nothing belong to no person
        logits = self.network.train_logits(pixels, seen)
        loss = kept * float(self.loss(logits, own) @ share)
        grad = self.loss.backward(share * weights.dtype.type(kept))
        if kept < 1:
            loss += (1 - kept) * float(self.loss(logits, partners) @ share)
            grad = grad + self.loss.backward(share * weights.dtype.type(1 - kept))
        if triplets:
            triplets.triplet_grad = float(share.sum())
            loss += triplets.triplet_grad * triplets.triplet_loss
        self.network.backward(grad)
        return loss, logits

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
        """Return top1, top5, loss and eer, and bad images' errors; None where there are no images."""
        found: list[tuple[np.ndarray, ...]] = []
        bad: list[str] = []
        self.network.eval()
        with self.moving_average.average_parameters() if self.moving_average else nullcontext(), no_grad():
            for shard in shards:
                features = self.network.features(normalize_images(_channels_last(shard), self.recipe.data, self.dtype))
                good = shard.weights.numpy() > 0
                logits, labels = self.network.classify(features), shard.labels.numpy()
                found.append((logits[good], labels[good], normalize(features)[0].astype(np.float32)[good]))
                bad += shard.bad
        self.network.train()
        if not sum(len(part[1]) for part in found):
            return {"top1": None, "top5": None, "loss": None, "eer": None}, bad
        logits, labels, vectors = (np.concatenate(kind) for kind in zip(*found, strict=True))
        return {**classification_metrics(logits, labels), "eer": compute_validation_eer(vectors, labels)}, bad

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


def _channels_last(shard: BatchShard) -> np.ndarray:
    """Return a shard's images as (n, H, W, 3), without a copy."""
    return shard.images.permute(0, 2, 3, 1).numpy()
