"""How activations, arithmetic and changes of shape are written."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from mytorch import nn
from mytorch.onnx.writer import CannotWrite, Name, Site, Tensor, writes

ONE_NODE: dict[type, tuple[str, dict[str, str]]] = {
    nn.ReLU: ("Relu", {}),
    nn.LeakyReLU: ("LeakyRelu", {"alpha": "negative_slope"}),
    nn.Sigmoid: ("Sigmoid", {}),
    nn.Tanh: ("Tanh", {}),
    nn.GELU: ("Gelu", {"approximate": "approximate"}),
    nn.ELU: ("Elu", {"alpha": "alpha"}),
    nn.CELU: ("Celu", {"alpha": "alpha"}),
    nn.SELU: ("Selu", {}),
    nn.Mish: ("Mish", {}),
    nn.Hardswish: ("HardSwish", {}),
    nn.Softsign: ("Softsign", {}),
    nn.Exp: ("Exp", {}),
    nn.Log: ("Log", {}),
    nn.Abs: ("Abs", {}),
    nn.Erf: ("Erf", {}),
    nn.Matmul: ("MatMul", {}),
    nn.Subtract: ("Sub", {}),
    nn.Multiply: ("Mul", {}),
    nn.Divide: ("Div", {}),
    nn.Concatenate: ("Concat", {"axis": "dim"}),
    nn.Softshrink: ("Shrink", {"lambd": "lambd", "bias": "lambd"}),
    nn.Hardshrink: ("Shrink", {"lambd": "lambd"}),
}
"""Layers that are one operator: its name, and the layer's attribute for each of its attributes."""


@writes(*ONE_NODE)
def _one_node(layer: Any, site: Site, *inputs: Tensor) -> Name:
    kind, settings = ONE_NODE[next(one for one in type(layer).__mro__ if one in ONE_NODE)]
    return site.node(kind, inputs, **{name: getattr(layer, own) for name, own in settings.items()})


@writes(nn.Identity, nn.StochasticDepth, nn.DropBlock2d, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d)
@writes(nn.AlphaDropout, nn.FeatureAlphaDropout)
def _nothing(layer: nn.Module, site: Site, x: Tensor) -> Tensor:
    """They do nothing in evaluation mode."""
    return x


@writes(nn.Dropout)
def _dropout(layer: nn.Dropout, site: Site, x: Tensor) -> Name:
    ratio = site.writer.array(f"{site.weights}.ratio", np.array(layer.p, site.writer.dtype))
    return site.node("Dropout", [x, ratio])


@writes(nn.PReLU)
def _prelu(layer: nn.PReLU, site: Site, x: Tensor) -> Name:
    slope = layer.weight.data
    shape = (len(slope), *(1,) * (len(x.shape) - 2)) if len(slope) > 1 else (1,)
    return site.node("PRelu", [x, site.array("weight", slope.reshape(shape))])


@writes(nn.SiLU)
def _silu(layer: nn.SiLU, site: Site, x: Tensor) -> Name:
    return site.node("Mul", [x, site.node("Sigmoid", [x], "gate")])


@writes(nn.Hardsigmoid)
def _hardsigmoid(layer: nn.Hardsigmoid, site: Site, x: Tensor) -> Name:
    return site.node("HardSigmoid", [x], alpha=1 / 6, beta=0.5)


@writes(nn.Hardtanh, nn.ReLU6)
def _hardtanh(layer: nn.Hardtanh, site: Site, x: Tensor) -> Name:
    return _clip(site, x, layer.min_val, layer.max_val)


@writes(nn.Clamp)
def _clamp(layer: nn.Clamp, site: Site, x: Tensor) -> Name:
    return _clip(site, x, layer.min, layer.max)


def _clip(site: Site, x: Tensor | Name, least: float | None, most: float | None, part: str = "") -> Name:
    bounds = ["" if one is None else site.number(name, one) for name, one in (("min", least), ("max", most))]
    return site.node("Clip", [x, *bounds], part)


@writes(nn.Softplus)
def _softplus(layer: nn.Softplus, site: Site, x: Tensor) -> Name:
    if layer.beta == 1:
        return site.node("Softplus", [x])
    beta = site.number("beta", layer.beta)
    y = site.node("Softplus", [site.node("Mul", [x, beta], "scaled")], "softplus")
    return site.node("Div", [y, beta])


