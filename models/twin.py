"""Any mytorch network as a PyTorch network: same structure, names and weights.

`twin` converts a network. The functions decorated with `counterpart` build the PyTorch module of each kind of layer and
loss.
"""

from collections.abc import Callable
from functools import partial
from operator import getitem
from typing import Any

import numpy as np
import torch
from torch import fx
from torch import nn as theirs
from torch.nn import functional as F

from mytorch import nn as ours
from mytorch.nn.describe import build, constructor_arguments

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

    That of a layer of mytorch is what `counterpart` registered, or else the class of the same name in torch.nn, with
    the same arguments. Raises TypeError for a layer that has none.
    """
    for kind in type(model).__mro__:
        if getattr(type(model), "forward", None) is not getattr(kind, "forward", None):
            break  # a subclass with its own forward computes something else
        if kind in _builders:
            return _builders[kind](model)
        same_name = getattr(theirs, kind.__name__, None)
        if kind.__module__.startswith("mytorch.nn.") and same_name is not None and kind is not ours.Module:
            arguments = constructor_arguments(model, same_name)
            return build(same_name, {name: _as_tensor(value) for name, value in arguments.items()})
    raise TypeError(
        f"{type(model).__name__} has no PyTorch counterpart: register a function that builds one with "
        f"@models.twin.counterpart({type(model).__name__})"
    )


def _as_tensor(value: Any) -> Any:
    return torch.from_numpy(value) if isinstance(value, np.ndarray) else value


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


@counterpart(ours.LPPool1d)
def _lp_pool1d(layer: ours.LPPool1d) -> theirs.Module:
    (kernel,), (stride,) = layer.kernel_size, layer.stride  # as numbers, unlike the other layers
    return theirs.LPPool1d(layer.norm_type, kernel, stride, layer.ceil_mode)


@counterpart(ours.Upsample)
def _upsample(layer: ours.Upsample) -> theirs.Module:
    if layer.antialias:  # which a module of PyTorch does not have
        names = ("size", "scale_factor", "mode", "align_corners", "recompute_scale_factor", "antialias")
        return FunctionModule(partial(F.interpolate, **{name: getattr(layer, name) for name in names}))
    return theirs.Upsample(**constructor_arguments(layer, theirs.Upsample))


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

    def __init__(self, function: Callable[..., Any]):
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


kind: type[ours.Module]
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


def unsqueeze(x: torch.Tensor, dim: int | tuple[int, ...]) -> torch.Tensor:
    """Return `x` with axes of length 1, which have the numbers `dim` in the output."""
    axes = [dim] if isinstance(dim, int) else list(dim)
    rank = x.ndim + len(axes)
    for axis in sorted(one % rank for one in axes):
        x = x.unsqueeze(axis)
    return x


def _resize(layer: ours.Resize) -> Callable[[torch.Tensor], torch.Tensor]:
    def resized(x: torch.Tensor) -> torch.Tensor:
        for axis, one in zip(layer.axes, layer.matrices(tuple(x.shape)), strict=True):
            x = (x.movedim(axis, -1) @ torch.tensor(one.matrix.T, dtype=x.dtype, device=x.device)).movedim(-1, axis)
        return x

    return resized


FUNCTIONS: dict[type[ours.Module], Callable[[Any], Callable[..., Any]]] = {
    ours.Add: lambda layer: lambda *inputs: sum(inputs[1:], inputs[0]),
    ours.Subtract: lambda layer: torch.sub,
    ours.Multiply: lambda layer: torch.mul,
    ours.Divide: lambda layer: torch.div,
    ours.Concatenate: lambda layer: lambda *inputs: torch.cat(inputs, layer.dim),
    ours.Scale: lambda layer: lambda x: layer.factor * x + layer.offset,
    ours.Mean: lambda layer: lambda x: x.mean(layer.dim, layer.keepdim),
    ours.Normalize: lambda layer: lambda x: F.normalize(x, dim=layer.dim, eps=layer.eps),
    ours.Permute: lambda layer: lambda x: x.permute(layer.dims),
    ours.Transpose: lambda layer: lambda x: x.transpose(layer.dim0, layer.dim1),
    ours.Reshape: lambda layer: lambda x: x.reshape([n or x.shape[i] for i, n in enumerate(layer.shape)]),
    ours.Slice: lambda layer: (
        lambda x: x.movedim(layer.dim, 0)[layer.start : layer.stop : layer.step].movedim(0, layer.dim)
    ),
    ours.Chunk: lambda layer: lambda x: x.chunk(layer.chunks, layer.dim),
    ours.Split: lambda layer: lambda x: x.split(layer.split_size, layer.dim),
    ours.Resize: _resize,
    ours.Power: lambda layer: lambda x: x.pow(layer.exponent),
    ours.Exp: lambda layer: torch.exp,
    ours.Log: lambda layer: torch.log,
    ours.Abs: lambda layer: torch.abs,
    ours.Erf: lambda layer: torch.erf,
    ours.Clamp: lambda layer: lambda x: x.clamp(layer.min, layer.max),
    ours.Sum: lambda layer: lambda x: x.sum(layer.dim, layer.keepdim),
    ours.Matmul: lambda layer: torch.matmul,
    ours.Flip: lambda layer: lambda x: x.flip(layer.dims),
    ours.Squeeze: lambda layer: lambda x: x.squeeze() if layer.dim is None else x.squeeze(layer.dim),
    ours.Unsqueeze: lambda layer: lambda x: unsqueeze(x, layer.dim),
    ours.Expand: lambda layer: lambda x: x.expand(layer.shape),
    ours.IndexSelect: lambda layer: lambda x: x.index_select(layer.dim, torch.tensor(layer.index, device=x.device)),
}
"""For layers that are plain functions in PyTorch, a function that returns it."""


def _calling(function: Callable[[Any], Callable[..., Any]]) -> Builder:
    return lambda layer: FunctionModule(function(layer))


for kind, function in FUNCTIONS.items():
    counterpart(kind)(_calling(function))


@counterpart(ours.Graph)
def _graph(model: ours.Graph) -> theirs.Module:
    graph = fx.Graph()
    values: dict[str, fx.Node] = {}
    members: dict[str, Any] = {name: build_counterpart(layer) for name, layer in model.named_children()}

    def value(one: Any) -> fx.Node:
        return values[one.name] if one.index is None else graph.call_function(getitem, (values[one.name], one.index))

    for name in model.inputs:
        values[name] = graph.placeholder(f"input_{len(values)}")
    for name, source in model.sources().items():
        is_parameter = isinstance(source, ours.Parameter)
        tensor = torch.tensor(source.data if is_parameter else source)
        members[name] = theirs.Parameter(tensor) if is_parameter else tensor
        values[name] = graph.get_attr(name)
    for node in model.nodes:
        values[node.name] = graph.call_module(node.layer, tuple(map(value, node.inputs)))
    outputs = tuple(map(value, model.outputs))
    graph.output(outputs[0] if len(outputs) == 1 else outputs)
    module = fx.GraphModule(members, graph)
    for name in dict(model.named_buffers()).keys() - model.state_dict().keys():
        owner, _, attribute = name.rpartition(".")
        module.get_submodule(owner)._non_persistent_buffers_set.add(attribute)
    return module


@counterpart(ours.Sequential)
def _sequential(layer: ours.Sequential) -> theirs.Module:
    return theirs.Sequential(*map(build_counterpart, layer))


@counterpart(ours.Residual)
def _residual(layer: ours.Residual) -> theirs.Module:
    return ResidualTwin(
        build_counterpart(layer.body), None if layer.shortcut is None else build_counterpart(layer.shortcut)
    )
