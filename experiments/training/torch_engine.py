"""The engine of PyTorch on Accelerate: a network in training on any device, in any precision, in many processes."""

import json
import os
from collections.abc import Iterable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from accelerate.utils import gather_object
from timm.utils import ModelEmaV3
from torch import Tensor, nn
from torch.nn import functional as F

from experiments.config.recipe import Recipe
from experiments.config.schema import OptimizerSettings
from experiments.data.augment import mix_batch
from experiments.data.dataset import Faces
from experiments.data.loader import BatchShard, normalize_tensor
from experiments.errors import FacesError
from experiments.metrics.roc import compute_validation_eer
from experiments.progress import say
from experiments.runtime import step_seed, torch_device
from experiments.training.build_model import (
    apply_stage,
    build_network,
    init_head_from_prototypes,
    parameter_groups,
    read_tensors,
    save_tensors,
    starts_from_prototypes,
    warn_of_other_split,
)
from experiments.training.engine import MIN_PART, under
from experiments.training.schedule import TOTALS, EpochPosition
from models.face_net import FaceNet, SequentialFaceNet
from models.triplet import TripletHead
from models.weights import refuse_unusable

ACCELERATE_PRECISION = {"full": "no", "bf16": "bf16", "fp16": "fp16"}
DEVICE_VARIABLE = "ACCELERATE_TORCH_DEVICE"
"""Where Accelerate looks for the device to use."""

STEPS_PER_READING = 20
"""Steps between two readings of an epoch's sums on a GPU, which waits for each."""

MAX_DEFAULT_WORKERS = 16


def make_accelerator(recipe: Recipe, device: str | None = None) -> Accelerator:
    """Return the device, precision and processes of a run.

    Raises FacesError for a device that is missing and a precision that it does not have.
    """
    AcceleratorState._reset_state(device is not None)  # an earlier run of this process may have had another
    before = os.environ.get(DEVICE_VARIABLE)
    if device is not None:
        os.environ[DEVICE_VARIABLE] = str(torch_device(device))
    try:
        accelerator = Accelerator(mixed_precision=ACCELERATE_PRECISION[recipe.training.precision])
    finally:
        if device is not None:
            os.environ.pop(DEVICE_VARIABLE)
            if before is not None:
                os.environ[DEVICE_VARIABLE] = before
    if recipe.training.precision == "fp16" and accelerator.device.type == "cpu":
        raise FacesError("training.precision=fp16: needs a GPU; expected full, or bf16, which a CPU also has")
    return accelerator


