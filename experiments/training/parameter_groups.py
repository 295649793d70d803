"""What a stage trains, and at which rates: the parameters by part, and by whether weight decay applies."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from experiments.config.schema import OptimizerSettings, StageSettings
from experiments.errors import FacesError

AFTER_BACKBONE = ("neck", "head")
"""The parts that a recipe calls "head"."""


@dataclass(frozen=True)
class StagePlan:
    """A stage of training by names, for a network whose weights have these names in either library.

    groups: as `group_parameters` returns them, with names in place of parameters. frozen: the modules that stay in
    evaluation mode.
    """

    groups: list[dict[str, Any]]
    frozen: frozenset[str] = frozenset()

    @property
    def trained(self) -> set[str]:
        """The names of the parameters that are trained."""
        return {name for group in self.groups for name in group["params"]}


def group_parameters(
    parts: Mapping[str, Iterable[Any]], stage: StageSettings, settings: OptimizerSettings
) -> list[dict[str, Any]]:
    """Return groups of an optimizer; "base" is a group's highest rate.

    parts: the trainable parameters of each part, in order from the input; each has a `shape`. Raises FacesError where a
    rate is given for a part that does not exist, or nothing is trainable.
    """
    _refuse_unknown_parts(stage, list(parts))
    groups = []
    for distance, (name, part) in enumerate(reversed(list(parts.items()))):
        rate = _rate_of_part(stage, name, settings.lr) * stage.decay**distance
        trainable = list(part)
        decayed = [p for p in trainable if settings.decay_norms or len(p.shape) > 1]
        exempt = [p for p in trainable if not settings.decay_norms and len(p.shape) <= 1]
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