@writes(nn.LogSigmoid)
def _log_sigmoid(layer: nn.LogSigmoid, site: Site, x: Tensor) -> Name:
    return site.node("Neg", [site.node("Softplus", [site.node("Neg", [x], "negative")], "softplus")])


@writes(nn.Threshold)
def _threshold(layer: nn.Threshold, site: Site, x: Tensor) -> Name:
    if layer.value == 0 and layer.threshold >= 0:
        return site.node("ThresholdedRelu", [x], alpha=layer.threshold)
    above = site.node("Greater", [x, site.number("threshold", layer.threshold)], "above")
    return site.node("Where", [above, x, site.number("value", layer.value)])


@writes(nn.Tanhshrink)
def _tanhshrink(layer: nn.Tanhshrink, site: Site, x: Tensor) -> Name:
    return site.node("Sub", [x, site.node("Tanh", [x], "tanh")])


@writes(nn.RReLU)
def _rrelu(layer: nn.RReLU, site: Site, x: Tensor) -> Name:
    return site.node("LeakyRelu", [x], alpha=(layer.lower + layer.upper) / 2)


@writes(nn.GLU)
def _glu(layer: nn.GLU, site: Site, x: Tensor) -> Name:
    value, gate = site.node("Split", [x], "halves", 2, axis=layer.dim, num_outputs=2)
    return site.node("Mul", [value, site.node("Sigmoid", [gate], "gate")])


@writes(nn.Softmax, nn.LogSoftmax, nn.Softmin, nn.Softmax2d)
def _softmax(layer: Any, site: Site, x: Tensor) -> Name:
    axis = (0 if len(x.shape) in (0, 1, 3) else 1) if layer.dim is None else layer.dim
    if isinstance(layer, nn.Softmin):
        return site.node("Softmax", [site.node("Neg", [x], "negative")], axis=axis)
    return site.node("LogSoftmax" if isinstance(layer, nn.LogSoftmax) else "Softmax", [x], axis=axis)


@writes(nn.Add)
def _add(layer: nn.Add, site: Site, *inputs: Tensor) -> Name:
    return site.node("Add" if len(inputs) == 2 else "Sum", inputs)


@writes(nn.Scale)
def _scale(layer: nn.Scale, site: Site, x: Tensor) -> Any:
    both = layer.factor != 1 and layer.offset != 0
    y: Tensor | Name = x
    if layer.factor != 1:
        y = site.node("Mul", [x, site.number("factor", layer.factor)], "product" if both else "")
    if layer.offset != 0:
        y = site.node("Add", [y, site.number("offset", layer.offset)])
    return y


@writes(nn.Power)
def _power(layer: nn.Power, site: Site, x: Tensor) -> Name:
    if layer.exponent == 0.5:
        return site.node("Sqrt", [x])
    return site.node("Pow", [x, site.number("exponent", layer.exponent)])


@writes(nn.Mean, nn.Sum)
def _reduce(layer: Any, site: Site, x: Tensor) -> Name:
    dim = layer.dim
    axes = [] if dim is None else [site.numbers("axes", [dim] if isinstance(dim, int) else dim)]
    kind = "ReduceMean" if isinstance(layer, nn.Mean) else "ReduceSum"
    return site.node(kind, [x, *axes], keepdims=int(layer.keepdim))


@writes(nn.Normalize)
def _normalize(layer: nn.Normalize, site: Site, x: Tensor) -> Name:
    length = site.node("ReduceL2", [x, site.numbers("axes", [layer.dim])], "length", keepdims=1)
    return site.node("Div", [x, _clip(site, length, layer.eps, None, "bounded")])


@writes(nn.Flatten)
def _flatten(layer: nn.Flatten, site: Site, x: Tensor) -> Name:
    rank = len(x.shape)
    first, last = layer.start_dim % rank, layer.end_dim % rank
    if (first, last) == (1, rank - 1):
        return site.node("Flatten", [x], axis=1)
    return site.node("Reshape", [x, site.numbers("shape", [*(0,) * first, -1, *x.shape[last + 1 :]])])


@writes(nn.Unflatten)
def _unflatten(layer: nn.Unflatten, site: Site, x: Tensor) -> Name:
    dim = layer.dim % len(x.shape)
    return site.node("Reshape", [x, site.numbers("shape", [*(0,) * dim, *layer.unflattened_size, *x.shape[dim + 1 :]])])


@writes(nn.Reshape)
def _reshape(layer: nn.Reshape, site: Site, x: Tensor) -> Name:
    return site.node("Reshape", [x, site.numbers("shape", layer.shape)])


