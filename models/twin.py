"""Any mytorch network as a PyTorch network: same structure, names and weights.

`twin` converts a network. The functions decorated with `counterpart` build the PyTorch module of each kind of layer and
loss.
"""

from collections.abc import Callable
from inspect import signature
from typing import Any

import numpy as np
import torch
from torch import nn as theirs
from torch.nn import functional as F

from mytorch import nn as ours

Builder = Callable[[Any], theirs.Module]
_builders: dict[type[ours.Module], Builder] = {}


def counterpart(kind: type[ours.Module]) -> Callable[[Builder], Builder]:
    """Register a function that builds the PyTorch module for layers of `kind`, without their weights."""

    def register(builder: Builder) -> Builder:
        _builders[kind] = builder
        return builder

    return register


def build_counterpart(model: ours.Module) -> theirs.Module:
    """Return the counterpart of `model` and everything in it, with PyTorch's random weights.

    Raises TypeError for a layer that has none.
    """
    for kind in type(model).__mro__:
        if (
            kind in _builders and type(model).forward is kind.forward
        ):  # a subclass with its own forward computes something else
            return _builders[kind](model)
    raise TypeError(
        f"{type(model).__name__} has no PyTorch counterpart: register a function that builds one with "
        f"@models.twin.counterpart({type(model).__name__})"
    )


def twin(model: ours.Module) -> theirs.Module:
    """Return a PyTorch module that computes what `model` computes: same structure, names, weights, dtype and mode.

    Weights are copied, not shared. Raises TypeError for a layer without a counterpart; `counterpart` adds one.
    """
    module = build_counterpart(model)
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
    """Copy the weights of a twin back into the mytorch model."""
    model.load_state_dict({name: tensor.detach().cpu().numpy() for name, tensor in module.state_dict().items()})


IGNORED = {"device", "dtype", "args", "kwargs"}
"""Arguments that a counterpart does not need: `twin` sets the dtype by itself, and Identity ignores all."""


def _from_arguments(build: Callable[..., theirs.Module], kind: type[ours.Module]) -> Builder:
    """Return a builder for layers that store their constructor's arguments, of PyTorch's names, as attributes."""
    known = signature(build).parameters
    names = [name for name in signature(kind).parameters if name in known and name not in IGNORED]

    def argument(layer: ours.Module, name: str) -> Any:
        if name in ("affine", "elementwise_affine"):
            return getattr(layer, "weight", None) is not None
        value = getattr(layer, name)
        if name == "bias":
            return value is not None
        return torch.from_numpy(np.array(value)) if isinstance(value, np.ndarray) else value

    return lambda layer: build(**{name: argument(layer, name) for name in names})


for name in ours.__all__:
    if hasattr(theirs, name) and name not in ("Module", "Parameter"):
        counterpart(getattr(ours, name))(_from_arguments(getattr(theirs, name), getattr(ours, name)))


@counterpart(ours.GlobalAvgPool2d)
def _global_avg_pool2d(layer: ours.GlobalAvgPool2d) -> theirs.Module:
    return theirs.AdaptiveAvgPool2d(1)


@counterpart(ours.AdaptiveAvgPool1d)
def _adaptive_avg_pool1d(layer: ours.AdaptiveAvgPool1d) -> theirs.Module:
    (size,) = layer.output_size
    return theirs.Identity() if size is None else theirs.AdaptiveAvgPool1d(size)


@counterpart(ours.Upsample)
def _upsample(layer: ours.Upsample) -> theirs.Module:
    given: list[Any] = [one[0] if one and len(one) == 1 else one for one in (layer.size, layer.scale_factor)]
    size, factor = given
    return theirs.Upsample(size, factor, layer.mode, layer.align_corners)


@counterpart(ours.DropBlock2d)
def _drop_block2d(layer: ours.DropBlock2d) -> theirs.Module:
    from torchvision.ops import DropBlock2d

    return DropBlock2d(layer.p, layer.block_size, eps=layer.eps)


