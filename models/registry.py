"""Which PyTorch module computes what a mytorch layer computes: the list that `models.counterparts` fills."""

from collections.abc import Callable
from typing import Any

from torch import nn as theirs

from mytorch import nn as ours

Builder = Callable[[Any], theirs.Module]
_builders: dict[type[ours.Module], Builder] = {}


def counterpart(kind: type[ours.Module]) -> Callable[[Builder], Builder]:
    """Decorator: this function makes the PyTorch module for layers of `kind`, weights aside."""

    def register(builder: Builder) -> Builder:
        _builders[kind] = builder
        return builder

    return register


def structure(model: ours.Module) -> theirs.Module:
    """The counterpart of `model` and of all below it, with weights of PyTorch's own choosing.

    Raises TypeError for a layer that has none.
    """
    for kind in type(model).__mro__:
        if kind in _builders and type(model).forward is kind.forward:  # a forward of its own computes something else
            return _builders[kind](model)
    raise TypeError(
        f"{type(model).__name__} has no PyTorch counterpart: register a function that makes one with "
        f"@models.twin.counterpart({type(model).__name__})"
    )
