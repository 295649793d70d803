"""Any mytorch network as a PyTorch network: same structure, names and weights.

`twin` converts a network. The functions decorated with `counterpart` build the PyTorch module of each kind of layer and
loss.
"""

from collections.abc import Callable
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


CONV_ARGUMENTS = ("in_channels", "out_channels", "kernel_size", "stride", "padding", "dilation", "groups")
MAX_POOL_ARGUMENTS = ("kernel_size", "stride", "padding", "dilation", "ceil_mode", "return_indices")
AVG_POOL_ARGUMENTS = ("kernel_size", "stride", "padding", "ceil_mode", "count_include_pad", "divisor_override")

SAME_ARGUMENTS: dict[type[ours.Module], tuple[Callable[..., theirs.Module], tuple[str, ...]]] = {
    ours.AdaptiveAvgPool2d: (theirs.AdaptiveAvgPool2d, ("output_size",)),
    ours.AdaptiveAvgPool3d: (theirs.AdaptiveAvgPool3d, ("output_size",)),
    ours.AdaptiveMaxPool2d: (theirs.AdaptiveMaxPool2d, ("output_size", "return_indices")),
    ours.AdaptiveMaxPool3d: (theirs.AdaptiveMaxPool3d, ("output_size", "return_indices")),
    ours.AvgPool1d: (theirs.AvgPool1d, AVG_POOL_ARGUMENTS[:-1]),
    ours.AvgPool2d: (theirs.AvgPool2d, AVG_POOL_ARGUMENTS),
    ours.AvgPool3d: (theirs.AvgPool3d, AVG_POOL_ARGUMENTS),
    ours.BCEWithLogitsLoss: (theirs.BCEWithLogitsLoss, ("reduction",)),
    ours.CrossEntropyLoss: (theirs.CrossEntropyLoss, ("label_smoothing", "reduction")),
    ours.Dropout: (theirs.Dropout, ("p",)),
    ours.Dropout2d: (theirs.Dropout2d, ("p",)),
    ours.Flatten: (theirs.Flatten, ()),
    ours.GELU: (theirs.GELU, ("approximate",)),
    ours.Identity: (theirs.Identity, ()),
    ours.L1Loss: (theirs.L1Loss, ("reduction",)),
    ours.LeakyReLU: (theirs.LeakyReLU, ("negative_slope",)),
    ours.LogSoftmax: (theirs.LogSoftmax, ("dim",)),
    ours.MaxPool1d: (theirs.MaxPool1d, MAX_POOL_ARGUMENTS),
    ours.MaxPool2d: (theirs.MaxPool2d, MAX_POOL_ARGUMENTS),
    ours.MaxPool3d: (theirs.MaxPool3d, MAX_POOL_ARGUMENTS),
    ours.MSELoss: (theirs.MSELoss, ("reduction",)),
    ours.NLLLoss: (theirs.NLLLoss, ("reduction",)),
    ours.PReLU: (theirs.PReLU, ("num_parameters",)),
    ours.ReLU: (theirs.ReLU, ()),
    ours.Sigmoid: (theirs.Sigmoid, ()),
    ours.SiLU: (theirs.SiLU, ()),
    ours.SmoothL1Loss: (theirs.SmoothL1Loss, ("reduction", "beta")),
    ours.Softmax: (theirs.Softmax, ("dim",)),
    ours.Tanh: (theirs.Tanh, ()),
}
"""Layers that are built with arguments which they store under the same names."""


def _same(build: Callable[..., theirs.Module], names: tuple[str, ...]) -> Callable[[ours.Module], theirs.Module]:
    return lambda layer: build(**{name: getattr(layer, name) for name in names})


for kind, (build, names) in SAME_ARGUMENTS.items():
    counterpart(kind)(_same(build, names))

for kind, build in {ours.Conv1d: theirs.Conv1d, ours.Conv2d: theirs.Conv2d}.items():

    @counterpart(kind)
    def _conv(layer: Any, build: Callable[..., theirs.Module] = build) -> theirs.Module:
        return build(**{name: getattr(layer, name) for name in CONV_ARGUMENTS}, bias=layer.bias is not None)


for kind, build in {
    ours.ConvTranspose1d: theirs.ConvTranspose1d,
    ours.ConvTranspose2d: theirs.ConvTranspose2d,
}.items():

    @counterpart(kind)
    def _conv_transpose(layer: Any, build: Callable[..., theirs.Module] = build) -> theirs.Module:
        same = {name: getattr(layer, name) for name in (*CONV_ARGUMENTS, "output_padding")}
        return build(**same, bias=layer.bias is not None)


for kind, build in {ours.BatchNorm1d: theirs.BatchNorm1d, ours.BatchNorm2d: theirs.BatchNorm2d}.items():

    @counterpart(kind)
    def _batch_norm(layer: Any, build: Callable[..., theirs.Module] = build) -> theirs.Module:
        return build(layer.num_features, layer.eps, layer.momentum, affine=layer.weight is not None)


@counterpart(ours.LayerNorm)
def _layer_norm(layer: ours.LayerNorm) -> theirs.Module:
    affine = layer.weight is not None
    return theirs.LayerNorm(layer.normalized_shape, layer.eps, affine, bias=layer.bias is not None)


@counterpart(ours.GroupNorm)
def _group_norm(layer: ours.GroupNorm) -> theirs.Module:
    return theirs.GroupNorm(layer.num_groups, layer.num_channels, layer.eps, affine=layer.weight is not None)


@counterpart(ours.Linear)
def _linear(layer: ours.Linear) -> theirs.Module:
    return theirs.Linear(layer.in_features, layer.out_features, bias=layer.bias is not None)


@counterpart(ours.GlobalAvgPool2d)
def _global_avg_pool2d(layer: ours.GlobalAvgPool2d) -> theirs.Module:
    return theirs.AdaptiveAvgPool2d(1)


@counterpart(ours.AdaptiveAvgPool1d)
def _adaptive_avg_pool1d(layer: ours.AdaptiveAvgPool1d) -> theirs.Module:
    (size,) = layer.output_size
    return theirs.Identity() if size is None else theirs.AdaptiveAvgPool1d(size)


@counterpart(ours.AdaptiveMaxPool1d)
def _adaptive_max_pool1d(layer: ours.AdaptiveMaxPool1d) -> theirs.Module:
    (size,) = layer.output_size
    return theirs.Identity() if size is None else theirs.AdaptiveMaxPool1d(size, layer.return_indices)


@counterpart(ours.Upsample)
def _upsample(layer: ours.Upsample) -> theirs.Module:
    given: list[Any] = [one[0] if one and len(one) == 1 else one for one in (layer.size, layer.scale_factor)]
    size, factor = given
    return theirs.Upsample(size, factor, layer.mode, layer.align_corners)


@counterpart(ours.DropBlock2d)
def _drop_block2d(layer: ours.DropBlock2d) -> theirs.Module:
    from torchvision.ops import DropBlock2d

    return DropBlock2d(layer.p, layer.block_size, eps=layer.eps)


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


for kind in (ours.Downsample1d, ours.Downsample2d):

    @counterpart(kind)
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
