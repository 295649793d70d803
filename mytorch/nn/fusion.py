"""Layers that a Sequential computes together: the same numbers in fewer passes over memory.

- ReLU, then max pooling: pooling first. What of the largest is above zero is the largest of what is above zero, and
  ReLU has a fraction of the elements. Of the gradient, too, as an element that ReLU stops gets none either way.
- Batch norm or a residual block, then ReLU: in one pass, while a part is in the cache.

A layer of another class, be it a subclass, stays as it is; so does one whose forward somebody has replaced, to watch.
"""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from mytorch.device import Array
from mytorch.nn.activation import ReLU
from mytorch.nn.module import Module
from mytorch.nn.norm import BatchNorm1d, BatchNorm2d
from mytorch.nn.pool import MaxPool1d, MaxPool2d
from mytorch.nn.residual import Residual


class Step(NamedTuple):
    """One layer's, or two layers' at once."""

    forward: Callable[[Array], Array]
    backward: Callable[[Array], Array]


def steps(layers: Iterable[Module]) -> list[Step]:
    """How to compute `layers`, one after the other."""
    result: list[Step] = []
    waiting = _pooled_early(list(layers))
    while waiting:
        layer: Any = waiting.pop(0)
        if waiting and _plain(layer, BatchNorm1d, BatchNorm2d, Residual) and _plain(waiting[0], ReLU):
            waiting.pop(0)
            result.append(Step(layer.forward_relu, layer.backward))
        else:
            result.append(Step(layer, layer.backward))
    return result


def _pooled_early(layers: list[Module]) -> list[Module]:
    """The layers, max pooling moved before a ReLU that it follows."""
    for i in range(1, len(layers)):
        if _plain(layers[i - 1], ReLU) and _plain(layers[i], MaxPool1d, MaxPool2d):
            layers[i - 1], layers[i] = layers[i], layers[i - 1]
    return layers


def _plain(layer: Module, *kinds: type[Module]) -> bool:
    """Whether a layer is of one of these very classes, and does what they do."""
    return type(layer) in kinds and not {"forward", "backward"} & vars(layer).keys()