@counterpart(ours.StochasticDepth)
def _stochastic_depth(layer: ours.StochasticDepth) -> theirs.Module:
    from torchvision.ops import StochasticDepth

    return StochasticDepth(layer.p, layer.mode)


@counterpart(ours.SqueezeExcitation)
def _squeeze_excitation(layer: ours.SqueezeExcitation) -> theirs.Module:
    from torchvision.ops import SqueezeExcitation

    activations = (lambda: build_counterpart(layer.activation)), (lambda: build_counterpart(layer.scale_activation))
    return SqueezeExcitation(layer.fc1.in_channels, layer.fc1.out_channels, *activations)


class FunctionModule(theirs.Module):
    """A function as a module, where PyTorch has no such layer."""

    def __init__(self, function: Callable[[torch.Tensor], torch.Tensor]):
        super().__init__()
        self.forward = function


def _every(factor: tuple[int, ...]) -> Any:
    return (..., *(slice(None, None, k) for k in factor))


def _spread(factor: tuple[int, ...]) -> Callable[[torch.Tensor], torch.Tensor]:
    def spread(x: torch.Tensor) -> torch.Tensor:
        y = x.new_zeros(*x.shape[:2], *(k * (n - 1) + 1 for k, n in zip(factor, x.shape[2:], strict=True)))
        y[_every(factor)] = x
        return y

    return spread


for kind in (ours.ZeroUpsample1d, ours.ZeroUpsample2d):

    @counterpart(kind)
    def _zero_upsample(layer: Any) -> theirs.Module:
        return FunctionModule(_spread(layer.factor))


for downsample in (ours.Downsample1d, ours.Downsample2d):

    @counterpart(downsample)
    def _downsample(layer: Any) -> theirs.Module:
        return FunctionModule(lambda x: x[_every(layer.factor)])


class MarginTwin(theirs.Module):
    """ArcFace and CosFace: scaled cosines, the label's with its margin."""

    def __init__(self, weight: tuple[int, ...], s: float, shifted: Callable[[torch.Tensor], torch.Tensor]):
        super().__init__()
        self.weight, self.s, self.shifted = theirs.Parameter(torch.zeros(weight)), s, shifted

    def forward(self, x: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
        """Return logits (N, classes) for embeddings (N, in_features) and class indices (N,)."""
        cosine = F.linear(F.normalize(x), F.normalize(self.weight))
        own = F.one_hot(label, cosine.shape[1]).bool()
        return self.s * torch.where(own, self.shifted(cosine), cosine)


@counterpart(ours.ArcFace)
def _arc_face(layer: ours.ArcFace) -> theirs.Module:
    m = torch.tensor(layer.margin, dtype=torch.float64)

    def shifted(cosine: torch.Tensor) -> torch.Tensor:
        room = torch.finfo(cosine.dtype).eps
        sine = ((1 - cosine) * (1 + cosine)).clamp(min=room).sqrt()
        inside = cosine > -m.cos()
        return torch.where(inside, cosine * m.cos() - sine * m.sin(), cosine - m * m.sin())

    return MarginTwin(layer.weight.shape, layer.scale, shifted)


@counterpart(ours.CosFace)
def _cos_face(layer: ours.CosFace) -> theirs.Module:
    return MarginTwin(layer.weight.shape, layer.scale, lambda cosine: cosine - layer.margin)


class ResidualTwin(theirs.Module):
    """body(x) + shortcut(x); without a shortcut, body(x) + x."""

    def __init__(self, body: theirs.Module, shortcut: theirs.Module | None):
        super().__init__()
        self.body, self.shortcut = body, shortcut

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the sum of both branches."""
        return self.body(x) + (x if self.shortcut is None else self.shortcut(x))


@counterpart(ours.Sequential)
def _sequential(layer: ours.Sequential) -> theirs.Module:
    return theirs.Sequential(*map(build_counterpart, layer))


@counterpart(ours.Residual)
def _residual(layer: ours.Residual) -> theirs.Module:
    return ResidualTwin(
        build_counterpart(layer.body), None if layer.shortcut is None else build_counterpart(layer.shortcut)
    )
