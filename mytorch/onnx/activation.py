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
    "Erf": nn.Erf,
    "HardSwish": nn.Hardswish,
    "Mish": nn.Mish,
    "Softplus": nn.Softplus,
    "Softsign": nn.Softsign,
}
"""The layer that computes an operator without attributes."""

SELU = 1.6732632, 1.0507010
"""alpha and gamma of Klambauer et al., arXiv 1706.02515."""


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
    if (least, most) == (0, 6):
        return node.add(nn.ReLU6(), node.value())
    return node.add(nn.Clamp(least, most), node.value())


@operator("Elu", "Celu")
def elu(node: Node) -> Value:
    """x, or alpha (exp(x) - 1) where it is negative; CELU divides x by alpha first."""
    kind = nn.ELU if node.kind == "Elu" else nn.CELU
    return node.add(kind(node.attribute("alpha", 1.0)), node.value())


@operator("Selu")
def selu(node: Node) -> Value:
    """gamma times ELU."""
    alpha, gamma = node.attribute("alpha", SELU[0]), node.attribute("gamma", SELU[1])
    if np.allclose((alpha, gamma), SELU, rtol=1e-6):
        return node.add(nn.SELU(), node.value())
    return node.add(nn.Scale(gamma), node.add(nn.ELU(alpha), node.value(), part="elu"))


@operator("ThresholdedRelu")
def thresholded_relu(node: Node) -> Value:
    """x, or 0 up to alpha."""
    return node.add(nn.Threshold(node.attribute("alpha", 1.0), 0.0), node.value())


@operator("Shrink")
def shrink(node: Node) -> Value:
    """0 between -lambd and lambd, otherwise x, moved by `bias` towards 0."""
    bias, lambd = node.attribute("bias", 0.0), node.attribute("lambd", 0.5)
    if bias not in (0, lambd):
        raise Unsupported(f"bias={bias}, expected 0 or lambd={lambd}")
    return node.add(nn.Softshrink(lambd) if bias else nn.Hardshrink(lambd), node.value())


@operator("HardSigmoid")
def hard_sigmoid(node: Node) -> Value:
    """alpha x + beta between 0 and 1."""
    alpha, beta = node.attribute("alpha", 0.2), node.attribute("beta", 0.5)
    if np.allclose((alpha, beta), (1 / 6, 1 / 2), rtol=1e-6):
        return node.add(nn.Hardsigmoid(), node.value())
    return node.add(nn.Clamp(0, 1), node.add(nn.Scale(alpha, beta), node.value(), part="scale"))


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
