"""Activations."""

import numpy as np

from mytorch import nn
from mytorch.nn.graph_plan import Value
from mytorch.onnx.node import Node, Unsupported, operator, set_weights

WITHOUT_SETTINGS = {
    "Relu": nn.ReLU,
    "Sigmoid": nn.Sigmoid,
    "Tanh": nn.Tanh,
    "Exp": nn.Exp,
    "Log": nn.Log,
    "Abs": nn.Abs,
}
"""The layer that computes an operator without attributes."""


@operator(*WITHOUT_SETTINGS)
def without_settings(node: Node) -> Value:
    """Activations without attributes."""
    return node.add(WITHOUT_SETTINGS[node.kind](), node.value())


@operator("LeakyRelu")
def leaky_relu(node: Node) -> Value:
    """x, or alpha x where it is negative."""
    return node.add(nn.LeakyReLU(node.attribute("alpha", 0.01)), node.value())


@operator("PRelu")
def prelu(node: Node) -> Value:
    """x, or a learned slope times x where it is negative. The slope broadcasts."""
    slope, shape = node.floats(1, "slope"), node.shape()
    rank = 0 if shape is None else len(shape)
    full = (1,) * (rank - slope.ndim) + slope.shape
    if slope.size == 1 or (rank > 1 and full == (1, slope.size, *(1,) * (rank - 2))):
        layer = nn.PReLU(slope.size, dtype=node.target.dtype)
        return node.add(set_weights(layer, {"weight": slope.reshape(-1)}), node.value())
    x = node.value()
    positive = node.add(nn.ReLU(), x, part="positive")
    negative = node.add(nn.Clamp(max=0), x, part="negative")
    scaled = node.add(nn.Multiply(), negative, node.value(1), part="scaled")
    return node.add(nn.Add(), positive, scaled)


@operator("Clip")
def clip(node: Node) -> Value:
    """x between bounds, which are attributes before opset 11 and inputs since."""
    if node.opset < 11:
        bounds = [node.attribute("min"), node.attribute("max")]
    else:
        bounds = [float(node.constant(index, "bound")) if node.has(index) else None for index in (1, 2)]
    least, most = (None if bound is not None and abs(bound) > 3e38 else bound for bound in bounds)
    if least is None and most is None:
        return node.value()
    if least == 0 and most is None:
        return node.add(nn.ReLU(), node.value())
    return node.add(nn.Clamp(least, most), node.value())


@operator("HardSigmoid")
def hard_sigmoid(node: Node) -> Value:
    """alpha x + beta between 0 and 1."""
    alpha, beta = node.attribute("alpha", 0.2), node.attribute("beta", 0.5)
    return node.add(nn.Clamp(0, 1), node.add(nn.Scale(alpha, beta), node.value(), part="scale"))


@operator("HardSwish")
def hard_swish(node: Node) -> Value:
    """x times (x / 6 + 1 / 2 between 0 and 1)."""
    x = node.value()
    gate = node.add(nn.Clamp(0, 1), node.add(nn.Scale(1 / 6, 0.5), x, part="scale"), part="gate")
    return node.add(nn.Multiply(), x, gate)


@operator("Swish")
def swish(node: Node) -> Value:
    """x sigmoid(alpha x)."""
    alpha, x = node.attribute("alpha", 1.0), node.value()
    if alpha == 1:
        return node.add(nn.SiLU(), x)
    gate = node.add(nn.Sigmoid(), node.add(nn.Scale(alpha), x, part="scale"), part="gate")
    return node.add(nn.Multiply(), x, gate)


@operator("Gelu")
def gelu(node: Node) -> Value:
    """x times the normal distribution function."""
    return node.add(nn.GELU(node.attribute("approximate", "none")), node.value())


@operator("Softmax", "LogSoftmax")
def softmax(node: Node) -> Value:
    """Softmax along an axis; before opset 13, over all axes from that one."""
    kind = nn.Softmax if node.kind == "Softmax" else nn.LogSoftmax
    if node.opset >= 13:
        return node.add(kind(node.attribute("axis", -1)), node.value())
    shape, axis = node.shape(), node.attribute("axis", 1)
    if shape is None:
        raise Unsupported("the shape of its input is not known, which it needs before opset 13")
    axis %= len(shape)
    if all(length == 1 for length in shape[axis + 1 :]):
        return node.add(kind(axis), node.value())
    rest = node.size(range(axis, len(shape)))
    y = node.add(nn.Reshape((*(0,) * axis, int(np.prod(rest)))), node.value(), part="flatten")
    return node.add(nn.Reshape((*(0,) * axis, *rest)), node.add(kind(axis), y, part="softmax"))
