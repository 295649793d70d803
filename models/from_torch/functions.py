"""The layer of mytorch for each function and tensor method of PyTorch that networks call."""

import operator
from typing import Any

import torch
from torch import fx
from torch.nn import functional as F
from torchvision.models import shufflenetv2

from models.from_torch.calls import Call, Function, Unsupported, layer_class, plain, registry
from mytorch import nn
from mytorch.nn.graph_plan import Value

FUNCTIONS: dict[Any, Function] = {}
"""What adds the node of a call, by the function or by the name of the tensor method."""

function = registry(FUNCTIONS)


ACTIVATIONS: dict[str, tuple[str, tuple[str, ...]]] = {
    "celu": ("CELU", ("alpha",)),
    "elu": ("ELU", ("alpha",)),
    "gelu": ("GELU", ("approximate",)),
    "hardsigmoid": ("Hardsigmoid", ()),
    "hardswish": ("Hardswish", ()),
    "hardtanh": ("Hardtanh", ("min_val", "max_val")),
    "leaky_relu": ("LeakyReLU", ("negative_slope",)),
    "log_softmax": ("LogSoftmax", ("dim",)),
    "logsigmoid": ("LogSigmoid", ()),
    "mish": ("Mish", ()),
    "relu": ("ReLU", ()),
    "relu6": ("ReLU6", ()),
    "selu": ("SELU", ()),
    "sigmoid": ("Sigmoid", ()),
    "silu": ("SiLU", ()),
    "softmax": ("Softmax", ("dim",)),
    "softplus": ("Softplus", ("beta", "threshold")),
    "softsign": ("Softsign", ()),
    "tanh": ("Tanh", ()),
}
"""The layer of each activation function, and its arguments after the input."""

POOLINGS: dict[str, tuple[str, ...]] = {
    **{
        f"max_pool{n}d": ("kernel_size", "stride", "padding", "dilation", "ceil_mode", "return_indices")
        for n in (1, 2, 3)
    },
    **{
        f"avg_pool{n}d": (
            "kernel_size", "stride", "padding", "ceil_mode", "count_include_pad", "divisor_override"
        )
        for n in (1, 2, 3)
    },
    **{f"adaptive_avg_pool{n}d": ("output_size",) for n in (1, 2, 3)},
    **{f"adaptive_max_pool{n}d": ("output_size", "return_indices") for n in (1, 2, 3)},
}  # fmt: skip
"""The arguments of each pooling function after the input."""


def _like_a_layer(kind: str, names: tuple[str, ...]) -> Function:
    """Return what adds a layer that takes the function's arguments."""

    def adds(call: Call) -> Value:
        bound = call.bind("input", *names)
        arguments = {name: plain(bound[name]) for name in names if bound.get(name) is not None}
        return call.add(layer_class(kind)(**arguments), call.value(0))

    return adds


def _all_called(name: str) -> list[Any]:
    """Return the functions of torch and torch.nn.functional of that name, and the methods, also in place."""
    places = (F, torch, torch._C._nn)
    found = [getattr(place, spelled) for place in places for spelled in (name, f"{name}_") if hasattr(place, spelled)]
    return [*found, name, f"{name}_"]


for name, (kind, names) in ACTIVATIONS.items():
    function(*_all_called(name))(_like_a_layer(kind, names))
for name, names in POOLINGS.items():
    class_name = "".join(part.capitalize() for part in name.split("_"))
    function(*_all_called(name))(_like_a_layer(class_name, names))


@function(torch.clamp, torch.clip, "clamp", "clamp_", "clip")
def _clamp(call: Call) -> Value:
    bound = call.bind("input", "min", "max", min=None, max=None)
    if bound["min"] == 0 and bound["max"] is None:
        return call.add(nn.ReLU(), call.value(0))
    if bound["min"] is None or bound["max"] is None:
        raise Unsupported("only a range with both ends, or from 0")
    return call.add(layer_class("Hardtanh")(bound["min"], bound["max"]), call.value(0))