@writes(nn.Permute)
def _permute(layer: nn.Permute, site: Site, x: Tensor) -> Name:
    return site.node("Transpose", [x], perm=[axis % len(x.shape) for axis in layer.dims])


@writes(nn.Transpose)
def _transpose(layer: nn.Transpose, site: Site, x: Tensor) -> Name:
    order = list(range(len(x.shape)))
    order[layer.dim0], order[layer.dim1] = order[layer.dim1], order[layer.dim0]
    return site.node("Transpose", [x], perm=order)


@writes(nn.Slice)
def _slice(layer: nn.Slice, site: Site, x: Tensor) -> Name:
    start, stop = layer.start or 0, 2**62 if layer.stop is None else layer.stop
    return _sliced(site, x, [start], [stop], [layer.dim], [layer.step])


@writes(nn.Flip)
def _flip(layer: nn.Flip, site: Site, x: Tensor) -> Name:
    count = len(layer.dims)
    return _sliced(site, x, [-1] * count, [-(2**62)] * count, layer.dims, [-1] * count)


def _sliced(
    site: Site, x: Tensor, starts: Sequence[int], ends: Sequence[int], axes: Sequence[int], steps: Sequence[int]
) -> Name:
    numbers = {"starts": starts, "ends": ends, "axes": axes, "steps": steps}
    return site.node("Slice", [x, *(site.numbers(name, value) for name, value in numbers.items())])


@writes(nn.Chunk, nn.Split)
def _split(layer: Any, site: Site, x: Tensor) -> list[Name]:
    lengths = layer._lengths(x.shape[layer.dim])
    names = site.node("Split", [x, site.numbers("split", lengths)], outputs=len(lengths), axis=layer.dim)
    return [names] if isinstance(names, str) else names


@writes(nn.Squeeze)
def _squeeze(layer: nn.Squeeze, site: Site, x: Tensor) -> Name:
    if layer.dim is None:
        raise CannotWrite("dim=None, expected axes: a batch of one would lose its axis")
    return site.node("Squeeze", [x, site.numbers("axes", _listed(layer.dim))])


@writes(nn.Unsqueeze)
def _unsqueeze(layer: nn.Unsqueeze, site: Site, x: Tensor) -> Name:
    return site.node("Unsqueeze", [x, site.numbers("axes", _listed(layer.dim))])


def _listed(dim: int | Sequence[int]) -> Sequence[int]:
    return [dim] if isinstance(dim, int) else dim


@writes(nn.Expand)
def _expand(layer: nn.Expand, site: Site, x: Tensor) -> Name:
    return site.node("Expand", [x, site.numbers("shape", [1 if n == -1 else n for n in layer.shape])])


@writes(nn.IndexSelect)
def _index_select(layer: nn.IndexSelect, site: Site, x: Tensor) -> Name:
    return site.node("Gather", [x, site.numbers("index", layer.index)], axis=layer.dim)


@writes(nn.PixelShuffle)
def _pixel_shuffle(layer: nn.PixelShuffle, site: Site, x: Tensor) -> Name:
    return site.node("DepthToSpace", [x], blocksize=layer.upscale_factor, mode="CRD")


@writes(nn.PixelUnshuffle)
def _pixel_unshuffle(layer: nn.PixelUnshuffle, site: Site, x: Tensor) -> Name:
    r, (channels, height, width) = layer.downscale_factor, x.shape[-3:]
    return _reordered(
        site, x, [0, channels, height // r, r, width // r, r], [0, 1, 3, 5, 2, 4],
        [0, channels * r * r, height // r, width // r],
    )  # fmt: skip


@writes(nn.ChannelShuffle)
def _channel_shuffle(layer: nn.ChannelShuffle, site: Site, x: Tensor) -> Name:
    groups, channels = layer.groups, x.shape[1]
    return _reordered(site, x, [0, groups, channels // groups, -1], [0, 2, 1, 3], [0, channels, *x.shape[2:]])


def _reordered(site: Site, x: Tensor, shape: list[int], order: list[int], result: list[int]) -> Name:
    """Reshape, permute, reshape."""
    if len(x.shape) != len(result):
        raise CannotWrite(f"its input has {len(x.shape)} axes, expected {len(result)}, the first one the batch")
    y = site.node("Reshape", [x, site.numbers("split_shape", shape)], "split")
    y = site.node("Transpose", [y], "permute", perm=order)
    return site.node("Reshape", [y, site.numbers("shape", result)])
