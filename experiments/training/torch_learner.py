"""A transfer network that learns: on any device, in any precision, in one process or several.

Which parts of a transfer network learn in a stage, how fast, and by which optimiser.

The EER of validation pictures: how well embeddings tell people apart, whatever the head.
"""

from collections.abc import Iterable
from contextlib import nullcontext
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
from experiments.config.schema import OptimizerSettings, StageSettings
from experiments.data.augment import mix_batch
from experiments.data.dataset import Faces
from experiments.data.loader import BatchShard, normalize_tensor
from experiments.errors import FacesError
from experiments.metrics.roc import roc_curve
from experiments.runtime import step_seed
from models.face_net import FaceNet, named_parts, set_trainable
from models.triplet import TripletHead

AFTER_BACKBONE = ("neck", "head")
"""The parts that a recipe means by "head"."""


def apply_stage(network: FaceNet, stage: StageSettings) -> None:
    """Let the parts of a stage train and freeze the others. Raises FacesError for a part that the network lacks."""
    ends = [name for name in AFTER_BACKBONE if name in named_parts(network)]
    try:
        match stage.train:
            case dict():
                set_trainable(network, ends, stage.train["last_layers"])
            case "head":
                set_trainable(network, ends)
            case str():
                set_trainable(network, [stage.train])
            case names:
                set_trainable(network, names)
    except ValueError as error:
        raise FacesError(f"a stage with train={stage.train}: {error}") from error


def parameter_groups(network: FaceNet, stage: StageSettings, settings: OptimizerSettings) -> list[dict[str, Any]]:
    """The parameters that train, by part and whether weight decay pulls at them; "base" is a group's highest rate."""
    known = named_parts(network)
    _refuse_unknown(stage, list(known))
    groups = []
    for distance, (name, part) in enumerate(reversed(known.items())):
        rate = _rate(stage, name, settings.lr) * stage.decay**distance
        training = [p for p in part.parameters() if p.requires_grad]
        decayed = [p for p in training if settings.decay_norms or p.ndim > 1]
        free = [p for p in training if not settings.decay_norms and p.ndim <= 1]
        for members, decay in ((decayed, settings.weight_decay), (free, 0.0)):
            if members:
                groups.append({"params": members, "lr": rate, "base": rate, "weight_decay": decay, "part": name})
    if not groups:
        raise FacesError(f"a stage with train={stage.train}: nothing of it has weights; expected parts that have")
    return groups


def build_torch_optimizer(groups: list[dict[str, Any]], settings: OptimizerSettings) -> torch.optim.Optimizer:
    """The optimiser that a recipe names, PyTorch's."""
    match settings.name:
        case "sgd":
            return torch.optim.SGD(groups, lr=settings.lr, momentum=settings.momentum, nesterov=settings.nesterov)
        case "adam":
            return torch.optim.Adam(groups, lr=settings.lr)
        case "adamw":
            return torch.optim.AdamW(groups, lr=settings.lr)


def count_parameters(network: nn.Module) -> tuple[int, int]:
    """How many parameters there are, and how many train."""
    sizes = [(p.numel(), p.requires_grad) for p in network.parameters()]
    return sum(size for size, _ in sizes), sum(size for size, trains in sizes if trains)


def _rate(stage: StageSettings, name: str, usual: float) -> float:
    if not isinstance(stage.lr, dict):
        return usual if stage.lr is None else stage.lr
    return stage.lr.get(name, stage.lr.get("head" if name in AFTER_BACKBONE else "backbone", usual))


def _refuse_unknown(stage: StageSettings, known: list[str]) -> None:
    names = set(stage.lr if isinstance(stage.lr, dict) else ()) - {"backbone", "head", *known}
    if names:
        raise FacesError(
            f"a stage with lr of {sorted(names)[0]!r}: expected backbone, head or one of {', '.join(known)}"
        )


MAX_IMAGES_FOR_ALL_PAIRS = 1500
"""Of so many pictures, every pair counts."""

NEIGHBORS_PER_IMAGE, RANDOM_PAIRS, PAIR_SEED = 20, 300_000, 0
"""Of more: each picture's with the next ones of the same person, and so many pairs drawn by lot, less those."""

PAIRS_PER_CHUNK = 50_000
"""Pairs scored at a time."""


def compute_validation_eer(vectors: np.ndarray, labels: np.ndarray) -> float | None:
    """The EER of pairs of embeddings (N, D) of length one by labels (N,); none where there are not both kinds of pairs.

    It is none for embeddings that are not finite, too: what has become of the network, its loss says.
    """
    if not np.isfinite(vectors).all():
        return None
    first, second = select_pairs(labels)
    matches = labels[first] == labels[second]
    if matches.all() or not matches.any():
        return None
    starts = range(0, len(first), PAIRS_PER_CHUNK)
    scores = [
        np.einsum("nd,nd->n", vectors[first[at : at + PAIRS_PER_CHUNK]], vectors[second[at : at + PAIRS_PER_CHUNK]])
        for at in starts
    ]
    return roc_curve(np.concatenate(scores), matches).eer()