def _operands(call: Call, name: str = "other") -> tuple[Any, Any]:
    bound = call.bind("input", name, alpha=1, rounding_mode=None)
    if bound["alpha"] != 1 or bound["rounding_mode"] is not None:
        raise Unsupported("alpha or rounding_mode")
    x, other = call.args[:2]
    if not any(isinstance(one, fx.Node) for one in (x, other)):
        raise Unsupported("no tensor among its arguments")
    return x, other


@function(torch.add, operator.add, operator.iadd, "add", "add_")
def _add(call: Call) -> Value:
    x, other = _operands(call)
    if isinstance(x, fx.Node) and isinstance(other, fx.Node):
        return call.add(nn.Add(), call.value(x), call.value(other))
    x, number = (x, other) if isinstance(x, fx.Node) else (other, x)
    return call.add(nn.Scale(1.0, plain(number)), call.value(x))


@function(torch.sub, operator.sub, operator.isub, "sub", "sub_")
def _subtract(call: Call) -> Value:
    x, other = _operands(call)
    if isinstance(x, fx.Node) and isinstance(other, fx.Node):
        return call.add(nn.Subtract(), call.value(x), call.value(other))
    if isinstance(x, fx.Node):
        return call.add(nn.Scale(1.0, -plain(other)), call.value(x))
    return call.add(nn.Scale(-1.0, plain(x)), call.value(other))


@function(torch.mul, torch.multiply, operator.mul, operator.imul, "mul", "mul_", "multiply")
def _multiply(call: Call) -> Value:
    x, other = _operands(call)
    if isinstance(x, fx.Node) and isinstance(other, fx.Node):
        return call.add(nn.Multiply(), call.value(x), call.value(other))
    x, number = (x, other) if isinstance(x, fx.Node) else (other, x)
    return call.add(nn.Scale(plain(number)), call.value(x))


@function(torch.div, torch.true_divide, operator.truediv, operator.itruediv, "div", "div_")
def _divide(call: Call) -> Value:
    x, other = _operands(call)
    if not isinstance(x, fx.Node):
        raise Unsupported("a number divided by a tensor")
    if isinstance(other, fx.Node):
        return call.add(nn.Divide(), call.value(x), call.value(other))
    return call.add(nn.Scale(1 / plain(other)), call.value(x))


@function(torch.neg, operator.neg, "neg")
def _negative(call: Call) -> Value:
    return call.add(nn.Scale(-1.0), call.value(0))


@function(torch.square, torch.pow, operator.pow, "pow", "square")
def _power(call: Call) -> Value:
    if call.bind("input", "exponent", exponent=2)["exponent"] != 2:
        raise Unsupported("only the power 2")
    return call.add(nn.Multiply(), call.value(0), call.value(0))


@function(torch.cat, torch.concat, torch.concatenate)
def _concatenate(call: Call) -> Value:
    bound = call.bind("tensors", "dim", dim=0)
    return call.add(nn.Concatenate(bound["dim"]), *map(call.value, bound["tensors"]))


@function(torch.mean, "mean")
def _mean(call: Call) -> Value:
    bound = call.bind("input", "dim", "keepdim", dim=None, keepdim=False)
    return call.add(nn.Mean(plain(bound["dim"]), bound["keepdim"]), call.value(0))


@function(F.dropout, torch.dropout, F.dropout2d)
def _dropout(call: Call) -> Value:
    bound = call.bind("input", "p", "training", "inplace", p=0.5, training=True)
    name = "Dropout2d" if call.node.target is F.dropout2d else "Dropout"
    return call.add(layer_class(name)(bound["p"]).train(bound["training"]), call.value(0))


@function(F.interpolate)
def _interpolate(call: Call) -> Value:
    names = ("size", "scale_factor", "mode", "align_corners", "recompute_scale_factor", "antialias")
    bound = call.bind("input", *names)
    arguments = {name: plain(bound[name]) for name in names if bound.get(name) not in (None, False)}
    return call.add(nn.Upsample(**arguments), call.value(0))


