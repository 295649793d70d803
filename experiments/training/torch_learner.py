"""A transfer network that learns: on any device, in any precision, in one process or several."""

from collections.abc import Iterable
from contextlib import nullcontext
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from accelerate.utils import gather_object
from timm.utils import ModelEmaV3
from torch import Tensor
from torch.nn import functional as F

from experiments.config.recipe import Recipe
from experiments.data.loader import Share, normalised_on
from experiments.data.mixing import mix
from experiments.errors import FacesError
from experiments.seeds import step_seed
from experiments.training.groups import build_optimizer, choose, parameter_groups
from experiments.training.validation import validation_eer
from models.face_net import FaceNet
from models.triplet import TripletHead

PRECISIONS = {"full": "no", "bf16": "bf16", "fp16": "fp16"}


def accelerator_for(recipe: Recipe) -> Accelerator:
    """The device, the precision and the processes of a run. Raises FacesError for a precision that there is not."""
    AcceleratorState._reset_state()  # an earlier run of this process may have had another precision
    accelerator = Accelerator(mixed_precision=PRECISIONS[recipe.training.precision])
    if recipe.training.precision == "fp16" and accelerator.device.type == "cpu":
        raise FacesError("training.precision=fp16: needs a GPU; expected full, or bf16, which a processor has, too")
    return accelerator