def select_pairs(labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The pairs that count, as places (P,) of their first and second picture: all, or of many pictures some."""
    count = len(labels)
    if count <= MAX_IMAGES_FOR_ALL_PAIRS:
        return np.triu_indices(count, 1)
    order = np.argsort(labels, kind="stable")
    near = [(order[:-step], order[step:]) for step in range(1, NEIGHBORS_PER_IMAGE + 1)]
    first, second = (np.concatenate(side) for side in zip(*near, strict=True))
    genuine = labels[first] == labels[second]
    drawn = np.random.default_rng(PAIR_SEED).integers(0, count, (2, RANDOM_PAIRS))
    impostor = labels[drawn[0]] != labels[drawn[1]]
    return (
        np.concatenate([first[genuine], drawn[0][impostor]]),
        np.concatenate([second[genuine], drawn[1][impostor]]),
    )


def refuse_unpaired(recipe: Recipe, validation: Faces) -> None:
    """Raise FacesError where epochs are to be compared by an EER that the validation pictures cannot have."""
    if recipe.training.select == "eer" and len(validation):
        counts = np.bincount(validation.labels)
        if counts.max() < 2 or (counts > 0).sum() < 2:
            raise FacesError(
                f"training.select=eer: the {len(validation)} validation pictures show nobody twice, or one person "
                "alone; expected pairs of both kinds: set split.train lower, or training.select=top1"
            )


ACCELERATE_PRECISION = {"full": "no", "bf16": "bf16", "fp16": "fp16"}


def make_accelerator(recipe: Recipe) -> Accelerator:
    """The device, the precision and the processes of a run. Raises FacesError for a precision that there is not."""
    AcceleratorState._reset_state()  # an earlier run of this process may have had another precision
    accelerator = Accelerator(mixed_precision=ACCELERATE_PRECISION[recipe.training.precision])
    if recipe.training.precision == "fp16" and accelerator.device.type == "cpu":
        raise FacesError("training.precision=fp16: needs a GPU; expected full, or bf16, which a processor has, too")
    return accelerator


class TorchLearner:
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
        self.reset_totals()

    @property
    def eval_network(self) -> FaceNet:
        """The network that validates and is kept: the average where the recipe has one."""
        return self.average.module if self.average else self.network

    @property
    def lr(self) -> float:
        """The highest learning rate of any part in the last step."""
        return max(group["lr"] for group in self.optimizer.param_groups)

    def reset_totals(self) -> None:
        """Begin the sums of an epoch anew."""
        self.totals = torch.zeros(3, dtype=torch.float64, device=self.accelerator.device)

    def begin_stage(self, stage: int) -> None:
        """Freeze and thaw as a stage has it, with a new optimiser."""
        settings = self.recipe.planned_stages[stage]
        if self.model is not self.network:
            self.accelerator.unwrap_model(self.model, keep_fp32_wrapper=False)
        self.accelerator.free_memory()
        apply_stage(self.network, settings)
        groups = parameter_groups(self.network, settings, self.recipe.optimizer)
        optimizer = build_torch_optimizer(groups, self.recipe.optimizer)
        self.model, self.optimizer = self.accelerator.prepare(self.network, optimizer)
        self.model.train()

    def step(self, share: BatchShard, epoch: int, number: int, factor: float) -> None:
        """Learn from a process's share of a batch, at `factor` times the highest learning rates."""
        recipe, device = self.recipe, self.accelerator.device
        torch.manual_seed(step_seed(recipe.seed, epoch, number, self.accelerator.process_index))
        for group in self.optimizer.param_groups:
            group["lr"] = group["base"] * factor
        pixels = normalize_tensor(share.images, recipe.data, device, recipe.training.channels_last)
        pixels, kept = mix_batch(pixels, recipe.mixing, recipe.seed, epoch, number)
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

    def training_metrics(self) -> tuple[float, float, int]:
        """Mean loss, share of right answers and pictures of the epoch so far, over all processes."""
        loss, right, seen = self.accelerator.reduce(self.totals.clone()).tolist()
        return (loss / seen, right / seen, round(seen)) if seen else (0.0, 0.0, 0)

    @torch.inference_mode()
    def validate(self, shares: Iterable[BatchShard]) -> tuple[dict[str, float | None], list[str]]:
        """top1, top5 (shares), loss (nats, no smoothing) and eer over all processes, and what ails bad pictures.

        A tie counts against the network, so that constant logits earn nothing.
        """
        sums = torch.zeros(4, dtype=torch.float64, device=self.accelerator.device)
        network, bad = self.eval_network.eval(), []
        seen_here: list[tuple[np.ndarray, ...]] = []
        for share in shares:
            device, data = self.accelerator.device, self.recipe.data
            with self.accelerator.autocast():
                pixels = normalize_tensor(share.images, data, device, self.recipe.training.channels_last)
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
    return compute_validation_eer(vectors[order], labels[order])
