"""Any mytorch network as its PyTorch counterpart, with the same weights."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import nn as theirs

from mytorch import nn as ours

Builder = Callable[[Any], theirs.Module]
_builders: dict[type[ours.Module], Builder] = {}


def twin(model: ours.Module) -> theirs.Module:
    """The PyTorch module that computes what `model` computes: same structure, names, weights, dtype and mode.

    Weights are copied, not shared. Raises TypeError for a layer that has no counterpart here; `counterpart` adds one.
    """
    module = _structure(model)
    arrays = model.state_dict()
    floating = [array.dtype for array in arrays.values() if array.dtype.kind == "f"]
    if floating:
        module.to(torch.float64 if floating[0] == np.float64 else torch.float32)
    module.load_state_dict({name: torch.from_numpy(np.array(array)) for name, array in arrays.items()})
    modes = {name: layer.training for name, layer in model.named_modules()}
    for name, layer in module.named_modules():
        layer.training = modes.get(name, model.training)
    return module


def copy_back(module: theirs.Module, model: ours.Module) -> None:
    """Copy the weights of a twin into the model that it is the twin of."""
    model.load_state_dict({name: tensor.detach().cpu().numpy() for name, tensor in module.state_dict().items()})


def counterpart(kind: type[ours.Module]) -> Callable[[Builder], Builder]:
    """Decorator: this function makes the PyTorch module for layers of `kind`, weights aside."""

    def register(builder: Builder) -> Builder:
        _builders[kind] = builder
        return builder

    return register


def _structure(model: ours.Module) -> theirs.Module:
    """The counterpart of `model` and of all below it, with weights of PyTorch's own choosing."""
    for kind in type(model).__mro__:
        if kind in _builders and type(model).forward is kind.forward:  # a forward of its own computes something else
            return _builders[kind](model)
    raise TypeError(
        f"{type(model).__name__} has no PyTorch counterpart: register a function that makes one with "
        f"@models.twin.counterpart({type(model).__name__})"
    )


class ResidualTwin(theirs.Module):
    """body(x) + shortcut(x), the shortcut being the identity where there is none."""

    def __init__(self, body: theirs.Module, shortcut: theirs.Module | None):
        super().__init__()
        self.body, self.shortcut = body, shortcut

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The sum of both ways."""
        return self.body(x) + (x if self.shortcut is None else self.shortcut(x))


@counterpart(ours.Sequential)
def _sequential(layer: ours.Sequential) -> theirs.Module:
    return theirs.Sequential(*map(_structure, layer))


@counterpart(ours.Residual)
def _residual(layer: ours.Residual) -> theirs.Module:
    return ResidualTwin(_structure(layer.body), None if layer.shortcut is None else _structure(layer.shortcut))


@counterpart(ours.Conv2d)
def _conv2d(layer: ours.Conv2d) -> theirs.Module:
    names = ("in_channels", "out_channels", "kernel_size", "stride", "padding", "dilation", "groups")
    return theirs.Conv2d(**{name: getattr(layer, name) for name in names}, bias=layer.bias is not None)


@counterpart(ours.Linear)
def _linear(layer: ours.Linear) -> theirs.Module:
    return theirs.Linear(layer.in_features, layer.out_features, bias=layer.bias is not None)


@counterpart(ours.BatchNorm1d)
def _batch_norm1d(layer: ours.BatchNorm1d) -> theirs.Module:
    return theirs.BatchNorm1d(layer.num_features, layer.eps, layer.momentum, affine=layer.weight is not None)


@counterpart(ours.BatchNorm2d)
def _batch_norm2d(layer: ours.BatchNorm2d) -> theirs.Module:
    return theirs.BatchNorm2d(layer.num_features, layer.eps, layer.momentum, affine=layer.weight is not None)


@counterpart(ours.MaxPool2d)
def _max_pool2d(layer: ours.MaxPool2d) -> theirs.Module:
    window: Any = (layer.kernel_size, layer.stride, layer.padding)
    return theirs.MaxPool2d(*window)


@counterpart(ours.AvgPool2d)
def _avg_pool2d(layer: ours.AvgPool2d) -> theirs.Module:
    window: Any = (layer.kernel_size, layer.stride, layer.padding)
    return theirs.AvgPool2d(*window)


@counterpart(ours.GlobalAvgPool2d)
def _global_avg_pool2d(layer: ours.GlobalAvgPool2d) -> theirs.Module:
    return theirs.AdaptiveAvgPool2d(1)


@counterpart(ours.Dropout)
def _dropout(layer: ours.Dropout) -> theirs.Module:
    return theirs.Dropout(layer.p)


@counterpart(ours.LeakyReLU)
def _leaky_relu(layer: ours.LeakyReLU) -> theirs.Module:
    return theirs.LeakyReLU(layer.negative_slope)


@counterpart(ours.ReLU)
def _relu(layer: ours.ReLU) -> theirs.Module:
    return theirs.ReLU()


@counterpart(ours.Flatten)
def _flatten(layer: ours.Flatten) -> theirs.Module:
    return theirs.Flatten()


@counterpart(ours.CrossEntropyLoss)
def _cross_entropy(layer: ours.CrossEntropyLoss) -> theirs.Module:
    return theirs.CrossEntropyLoss(label_smoothing=layer.label_smoothing, reduction=layer.reduction)