class TorchEngine:
    """A network of PyTorch in training.

    network: as built. model: the same, wrapped by Accelerate. moving_average: that of its weights, or None. sums: of
    this process over the epoch so far, as `TOTALS` names them, on the device.
    """

    def __init__(self, recipe: Recipe, device: str | None = None, dtype: torch.dtype = torch.float32):
        self.recipe, self.accelerator, self.dtype = recipe, make_accelerator(recipe, device), dtype
        self.device: torch.device = self.accelerator.device
        self.rank, self.processes = self.accelerator.process_index, self.accelerator.num_processes
        self.threaded = False  # torchvision and dropout draw from one generator
        self.pinned = self.device.type == "cuda"
        self.steps_per_reading = 1 if self.device.type == "cpu" else STEPS_PER_READING
        self.sums = torch.zeros(len(TOTALS), dtype=torch.float64, device=self.device)

    def default_workers(self, processors: int) -> int:
        """Return many for a GPU, at most one for a CPU."""
        if self.device.type == "cuda":
            return max(1, min(MAX_DEFAULT_WORKERS, processors))
        return max(0, min(1, processors - 1))

    def build(self, faces: Faces, workers: int, resume: bool) -> None:
        """Build the network, a new one with its pretrained weights, and where the recipe says so with class means."""
        recipe = self.recipe
        if not resume and self.rank == 0 and (warning := warn_of_other_split(recipe)):
            say(warning)
        self.adopt(build_network(recipe, len(faces.names), pretrained=not resume))
        if not resume and starts_from_prototypes(recipe):
            init_head_from_prototypes(self.eval_network, faces, recipe, workers)
            self.network.load_state_dict(self.eval_network.state_dict())

    def adopt(self, network: FaceNet | SequentialFaceNet) -> None:
        """Take a network, in the engine's precision, on the device and in the memory order of the recipe."""
        order = torch.channels_last if self.recipe.training.channels_last else torch.contiguous_format
        self.network: FaceNet | SequentialFaceNet = network.to(self.device, self.dtype).to(memory_format=order)
        self.moving_average = ModelEmaV3(network) if self.recipe.training.ema else None
        if self.recipe.training.compile:
            network.compile()
        self.model: torch.nn.Module = network
        self.optimizer: Any = None

    def count_parameters(self) -> tuple[int, int]:
        """Return how many parameters there are, and how many are trainable."""
        return count_parameters(self.network)

    @property
    def eval_network(self) -> FaceNet | SequentialFaceNet:
        """The network that is validated and saved: the average where the recipe has one."""
        return self.moving_average.module if self.moving_average else self.network

    @property
    def lr(self) -> float:
        """The highest learning rate of any part in the last step."""
        return max(group["lr"] for group in self.optimizer.param_groups)

    def begin_stage(self, stage: int) -> None:
        """Freeze and unfreeze the parts of this stage, with a new optimizer."""
        settings = self.recipe.planned_stages[stage]
        if self.model is not self.network:
            self.accelerator.unwrap_model(self.model, keep_fp32_wrapper=False)
        self.accelerator.free_memory()
        apply_stage(self.network, settings)
        groups = parameter_groups(self.network, settings, self.recipe.optimizer)
        optimizer = build_torch_optimizer(groups, self.recipe.optimizer)
        self.model, self.optimizer = self.accelerator.prepare(self.network, optimizer)
        self.model.train()

    def step(self, shard: BatchShard, epoch: int, number: int, factor: float) -> bool:
        """Train on one process's shard of a batch, at `factor` times the highest learning rates."""
        recipe, device = self.recipe, self.device
        torch.manual_seed(step_seed(recipe.seed, epoch, number, self.rank))
        for group in self.optimizer.param_groups:
            group["lr"] = group["base"] * factor
        pixels = normalize_tensor(shard.images, recipe.data, device, recipe.training.channels_last, self.dtype)
        pixels, kept = mix_batch(pixels, recipe.mixing, recipe.seed, epoch, number)
        labels, weights = shard.labels.to(device), shard.weights.to(device)
        scales = weights if shard.loss_weights is None else weights * shard.loss_weights.to(device)
        count = max(1, min(recipe.training.accumulate, len(labels) // MIN_PART))
        batch = (pixels, labels, labels.flip(0), weights, scales)
        parts = list(zip(*(tensor.tensor_split(count) for tensor in batch), strict=True))
        for index, (part, own, partners, part_weights, part_scales) in enumerate(parts, 1):
            with nullcontext() if index == len(parts) else self.accelerator.no_sync(self.model):
                losses, right = self._losses(part, own, partners, part_weights, kept)
                losses = losses * part_scales
                # Processes average their gradients: times their number, that is the mean over the whole batch.
                self.accelerator.backward(losses.sum() * self.processes / shard.total)
            self.sums[:3] += torch.stack([one.double() for one in (losses.detach().sum(), right, part_weights.sum())])
        norm = self._gradient_norm()
        finite = norm.isfinite()
        self.sums[3:] += torch.stack([norm.where(finite, 0.0).double(), finite.double()])
        self.optimizer.step()
        self.optimizer.zero_grad()
        return not self.optimizer.step_was_skipped

    def _gradient_norm(self) -> Tensor:
        """Return the norm of all gradients, and clip them to the recipe's."""
        parameters = [p for p in self.network.parameters() if p.grad is not None]
        if self.recipe.training.clip:
            norm: Tensor = self.accelerator.clip_grad_norm_(parameters, self.recipe.training.clip)
            return norm
        self.accelerator.unscale_gradients()
        return nn.utils.get_total_norm([p.grad for p in parameters if p.grad is not None])

    def average(self, decay: float) -> None:
        """Add the weights to their moving average."""
        assert self.moving_average is not None
        self.moving_average.apply_update_(self.network, decay)

    def _losses(
        self, pixels: Tensor, labels: Tensor, partners: Tensor, weights: Tensor, kept: float
    ) -> tuple[Tensor, Tensor]:
        """Return the loss of each image (n,), before any weights, and the number of right answers.

        kept: weight of an image's own label; that of its partner in the mixture is 1 - kept.
        """
        smoothing, head = self.recipe.label_smoothing, self.network.head
        seen = labels.where(weights > 0, -1) if isinstance(head, TripletHead) else labels  # fillers belong to no person
        with self.accelerator.autocast():
            logits = self.model(pixels, seen).to(self.dtype)
        losses = F.cross_entropy(logits, labels, reduction="none", label_smoothing=smoothing)
        if kept < 1:
            others = F.cross_entropy(logits, partners, reduction="none", label_smoothing=smoothing)
            losses = kept * losses + (1 - kept) * others
        if isinstance(head, TripletHead) and head.triplet_loss is not None:
            losses = losses + head.triplet_loss
        return losses, ((logits.argmax(1) == labels) * weights).sum()

    def totals(self) -> list[float]:
        """Return the epoch's sums so far over all processes."""
        sums: list[float] = self.accelerator.reduce(self.sums.clone()).tolist()
        return sums

    def set_totals(self, totals: Iterable[float]) -> None:
        """Continue from these sums. They are of all processes, and the first one takes them."""
        values = list(totals) if self.rank == 0 else [0.0] * len(TOTALS)
        self.sums = torch.tensor(values, dtype=torch.float64, device=self.device)

    @torch.inference_mode()
    def validate(self, shards: Iterable[BatchShard]) -> tuple[dict[str, float | None], list[str]]:
        """Return top1, top5 (fractions), loss (nats, no smoothing) and eer over all processes, and bad images' errors.

        A tie counts against the network, so that constant logits earn nothing.
        """
        sums = torch.zeros(4, dtype=torch.float64, device=self.device)
        network, bad = self.eval_network.eval(), []
        embedded: list[tuple[np.ndarray, ...]] = []
        device, data = self.device, self.recipe.data
        for shard in shards:
            with self.accelerator.autocast():
                pixels = normalize_tensor(shard.images, data, device, self.recipe.training.channels_last, self.dtype)
                features = network.features(pixels)
                logits = network.head(features).to(self.dtype)
            labels, weights = shard.labels.to(device), shard.weights.to(device)
            ranks = (~(logits < logits.gather(1, labels[:, None]))).sum(1) - 1
            losses = F.cross_entropy(logits, labels, reduction="none")
            each = torch.stack([ranks == 0, ranks < 5, losses, torch.ones_like(losses)])
            sums += (each * weights).double().sum(1)
            good = shard.weights > 0
            vectors = F.normalize(features.float()).cpu()[good]
            embedded.append((shard.indices[good].numpy(), shard.labels[good].numpy(), vectors.numpy()))
            bad += shard.bad
        self.network.train()
        top1, top5, loss, seen = self.accelerator.reduce(sums).tolist()
        if not seen:
            return {"top1": None, "top5": None, "loss": None, "eer": None}, bad
        eer = _compute_eer(gather_object(embedded))
        return {"top1": top1 / seen, "top5": top5 / seen, "loss": loss / seen, "eer": eer}, bad

    def save_weights(self, path: Path) -> None:
        """Write the weights that are validated."""
        save_tensors(self.eval_network.state_dict(), path)

    def save(self, path: Path, notes: dict[str, Any]) -> None:
        """Write the network, its average, its optimizer and the scale of half precision's gradients."""
        tensors = {f"network.{name}": tensor for name, tensor in self.network.state_dict().items()}
        notes = dict(notes)
        if self.moving_average:
            average = self.moving_average.module.state_dict()
            tensors |= {f"average.{name}": tensor for name, tensor in average.items()}
        if notes["stage"] is not None:
            state = self.optimizer.state_dict()
            notes["groups"], notes["scalars"] = state["param_groups"], {}
            for number, values in state["state"].items():
                for name, value in values.items():
                    if isinstance(value, Tensor):
                        tensors[f"optimizer.{number}.{name}"] = value
                    else:
                        notes["scalars"][f"{number}.{name}"] = value
        if self.accelerator.scaler is not None:
            notes["scaler"] = self.accelerator.scaler.state_dict()
        save_tensors(tensors, path, {"training": json.dumps(notes)})

    def load(self, path: Path, notes: dict[str, Any], position: EpochPosition | None) -> None:
        """Continue from what `save` wrote, in the stage of `position`."""
        tensors, _ = read_tensors(path)
        network = under("network.", tensors)
        self.network.load_state_dict(network)
        refuse_unusable(self.network.state_dict(), network)
        if self.moving_average:
            self.moving_average.module.load_state_dict(under("average.", tensors))
        if position is not None:
            self.begin_stage(position.stage)
            if notes["stage"] == position.stage:
                self._restore_optimizer(notes, under("optimizer.", tensors))
        if "scaler" in notes and self.accelerator.scaler is not None:
            self.accelerator.scaler.load_state_dict(notes["scaler"])

    def _restore_optimizer(self, notes: dict[str, Any], tensors: dict[str, Tensor]) -> None:
        """Restore the optimizer, each tensor in its parameter's memory order, so that arithmetic rounds as before."""
        parameters = [p for group in self.optimizer.param_groups for p in group["params"]]
        state: dict[int, dict[str, Any]] = {}
        for key, value in {**tensors, **notes["scalars"]}.items():
            number, _, name = key.partition(".")
            parameter = parameters[int(number)]
            if isinstance(value, Tensor) and value.shape == parameter.shape:
                value = torch.empty_like(parameter).copy_(value)
            state.setdefault(int(number), {})[name] = value
        self.optimizer.load_state_dict({"state": state, "param_groups": notes["groups"]})

    def gather(self, items: list[str]) -> list[str]:
        """Return the items of all processes."""
        found: list[str] = gather_object(items)
        return found

    def wait(self) -> None:
        """Wait until all processes are here."""
        self.accelerator.wait_for_everyone()


def _compute_eer(parts: list[tuple[np.ndarray, ...]]) -> float | None:
    """Return the EER of indices (n,), labels (n,) and embeddings (n, D) from all processes, in the order of indices."""
    indices, labels, vectors = (np.concatenate(kind) for kind in zip(*parts, strict=True))
    order = np.argsort(indices, kind="stable")
    return compute_validation_eer(vectors[order], labels[order])


def build_torch_optimizer(groups: list[dict[str, Any]], settings: OptimizerSettings) -> torch.optim.Optimizer:
    """Return the optimizer of PyTorch that a recipe names, for groups of parameters with their weight decay."""
    match settings.name:
        case "sgd":
            return torch.optim.SGD(groups, lr=settings.lr, momentum=settings.momentum, nesterov=settings.nesterov)
        case "adam":
            return torch.optim.Adam(groups, lr=settings.lr)
        case "adamw":
            return torch.optim.AdamW(groups, lr=settings.lr)


def count_parameters(network: nn.Module) -> tuple[int, int]:
    """Return how many parameters there are, and how many are trainable."""
    sizes = [(p.numel(), p.requires_grad) for p in network.parameters()]
    return sum(size for size, _ in sizes), sum(size for size, trainable in sizes if trainable)
