"""Pooling."""

from math import ceil, floor

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
    x, ceil_mode = node.value(), bool(node.attribute("ceil_mode", 0))
    if not _fits(ends, kernel, dilation):
        ends = _exact(node.size(), kernel, stride, dilation, ends) if ceil_mode else ends
        x, ends, ceil_mode = pad(node, x, ends, -np.inf), [(0, 0)] * len(ends), False
    padding = tuple(before for before, _ in ends)
    return node.add(layer_class("MaxPool", len(kernel))(kernel, stride, padding, dilation, False, ceil_mode), x)


@operator("AveragePool")
def average_pool(node: Node) -> Value:
    """AveragePool: means of windows, without padded zeros unless count_include_pad."""
    kernel, stride, dilation, ends = _windows(node)
    ceil_mode, counted = bool(node.attribute("ceil_mode", 0)), bool(node.attribute("count_include_pad", 0))
    kind = layer_class("AvgPool", len(kernel))
    if max(dilation) == 1 and _fits(ends, kernel, dilation):
        return node.add(kind(kernel, stride, tuple(before for before, _ in ends), ceil_mode, counted), node.value())
    if counted and not ceil_mode and max(dilation) == 1:
        return node.add(kind(kernel, stride), pad(node, node.value(), ends, 0.0))
    counts = _counts(node.size(), kernel, stride, dilation, ends, ceil_mode, counted)
    y = _sums(node, node.value(), (kernel, stride, dilation, ends), ceil_mode)
    weight = node.graph.constant(node.unique(f"{y.name}_weight"), (1 / counts).astype(node.target.dtype))
    return node.add(nn.Multiply(), y, weight)


@operator("LpPool")
def lp_pool(node: Node) -> Value:
    """LpPool: the p-norm of each window."""
    kernel, stride, dilation, ends = _windows(node)
    p, ceil_mode, x = node.attribute("p", 2), bool(node.attribute("ceil_mode", 0)), node.value()
    if max(dilation) == 1 and not any(map(any, ends)) and p % 2 == 0 and not ceil_mode:
        return node.add(layer_class("LPPool", len(kernel))(float(p), kernel, stride), x)
    x = node.add(nn.Abs(), x, part="abs") if p % 2 else x
    x = node.add(nn.Power(p), x, part="power")
    return node.add(nn.Power(1 / p), _sums(node, x, (kernel, stride, dilation, ends), ceil_mode))


def _sums(node: Node, x: Value, windows: tuple[Sizes, Sizes, Sizes, Ends], ceil_mode: bool) -> Value:
    """Add layers that sum each window. The pixels of dilated windows are selected first, along each axis."""
    kernel, stride, dilation, ends = windows
    if ceil_mode or max(dilation) > 1:
        ends = _exact(node.size(), kernel, stride, dilation, ends, ceil_mode)
    if any(map(any, ends)):
        x = pad(node, x, ends, 0.0)
    if max(dilation) > 1:
        for axis, (n, k, s, d) in enumerate(zip(node.size(), kernel, stride, dilation, strict=True)):
            count = (n + sum(ends[axis]) - d * (k - 1) - 1) // s + 1
            index = (np.arange(count)[:, None] * s + np.arange(k) * d).reshape(-1)
            x = node.add(nn.IndexSelect(axis + 2, index.tolist()), x, part=f"select{axis}")
        stride = kernel
    return node.add(layer_class("AvgPool", len(kernel))(kernel, stride, divisor_override=1), x, part="sum")


def _count(n: int, k: int, s: int, d: int, ends: tuple[int, int], ceil_mode: bool) -> int:
    """Return the number of windows along an axis. With ceil_mode, none starts in the padding at the end."""
    exact = (n + sum(ends) - d * (k - 1) - 1) / s
    count = (ceil if ceil_mode else floor)(exact) + 1
    return count - 1 if ceil_mode and (count - 1) * s >= n + ends[0] else count


def _exact(size: Sizes, kernel: Sizes, stride: Sizes, dilation: Sizes, ends: Ends, ceil_mode: bool = True) -> Ends:
    """Return the padding with which the last windows end where the image does."""
    found = []
    for n, k, s, d, one in zip(size, kernel, stride, dilation, ends, strict=True):
        reach = (_count(n, k, s, d, one, ceil_mode) - 1) * s + d * (k - 1) + 1
        found.append((one[0], reach - n - one[0]))
    return found


def _counts(
    size: Sizes, kernel: Sizes, stride: Sizes, dilation: Sizes, ends: Ends, ceil_mode: bool, counted: bool
) -> np.ndarray:
    """Return how many pixels each window of an image contains, (1, 1, *output size)."""
    counts = np.ones((1, 1, *(1,) * len(size)))
    for axis, (n, k, s, d, one) in enumerate(zip(size, kernel, stride, dilation, ends, strict=True)):
        pixels = np.arange(_count(n, k, s, d, one, ceil_mode))[:, None] * s + np.arange(k) * d
        low, high = (0, n + sum(one)) if counted else (one[0], one[0] + n)
        inside = ((pixels >= low) & (pixels < high)).sum(1)
        counts = counts * inside.reshape(-1, *(1,) * (len(size) - 1 - axis))
    return counts


def _fits(ends: Ends, kernel: Sizes, dilation: Sizes) -> bool:
    """Return whether a pooling layer can pad so itself: alike at both ends, by at most half a window."""
    reaches = [d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True)]
    return all(before == after and 2 * before <= reach for (before, after), reach in zip(ends, reaches, strict=True))


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