@function(F.pad, torch._C._nn.pad)
def _pad(call: Call) -> Value:
    bound = call.bind("input", "pad", "mode", "value", mode="constant", value=None)
    pads = plain(bound["pad"])
    kinds = {"constant": "Constant", "reflect": "Reflection", "replicate": "Replication", "circular": "Circular"}
    kind = layer_class(f"{kinds[bound['mode']]}Pad{len(pads) // 2}d")
    values = [bound["value"] or 0.0] if bound["mode"] == "constant" else []
    return call.add(kind(pads, *values), call.value(0))


@function(F.normalize)
def _normalize(call: Call) -> Value:
    bound = call.bind("input", "p", "dim", "eps", p=2.0, dim=1, eps=1e-12)
    if bound["p"] != 2:
        raise Unsupported("only the length with p=2")
    return call.add(nn.Normalize(bound["dim"], bound["eps"]), call.value(0))


@function(shufflenetv2.channel_shuffle, F.channel_shuffle)
def _channel_shuffle(call: Call) -> Value:
    bound = call.bind("x", "groups")
    return call.add(layer_class("ChannelShuffle")(bound["groups"]), call.value(0))


@function("contiguous", "clone", torch.clone, "float", "double", "to", "type_as", "type")
def _itself(call: Call) -> Value:
    return call.value(0)


def functional_layer(call: Call, kind: Any, arguments: dict[str, Any], state: dict[str, Any], training: bool) -> Value:
    """Add the layer of a function that is called with weights. They must be those of one module of the network."""
    tensors = {name: node for name, node in state.items() if isinstance(node, fx.Node)}
    owners = {str(node.target).rpartition(".")[0] for node in tensors.values()}
    if len(owners) != 1 or any(
        node.op != "get_attr" or str(node.target).rpartition(".")[2] != name for name, node in tensors.items()
    ):
        raise Unsupported("its weights are not the attributes weight and bias of one module")
    (owner,) = owners
    own = call.converter.module.get_submodule(owner)
    arrays = {name: tensor for name, tensor in own.state_dict().items() if "." not in name}
    layer = kind(**arguments, bias="bias" in tensors)
    return call.converter.add_module(owner, layer, arrays, training, call.value(0))


def takes_weights(adds: Function) -> Function:
    """Mark what adds a layer with the weights among the call's arguments."""
    vars(adds)["takes_weights"] = True
    return adds


@function(F.linear, torch._C._nn.linear)
@takes_weights
def _linear(call: Call) -> Value:
    bound = call.bind("input", "weight", "bias", bias=None)
    weight = call.converter.parameter(bound["weight"])
    arguments = {"in_features": weight.shape[1], "out_features": weight.shape[0]}
    return functional_layer(call, nn.Linear, arguments, {name: bound[name] for name in ("weight", "bias")}, True)


@function(F.layer_norm, torch.layer_norm)
@takes_weights
def _layer_norm(call: Call) -> Value:
    bound = call.bind("input", "normalized_shape", "weight", "bias", "eps", weight=None, bias=None, eps=1e-5)
    shape = plain(bound["normalized_shape"])
    if bound["weight"] is None:
        return call.add(nn.LayerNorm(shape, bound["eps"], elementwise_affine=False), call.value(0))
    arguments = {"normalized_shape": shape, "eps": bound["eps"]}
    return functional_layer(call, nn.LayerNorm, arguments, {name: bound[name] for name in ("weight", "bias")}, True)


@function(*_all_called("conv1d")[:-2], *_all_called("conv2d")[:-2], *_all_called("conv3d")[:-2])
@takes_weights
def _convolution(call: Call) -> Value:
    names = ("stride", "padding", "dilation", "groups")
    bound = call.bind("input", "weight", "bias", *names, bias=None, groups=1)
    weight = call.converter.parameter(bound["weight"])
    arguments = {name: plain(bound[name]) for name in names if name in bound}
    arguments |= {"in_channels": weight.shape[1] * bound["groups"], "out_channels": weight.shape[0]}
    arguments["kernel_size"] = tuple(weight.shape[2:])
    kind = layer_class(f"Conv{weight.ndim - 2}d")
    return functional_layer(call, kind, arguments, {name: bound[name] for name in ("weight", "bias")}, True)
