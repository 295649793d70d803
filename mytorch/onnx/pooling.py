"""Pooling."""

from collections.abc import Sequence
from math import ceil, floor, prod

import numpy as np

from mytorch import nn
from mytorch.nn.graph_plan import Value
from mytorch.onnx.convolution import Ends, pad, padding_of
from mytorch.onnx.node import Node, Unsupported, layer_class, operator

Sizes = tuple[int, ...]


@operator("MaxPool")
def max_pool(node: Node) -> Value:
    """MaxPool. Padding that differs at both ends is a layer of its own, of minus infinity."""
    if node.uses_output(1):
        raise Unsupported("its indices are used as an output, expected its first output alone")
    kernel, stride, dilation, ends = _windows(node)
    x, ends = _even(node, ends, kernel, dilation, -np.inf)
    layer = layer_class("MaxPool", len(kernel))(
        kernel, stride, tuple(before for before, _ in ends), dilation, ceil_mode=bool(node.attribute("ceil_mode", 0))
    )
    return node.add(layer, x)


@operator("AveragePool")
def average_pool(node: Node) -> Value:
    """AveragePool: means of windows, without padded zeros unless count_include_pad."""
    kernel, stride, dilation, ends = _windows(node)
    if max(dilation) > 1:
        raise Unsupported(f"dilations={list(dilation)}, expected 1")
    ceil_mode, counted = bool(node.attribute("ceil_mode", 0)), bool(node.attribute("count_include_pad", 0))
    kind = layer_class("AvgPool", len(kernel))
    padding = tuple(before for before, _ in ends)
    fits = all(2 * p <= k for p, k in zip(padding, kernel, strict=True))
    if fits and all(before == after for before, after in ends):
        return node.add(kind(kernel, stride, padding, ceil_mode, counted), node.value())
    if counted and not ceil_mode:
        return node.add(kind(kernel, stride), pad(node, node.value(), ends, 0.0))
    counts = _counts(node.size(), kernel, stride, ends, ceil_mode, counted)
    y = node.add(kind(kernel, stride, 0, ceil_mode, divisor_override=1), pad(node, node.value(), ends, 0.0), part="sum")
    weight = node.graph.constant(node.unique(f"{y.name}_weight"), (1 / counts).astype(node.target.dtype))
    return node.add(nn.Multiply(), y, weight)


def _counts(size: Sizes, kernel: Sizes, stride: Sizes, ends: Ends, ceil_mode: bool, counted: bool) -> np.ndarray:
    """Return how many pixels each window of an image contains, (1, 1, *output size)."""
    counts = np.ones((1, 1, *(1,) * len(size)))
    for axis, (n, k, s, (before, after)) in enumerate(zip(size, kernel, stride, ends, strict=True)):
        exact = (n + before + after - k) / s
        out = (ceil if ceil_mode else floor)(exact) + 1
        starts = np.arange(out) * s
        starts = starts[starts < n + before] if ceil_mode else starts
        low, high = (0, n + before + after) if counted else (before, before + n)
        lengths = np.minimum(starts + k, high) - np.maximum(starts, low)
        counts = counts * lengths.reshape(-1, *(1,) * (len(size) - 1 - axis))
    return counts


@operator("LpPool")
def lp_pool(node: Node) -> Value:
    """LpPool: the p-norm of each window."""
    kernel, stride, dilation, ends = _windows(node)
    if max(dilation) > 1:
        raise Unsupported(f"dilations={list(dilation)}, expected 1")
    p = float(node.attribute("p", 2))
    x = node.value()
    if p % 2:
        x = node.add(nn.Abs(), x, part="abs")
    x = node.add(nn.Power(p), x, part="power")
    if any(map(any, ends)):
        x = pad(node, x, ends, 0.0)
    layer = layer_class("AvgPool", len(kernel))(
        kernel, stride, 0, bool(node.attribute("ceil_mode", 0)), divisor_override=1
    )
    return node.add(nn.Power(1 / p), node.add(layer, x, part="sum"))


@operator("GlobalAveragePool")
def global_average_pool(node: Node) -> Value:
    """GlobalAveragePool: the mean over all positions."""
    return node.add(layer_class("AdaptiveAvgPool", node.rank() - 2)(1), node.value())


@operator("GlobalMaxPool")
def global_max_pool(node: Node) -> Value:
    """GlobalMaxPool: the maximum over all positions."""
    return node.add(layer_class("AdaptiveMaxPool", node.rank() - 2)(1), node.value())


def _windows(node: Node) -> tuple[Sizes, Sizes, Sizes, Ends]:
    """Return kernel size, stride, dilation and padding."""
    kernel = tuple(node.attribute("kernel_shape"))
    stride = tuple(node.attribute("strides", [1] * len(kernel)))
    dilation = tuple(node.attribute("dilations", [1] * len(kernel)))
    return kernel, stride, dilation, padding_of(node, kernel, stride, dilation)


def _even(node: Node, ends: Ends, kernel: Sequence[int], dilation: Sequence[int], value: float) -> tuple[Value, Ends]:
    """Return the input, and the padding that the layer can do itself; any other is added before."""
    reaches = [d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True)]
    even = all(before == after and 2 * before <= reach for (before, after), reach in zip(ends, reaches, strict=True))
    if even or not prod(kernel):
        return node.value(), ends
    return pad(node, node.value(), ends, value), [(0, 0)] * len(ends)
