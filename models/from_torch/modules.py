"""The layer of mytorch for each module of PyTorch, torchvision and timm that is converted as a whole."""

from collections.abc import Callable
from inspect import Parameter as Argument
from inspect import signature
from typing import Any

from torch import nn as theirs

from models.from_torch.calls import Call, Unsupported, layer_class
from mytorch import nn
from mytorch.nn.describe import build, constructor_arguments
from mytorch.nn.graph_plan import Value

MODULES: dict[str, Callable[[Call, str, Any], Value]] = {}
"""What adds the nodes of a module, by the qualified name of its class, for classes that are not in torch.nn."""

CONTAINERS = (theirs.Sequential, theirs.ModuleList, theirs.ModuleDict)


def is_leaf(module: theirs.Module) -> bool:
    """Return True for a module that is converted as a whole. Others are traced into."""
    kind = type(module)
    if f"{kind.__module__}.{kind.__qualname__}" in MODULES:
        return True
    return _torch_class(module) is not None and not isinstance(module, CONTAINERS)


def layer_like(module: theirs.Module) -> nn.Module:
    """Return the layer that has the name and the arguments of a module of torch.nn, with weights of its own.

    Raises Unsupported if mytorch has no such layer, or if the layer lacks an argument that is not at its default.
    """
    theirs_kind: Any = _torch_class(module)
    kind = layer_class(theirs_kind.__name__)
    lacks = signature(theirs_kind).parameters.keys() - signature(kind).parameters.keys()
    for name, value in constructor_arguments(module, theirs_kind).items():
        default = signature(theirs_kind).parameters[name].default
        only_without_affine = name == "bias" and getattr(module, "affine", True) is False
        if name not in lacks or default is Argument.empty or only_without_affine:
            continue
        if value != default and _pair(value) != _pair(default):
            raise Unsupported(f"the layer has no argument {name}, which is {value!r} here")
    return build(kind, constructor_arguments(module, kind))


def _pair(value: Any) -> tuple[Any, ...]:
    return tuple(value) if isinstance(value, list | tuple) else (value, value)


def _torch_class(module: theirs.Module) -> type | None:
    """Return the class of torch.nn that computes what `module` computes, or None."""
    kind: Any
    for kind in type(module).__mro__:
        if kind.forward is not type(module).forward or kind is theirs.Module:
            return None
        if kind.__module__.startswith("torch.nn."):
            return kind
    return None


def qualified(*names: str) -> Callable[..., Any]:
    """Decorate the function for the modules whose classes have these qualified names."""

    def register(function: Callable[[Call, str, Any], Value]) -> Callable[[Call, str, Any], Value]:
        MODULES.update(dict.fromkeys(names, function))
        return function

    return register


def _own_state(module: theirs.Module) -> dict[str, Any]:
    return {name: tensor for name, tensor in module.state_dict().items() if "." not in name}


@qualified("timm.layers.norm_act.BatchNormAct2d")
def _batch_norm_act(call: Call, name: str, module: Any) -> Value:
    layer = build(nn.BatchNorm2d, constructor_arguments(module, nn.BatchNorm2d))
    y = call.converter.add_module(name, layer, _own_state(module), module.training, call.value(0))
    for part in ("drop", "act"):
        inner = getattr(module, part)
        if not isinstance(inner, theirs.Identity):
            state = dict(inner.state_dict())
            y = call.converter.add_module(f"{name}.{part}", layer_like(inner), state, inner.training, y)
    return y


@qualified("timm.layers.conv2d_same.Conv2dSame")
def _conv2d_same(call: Call, name: str, module: Any) -> Value:
    size, pads = call.shape(0)[2:], []
    for n, kernel, stride, dilation in zip(size, module.kernel_size, module.stride, module.dilation, strict=True):
        total = max((-(-n // stride) - 1) * stride + (kernel - 1) * dilation + 1 - n, 0)
        pads.append((total // 2, total - total // 2))
    x = call.value(0)
    if any(map(any, pads)):
        x = call.converter.add(f"{name}_pad", layer_class("ZeroPad2d")((*pads[1], *pads[0])), x)
    arguments = constructor_arguments(module, nn.Conv2d) | {"padding": 0}
    return call.converter.add_module(name, build(nn.Conv2d, arguments), _own_state(module), module.training, x)


@qualified("timm.layers.drop.DropPath")
def _drop_path(call: Call, name: str, module: Any) -> Value:
    if not module.scale_by_keep:
        raise Unsupported("scale_by_keep=False")
    layer = layer_class("StochasticDepth")(module.drop_prob, "row")
    return call.converter.add_module(name, layer, {}, module.training, call.value(0))


@qualified("torchvision.ops.stochastic_depth.StochasticDepth")
def _stochastic_depth(call: Call, name: str, module: Any) -> Value:
    layer = layer_class("StochasticDepth")(module.p, module.mode)
    return call.converter.add_module(name, layer, {}, module.training, call.value(0))


@qualified("torchvision.ops.drop_block.DropBlock2d")
def _drop_block(call: Call, name: str, module: Any) -> Value:
    layer = nn.DropBlock2d(module.p, module.block_size, module.eps)
    return call.converter.add_module(name, layer, {}, module.training, call.value(0))


@qualified("models.surgery.DropBlock")
def _drop_block_in_small_maps(call: Call, name: str, module: Any) -> Value:
    side = min(module.block_size, *call.shape(0)[-2:])
    layer = nn.DropBlock2d(module.p, side - 1 + side % 2, module.eps)
    return call.converter.add_module(name, layer, {}, module.training, call.value(0))