class FaceLearner:
    """A network in training. network: as built; model: the same as Accelerate has wrapped it; average: of its weights.

    totals: sums over the epoch so far of the loss, the right answers and the pictures that they are of, on the device.
    """

    def __init__(self, recipe: Recipe, network: FaceNet, accelerator: Accelerator):
        self.recipe, self.accelerator = recipe, accelerator
        order = torch.channels_last if recipe.training.channels_last else torch.contiguous_format
        self.network: FaceNet = network.to(accelerator.device).to(memory_format=order)
        self.average = ModelEmaV3(network, recipe.training.ema, use_warmup=True) if recipe.training.ema else None
        self.updates = 0
        if recipe.training.compile:
            network.compile()
        self.model: torch.nn.Module = network
        self.optimizer: Any = None
        self.forget()

    @property
    def to_use(self) -> FaceNet:
        """The network that validates and is kept: the average where the recipe has one."""
        return self.average.module if self.average else self.network

    @property
    def lr(self) -> float:
        """The highest learning rate of any part in the last step."""
        return max(group["lr"] for group in self.optimizer.param_groups)

    def forget(self) -> None:
        """Begin the sums of an epoch anew."""
        self.totals = torch.zeros(3, dtype=torch.float64, device=self.accelerator.device)

    def begin(self, stage: int) -> None:
        """Freeze and thaw as a stage has it, with a new optimiser."""
        settings = self.recipe.plan[stage]
        if self.model is not self.network:
            self.accelerator.unwrap_model(self.model, keep_fp32_wrapper=False)
        self.accelerator.free_memory()
        choose(self.network, settings)
        groups = parameter_groups(self.network, settings, self.recipe.optimizer)
        optimizer = build_optimizer(groups, self.recipe.optimizer)
        self.model, self.optimizer = self.accelerator.prepare(self.network, optimizer)
        self.model.train()

    def step(self, share: Share, epoch: int, number: int, factor: float) -> None:
        """Learn from a process's share of a batch, at `factor` times the highest learning rates."""
        recipe, device = self.recipe, self.accelerator.device
        torch.manual_seed(step_seed(recipe.seed, epoch, number, self.accelerator.process_index))
        for group in self.optimizer.param_groups:
            group["lr"] = group["base"] * factor
        pixels = normalised_on(share.images, recipe.data, device, recipe.training.channels_last)
        pixels, kept = mix(pixels, recipe.mixing, recipe.seed, epoch, number)
        labels, weights = share.labels.to(device), share.weights.to(device)
        batch = (pixels, labels, labels.flip(0), weights)
        parts = list(zip(*(tensor.chunk(recipe.training.accumulate) for tensor in batch), strict=True))
        for count, (part, own, partners, weighs) in enumerate(parts, 1):
            with nullcontext() if count == len(parts) else self.accelerator.no_sync(self.model):
                losses, right = self._losses(part, own, partners, weighs, kept)
                # Processes average their gradients: times their number, that is the mean over the whole batch.
                self.accelerator.backward(losses.sum() * self.accelerator.num_processes / share.total)
            sums = torch.stack([losses.detach().sum().double(), right.double(), weighs.sum().double()])
            self.totals += sums
        if recipe.training.clip:
            self.accelerator.clip_grad_norm_(self.network.parameters(), recipe.training.clip)
        self.optimizer.step()
        self.optimizer.zero_grad()
        if self.average and not self.optimizer.step_was_skipped:
            self.updates += 1
            self.average.update(self.network, self.updates)

    def _losses(self, pixels: Tensor, labels: Tensor, partners: Tensor, weights: Tensor, kept: float) -> tuple:
        """The loss of each picture (n,), and the number of right answers. Label smoothing is in each loss once."""
        smoothing = self.recipe.label_smoothing
        head = self.network.head
        seen = labels.where(weights > 0, -1) if isinstance(head, TripletHead) else labels  # a stand-in is nobody
        with self.accelerator.autocast():
            logits = self.model(pixels, seen).float()
        losses = F.cross_entropy(logits, labels, reduction="none", label_smoothing=smoothing)
        if kept < 1:
            others = F.cross_entropy(logits, partners, reduction="none", label_smoothing=smoothing)
            losses = kept * losses + (1 - kept) * others
        if isinstance(head, TripletHead) and head.triplet_loss is not None:
            losses = losses + head.triplet_loss
        return losses * weights, ((logits.argmax(1) == labels) * weights).sum()

    def training_figures(self) -> tuple[float, float, int]:
        """Mean loss, share of right answers and pictures of the epoch so far, over all processes."""
        loss, right, seen = self.accelerator.reduce(self.totals.clone()).tolist()
        return (loss / seen, right / seen, round(seen)) if seen else (0.0, 0.0, 0)

    @torch.inference_mode()
    def validate(self, shares: Iterable[Share]) -> tuple[dict[str, float | None], list[str]]:
        """top1, top5 (shares), loss (nats, no smoothing) and eer over all processes, and what ails bad pictures.

        A tie counts against the network, so that constant logits earn nothing.
        """
        sums = torch.zeros(4, dtype=torch.float64, device=self.accelerator.device)
        network, bad = self.to_use.eval(), []
        seen_here: list[tuple[np.ndarray, ...]] = []
        for share in shares:
            device, data = self.accelerator.device, self.recipe.data
            with self.accelerator.autocast():
                pixels = normalised_on(share.images, data, device, self.recipe.training.channels_last)
                features = network.features(pixels)
                logits = network.head(features).float()
            labels, weights = share.labels.to(device), share.weights.to(device)
            ranks = (~(logits < logits.gather(1, labels[:, None]))).sum(1) - 1
            losses = F.cross_entropy(logits, labels, reduction="none")
            each = torch.stack([ranks == 0, ranks < 5, losses, torch.ones_like(losses)])
            sums += (each * weights).double().sum(1)
            good = share.weights > 0
            vectors = F.normalize(features.float()).cpu()[good]
            seen_here.append((share.indices[good].numpy(), share.labels[good].numpy(), vectors.numpy()))
            bad += share.bad
        self.network.train()
        top1, top5, loss, seen = self.accelerator.reduce(sums).tolist()
        if not seen:
            return {"top1": None, "top5": None, "loss": None, "eer": None}, bad
        eer = _eer_of(gather_object(seen_here))
        return {"top1": top1 / seen, "top5": top5 / seen, "loss": loss / seen, "eer": eer}, bad


def _eer_of(parts: list[tuple[np.ndarray, ...]]) -> float | None:
    """The EER of numbers (n,), labels (n,) and embeddings (n, D) from all processes, in the order of the numbers."""
    indices, labels, vectors = (np.concatenate(kind) for kind in zip(*parts, strict=True))
    order = np.argsort(indices, kind="stable")
    return validation_eer(vectors[order], labels[order])
