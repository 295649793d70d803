"""Neighboring layers that a Sequential or a Graph computes together: the same numbers in fewer passes over memory.

- ReLU, then max pooling: pooling goes first, and ReLU has fewer elements to process. The two commute, and so do their
  gradients: an element that ReLU stops gets no gradient either way.
- Batch norm, a residual block or a sum, then ReLU: in one pass, while a chunk is in the cache.
- ReLU or max pooling, whose output only the next layer sees: it is saved for backward without a copy.

Layers of other classes, including subclasses, are computed as usual. So are layers whose `forward` or `backward` has
been replaced on the instance, for example to record activations.
"""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from mytorch.device import Array
from mytorch.nn.activation import ReLU
from mytorch.nn.batch_norm import BatchNorm1d, BatchNorm2d, BatchNorm3d
from mytorch.nn.merge import Add
from mytorch.nn.module import Module
from mytorch.nn.pool import MaxPool1d, MaxPool2d, MaxPool3d
from mytorch.nn.residual import Residual

WITH_RELU = (BatchNorm1d, BatchNorm2d, BatchNorm3d, Residual, Add)
"""Layers with a `forward_relu`."""


class FusedLayer(NamedTuple):
    """One layer, or two that are computed together."""

    forward: Callable[..., Array]
    backward: Callable[..., Any]


def fuse(layers: Iterable[Module], internal: bool = False) -> list[FusedLayer]:
    """Return the steps in which to compute `layers` one after another.

    internal: whether only other layers see the last output, too.
    """
    fused: list[FusedLayer] = []
    remaining = _pool_before_relu(list(layers))
    while remaining:
        layer: Any = remaining.pop(0)
        if remaining and _is_exactly(layer, *WITH_RELU) and _is_exactly(remaining[0], ReLU):
            remaining.pop(0)
            fused.append(FusedLayer(layer.forward_relu, layer.backward))
        elif (remaining or internal) and (_is_exactly(layer, ReLU) or _is_plain_max_pool(layer)):
            fused.append(FusedLayer(layer.forward_internal, layer.backward))
        else:
            fused.append(FusedLayer(layer, layer.backward))
    return fused


def _pool_before_relu(layers: list[Module]) -> list[Module]:
    """Exchange every ReLU with the max pooling that follows it."""
    for i in range(1, len(layers)):
        if _is_plain_max_pool(layers[i]) and _is_exactly(layers[i - 1], ReLU):
            layers[i - 1], layers[i] = layers[i], layers[i - 1]
    return layers


def _is_plain_max_pool(layer: Any) -> bool:
    return _is_exactly(layer, MaxPool1d, MaxPool2d, MaxPool3d) and not layer.return_indices


def _is_exactly(layer: Module, *kinds: type[Module]) -> bool:
    """Return True if a layer is of one of these classes, not a subclass, and its methods have not been replaced."""
    return type(layer) in kinds and not {"forward", "backward"} & vars(layer).keys()
