"""Convolutions and their padding."""

from collections.abc import Sequence

import numpy as np

from mytorch import nn
from mytorch.nn.graph_plan import Value
from mytorch.onnx.node import Node, Unsupported, layer_class, operator, set_weights

Ends = list[tuple[int, int]]


@operator("Conv")
def conv(node: Node) -> Value:
    """Conv: correlation. Padding that differs at both ends is a layer of its own."""
    weight = node.floats(1, "weight")
    axes, groups = weight.ndim - 2, node.attribute("group", 1)
    kernel = weight.shape[2:]
    stride = tuple(node.attribute("strides", [1] * axes))
    dilation = tuple(node.attribute("dilations", [1] * axes))
    ends = padding_of(node, kernel, stride, dilation)
    x = node.value()
    if any(before != after for before, after in ends):
        x = pad(node, x, ends, 0.0)
        ends = [(0, 0)] * axes
    bias = node.floats(2, "bias") if node.has(2) else None
    layer = layer_class("Conv", axes)(
        weight.shape[1] * groups, weight.shape[0], kernel, stride, tuple(before for before, _ in ends), dilation,
        groups, bias is not None, dtype=node.target.dtype,
    )  # fmt: skip
    return node.add(set_weights(layer, {"weight": weight, "bias": bias}), x)


@operator("ConvTranspose")
def conv_transpose(node: Node) -> Value:
    """ConvTranspose: the gradient of a convolution. What `pads` removes unevenly is removed by a layer of its own."""
    weight = node.floats(1, "weight")
    axes, groups = weight.ndim - 2, node.attribute("group", 1)
    kernel = weight.shape[2:]
    stride = tuple(node.attribute("strides", [1] * axes))
    dilation = tuple(node.attribute("dilations", [1] * axes))
    extra = list(node.attribute("output_padding", [0] * axes))
    ends = _transposed_padding(node, kernel, stride, dilation, extra)
    padding, cropped = [], []
    for axis, (before, after) in enumerate(ends):
        least = max(0, min(before, after))
        if before > after and extra[axis] + before - after < max(stride[axis], dilation[axis]):
            extra[axis] += before - after
            padding.append(before)
            cropped.append((0, 0))
        else:
            padding.append(least)
            cropped.append((least - before, least - after))
    bias = node.floats(2, "bias") if node.has(2) else None
    layer = layer_class("ConvTranspose", axes)(
        weight.shape[0], weight.shape[1] * groups, kernel, stride, tuple(padding), tuple(extra), groups,
        bias is not None, dilation, dtype=node.target.dtype,
    )  # fmt: skip
    y = node.add(set_weights(layer, {"weight": weight, "bias": bias}), node.value())
    return pad(node, y, cropped, 0.0) if any(map(any, cropped)) else y


def _transposed_padding(
    node: Node, kernel: Sequence[int], stride: Sequence[int], dilation: Sequence[int], extra: Sequence[int]
) -> Ends:
    """Return what is removed at both ends of each axis; negative numbers add zeros."""
    axes, mode, wanted = len(kernel), node.attribute("auto_pad", "NOTSET"), node.attribute("output_shape")
    if mode in ("NOTSET", "VALID") and wanted is None:
        return _ends(node.attribute("pads", [0] * 2 * axes)) if mode == "NOTSET" else [(0, 0)] * axes
    size = node.size()
    if wanted is None:
        wanted = [n * s for n, s in zip(size, stride, strict=True)]
    ends = []
    for n, k, s, d, o, out in zip(size, kernel, stride, dilation, extra, wanted[-axes:], strict=True):
        total = s * (n - 1) + o + d * (k - 1) + 1 - out
        half = max(0, total) // 2
        ends.append((half, total - half) if mode == "SAME_UPPER" or total < 0 else (total - half, half))
    return ends


def padding_of(node: Node, kernel: Sequence[int], stride: Sequence[int], dilation: Sequence[int]) -> Ends:
    """Return the padding at both ends of each axis, from `pads` or `auto_pad`."""
    axes, mode = len(kernel), node.attribute("auto_pad", "NOTSET")
    if mode == "NOTSET":
        return _ends(node.attribute("pads", [0] * 2 * axes))
    if mode == "VALID":
        return [(0, 0)] * axes
    if mode not in ("SAME_UPPER", "SAME_LOWER"):
        raise Unsupported(f"auto_pad={mode}, expected NOTSET, VALID, SAME_UPPER or SAME_LOWER")
    size = (1,) * axes if max(stride) == 1 else node.size()
    ends = []
    for n, k, s, d in zip(size, kernel, stride, dilation, strict=True):
        total = max(0, (-(-n // s) - 1) * s + d * (k - 1) + 1 - n)
        half = total // 2
        ends.append((half, total - half) if mode == "SAME_UPPER" else (total - half, half))
    return ends


def pad(node: Node, x: Value, ends: Ends, value: float) -> Value:
    """Add a layer that pads, or removes pixels where a number is negative."""
    flat = tuple(n for one in reversed(ends) for n in one)
    layer = layer_class("ConstantPad", len(ends))(flat, value) if value else layer_class("ZeroPad", len(ends))(flat)
    return node.add(layer, x, part="pad")


def _ends(pads: Sequence[int]) -> Ends:
    """Return `pads`, first all begins and then all ends, as a pair for each axis."""
    axes = len(pads) // 2
    return list(zip(pads[:axes], pads[axes:], strict=True))


@operator("Gemm")
def gemm(node: Node) -> Value:
    """Gemm: y = alpha a b + beta c, a linear layer whose weight is alpha b^T."""
    x = node.value()
    if node.attribute("transA", 0):
        x = node.add(nn.Permute((1, 0)), x, part="transpose")
    weight = node.floats(1, "weight") * node.target.dtype.type(node.attribute("alpha", 1.0))
    weight = weight if node.attribute("transB", 0) else np.ascontiguousarray(weight.T)
    if not node.has(2):
        return linear(node, x, weight, None)
    bias = node.floats(2, "bias") * node.target.dtype.type(node.attribute("beta", 1.0))
    if bias.size == 1 or bias.shape in (weight.shape[:1], (1, weight.shape[0])):
        return linear(node, x, weight, np.full(weight.shape[0], bias.reshape(-1)))
    y = linear(node, x, weight, None)
    return node.add(nn.Add(), y, node.graph.parameter(node.unique(f"{y.name}_offset"), bias), part="add")


def linear(node: Node, x: Value, weight: np.ndarray, bias: np.ndarray | None) -> Value:
    """Add a linear layer. weight: (out, in)."""
    layer = nn.Linear(weight.shape[1], weight.shape[0], bias is not None, dtype=node.target.dtype)
    return node.add(set_weights(layer, {"weight": weight, "bias": bias}), x)
