"""Which parts of a transfer network learn in a stage, how fast, and by which optimiser."""

from typing import Any

import torch
from torch import nn

from experiments.config.recipe import Optimizer, Stage
from experiments.errors import FacesError
from models.face_net import FaceNet, parts, set_trainable

AFTER_BACKBONE = ("neck", "head")
"""The parts that a recipe means by "head"."""


def choose(network: FaceNet, stage: Stage) -> None:
    """Let the parts of a stage train and freeze the others. Raises FacesError for a part that the network lacks."""
    ends = [name for name in AFTER_BACKBONE if name in parts(network)]
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


def parameter_groups(network: FaceNet, stage: Stage, settings: Optimizer) -> list[dict[str, Any]]:
    """The parameters that train, by part and whether weight decay pulls at them; "base" is a group's highest rate."""
    known = parts(network)
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


def build_optimizer(groups: list[dict[str, Any]], settings: Optimizer) -> torch.optim.Optimizer:
    """The optimiser that a recipe names, PyTorch's."""
    match settings.name:
        case "sgd":
            return torch.optim.SGD(groups, lr=settings.lr, momentum=settings.momentum, nesterov=settings.nesterov)
        case "adam":
            return torch.optim.Adam(groups, lr=settings.lr)
        case "adamw":
            return torch.optim.AdamW(groups, lr=settings.lr)


def count(network: nn.Module) -> tuple[int, int]:
    """How many parameters there are, and how many train."""
    sizes = [(p.numel(), p.requires_grad) for p in network.parameters()]
    return sum(size for size, _ in sizes), sum(size for size, trains in sizes if trains)


def _rate(stage: Stage, name: str, usual: float) -> float:
    if not isinstance(stage.lr, dict):
        return usual if stage.lr is None else stage.lr
    return stage.lr.get(name, stage.lr.get("head" if name in AFTER_BACKBONE else "backbone", usual))


def _refuse_unknown(stage: Stage, known: list[str]) -> None:
    names = set(stage.lr if isinstance(stage.lr, dict) else ()) - {"backbone", "head", *known}
    if names:
        raise FacesError(
            f"a stage with lr of {sorted(names)[0]!r}: expected backbone, head or one of {', '.join(known)}"
        )
