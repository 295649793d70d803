"""Which parts of a transfer network are trained in a stage, how fast, and by which optimizer."""

from typing import Any

import torch
from torch import nn

from experiments.config.schema import OptimizerSettings, StageSettings
from experiments.errors import FacesError
from models.face_net import FaceNet, named_parts, set_trainable

AFTER_BACKBONE = ("neck", "head")
"""The parts that a recipe calls "head"."""


def apply_stage(network: FaceNet, stage: StageSettings) -> None:
    """Make the parts of a stage trainable and freeze the others. Raises FacesError for a part that does not exist."""
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
    """Return the trainable parameters by part and by whether weight decay applies; "base" is a group's highest rate.

    Raises FacesError where a rate is given for a part that does not exist, or nothing is trainable.
    """
    known = named_parts(network)
    _refuse_unknown_parts(stage, list(known))
    groups = []
    for distance, (name, part) in enumerate(reversed(known.items())):
        rate = _rate_of_part(stage, name, settings.lr) * stage.decay**distance
        trainable = [p for p in part.parameters() if p.requires_grad]
        decayed = [p for p in trainable if settings.decay_norms or p.ndim > 1]
        exempt = [p for p in trainable if not settings.decay_norms and p.ndim <= 1]
        for members, decay in ((decayed, settings.weight_decay), (exempt, 0.0)):
            if members:
                groups.append({"params": members, "lr": rate, "base": rate, "weight_decay": decay, "part": name})
    if not groups:
        raise FacesError(f"a stage with train={stage.train}: nothing in it has weights; expected parts that have")
    return groups


def _rate_of_part(stage: StageSettings, name: str, default: float) -> float:
    if not isinstance(stage.lr, dict):
        return default if stage.lr is None else stage.lr
    return stage.lr.get(name, stage.lr.get("head" if name in AFTER_BACKBONE else "backbone", default))


def _refuse_unknown_parts(stage: StageSettings, known: list[str]) -> None:
    names = set(stage.lr if isinstance(stage.lr, dict) else ()) - {"backbone", "head", *known}
    if names:
        raise FacesError(
            f"a stage with lr of {sorted(names)[0]!r}: expected backbone, head or one of {', '.join(known)}"
        )


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
