"""Arithmetic of values and constants, powers, reductions and matrix products."""

import numpy as np

from mytorch import nn
from mytorch.nn.graph_plan import Value
from mytorch.onnx.convolution import linear
from mytorch.onnx.node import Node, operator


def _number(node: Node, index: int) -> float | None:
    """Return an input that is one constant number, None if it is not."""
    if not node.is_constant(index):
        return None
    array = node.floats(index)
    other = node.shape(1 - index)
    return float(array.reshape(())) if array.size == 1 and array.ndim <= (0 if other is None else len(other)) else None


@operator("Add")
def add(node: Node) -> Value:
    """x + y."""
    for index in (0, 1):
        if (number := _number(node, index)) is not None:
            return node.add(nn.Scale(1, number), node.value(1 - index))
    return node.add(nn.Add(), node.value(0), node.value(1))


@operator("Sub")
def subtract(node: Node) -> Value:
    """x - y."""
    if (number := _number(node, 1)) is not None:
        return node.add(nn.Scale(1, -number), node.value(0))
    if (number := _number(node, 0)) is not None:
        return node.add(nn.Scale(-1, number), node.value(1))
    return node.add(nn.Subtract(), node.value(0), node.value(1))


@operator("Mul")
def multiply(node: Node) -> Value:
    """x * y."""
    for index in (0, 1):
        if (number := _number(node, index)) is not None:
            return node.add(nn.Scale(number), node.value(1 - index))
    return node.add(nn.Multiply(), node.value(0), node.value(1))


@operator("Div")
def divide(node: Node) -> Value:
    """x / y."""
    if number := _number(node, 1):
        return node.add(nn.Scale(1 / number), node.value(0))
    return node.add(nn.Divide(), node.value(0), node.value(1))


@operator("Neg")
def negate(node: Node) -> Value:
    """-x."""
    return node.add(nn.Scale(-1), node.value())


@operator("Reciprocal")
def reciprocal(node: Node) -> Value:
    """1 / x."""
    return node.add(nn.Power(-1), node.value())


@operator("Sum", "Mean")
def add_all(node: Node) -> Value:
    """The sum or the mean of any number of values."""
    count = len(node.proto.input)
    if count == 1:
        return node.value()
    values = [node.value(index) for index in range(count)]
    if node.kind == "Sum":
        return node.add(nn.Add(), *values)
    return node.add(nn.Scale(1 / count), node.add(nn.Add(), *values, part="sum"))


@operator("Pow")
def power(node: Node) -> Value:
    """x to a constant power."""
    exponent = node.constant(1, "exponent")
    if exponent.size != 1:
        raise ValueError(f"its exponent has {exponent.size} elements, expected one number")
    return node.add(nn.Power(float(exponent.reshape(()))), node.value())


@operator("Sqrt")
def square_root(node: Node) -> Value:
    """The square root of x."""
    return node.add(nn.Power(0.5), node.value())


@operator("ReduceMean", "ReduceSum", "ReduceL2", "ReduceSumSquare")
def reduce(node: Node) -> Value:
    """Means, sums and lengths over axes, all of them by default."""
    axes = node.integers(1, "axes") if node.has(1) else node.attribute("axes")
    if not axes and node.attribute("noop_with_empty_axes", 0):
        return node.value()
    dim, keepdim = tuple(axes) if axes else None, bool(node.attribute("keepdims", 1))
    if node.kind == "ReduceMean":
        return node.add(nn.Mean(dim, keepdim), node.value())
    if node.kind == "ReduceSum":
        return node.add(nn.Sum(dim, keepdim), node.value())
    y = node.add(nn.Power(2), node.value(), part="square")
    if node.kind == "ReduceSumSquare":
        return node.add(nn.Sum(dim, keepdim), y)
    return node.add(nn.Power(0.5), node.add(nn.Sum(dim, keepdim), y, part="sum"))


@operator("MatMul")
def matmul(node: Node) -> Value:
    """The matrix product: a linear layer if the second factor is a constant matrix."""
    shape = node.shape(1)
    if node.is_constant(1) and shape is not None and len(shape) == 2:
        return linear(node, node.value(), np.ascontiguousarray(node.floats(1, "weight").T), None)
    return node.add(nn.Matmul(), node.value(0), node.value(1))
