"""Layers with several inputs, for `Graph`: arithmetic of arrays that broadcast, and concatenation.

`forward` takes the inputs, and `backward` returns a tuple: the gradient at each of them.
"""

import numpy as np

from mytorch.device import Array, get_array_module
from mytorch.geometry import Size
from mytorch.nn.module import Module
from mytorch.nn.validate import check_inputs
from mytorch.ops import broadcast as ops
from mytorch.ops.activation import add_relu, relu, relu_grad


class _Arithmetic(Module):
    """Base of the layers that combine arrays element by element. Shapes broadcast as in NumPy."""

    def _check(self, inputs: tuple[Array, ...]) -> None:
        check_inputs(self, inputs, minimum=2)
        shapes = [x.shape for x in inputs]
        try:
            np.broadcast_shapes(*shapes)
        except ValueError as error:
            raise ValueError(
                f"{type(self).__name__} got inputs of shapes {' and '.join(map(str, shapes))}, which do not broadcast: "
                "compared from the last axis, lengths must be equal or 1"
            ) from error


class Add(_Arithmetic):
    """x + other, for two or more inputs. As torch.add."""

    def forward(self, *inputs: Array) -> Array:
        """Shapes that broadcast, to the shape of the sum."""
        return self._forward(inputs, with_relu=False)

    def forward_relu(self, *inputs: Array) -> Array:
        """Return relu of the sum, computed in one pass; `backward` then differentiates both."""
        return self._forward(inputs, with_relu=True)

    def _forward(self, inputs: tuple[Array, ...], with_relu: bool) -> Array:
        self._check(inputs)
        y, last = inputs[0], inputs[-1]
        for x in inputs[1:-1]:
            y = ops.add(y, x)
        if with_relu and y.shape == last.shape:
            y = add_relu(y, last)
        else:
            y = ops.add(y, last)
            y = relu(y) if with_relu else y
        self.save_for_backward([x.shape for x in inputs], y if with_relu else None, output=y)
        return y

    def backward(self, grad: Array) -> tuple[Array, ...]:  # type: ignore[override]
        """Return the gradient at each input."""
        shapes, y = self.saved(grad)
        grad = grad if y is None else relu_grad(grad, y)
        return tuple(ops.unbroadcast(grad, shape) for shape in shapes)


class Subtract(_Arithmetic):
    """x - other. As torch.sub."""

    def forward(self, x: Array, other: Array) -> Array:  # type: ignore[override]
        """Shapes that broadcast, to the shape of the difference."""
        self._check((x, other))
        y = get_array_module(x).subtract(x, other)
        self.save_for_backward(x.shape, other.shape, output=y)
        return y

    def backward(self, grad: Array) -> tuple[Array, Array]:  # type: ignore[override]
        """Return the gradients at x and other."""
        shape, other = self.saved(grad)
        return ops.unbroadcast(grad, shape), -ops.unbroadcast(grad, other)


class Multiply(_Arithmetic):
    """x * other, such as channels times their gates (N, C, 1, 1). As torch.mul."""

    def forward(self, x: Array, other: Array) -> Array:  # type: ignore[override]
        """Shapes that broadcast, to the shape of the product."""
        self._check((x, other))
        y = ops.multiply(x, other)
        self.save_for_backward(x, other, output=y)
        return y

    def backward(self, grad: Array) -> tuple[Array, Array]:  # type: ignore[override]
        """Return the gradients at x and other."""
        x, other = self.saved(grad)
        return ops.multiply_grad(grad, other, x), ops.multiply_grad(grad, x, other)


class Divide(_Arithmetic):
    """x / other. As torch.div."""

    def forward(self, x: Array, other: Array) -> Array:  # type: ignore[override]
        """Shapes that broadcast, to the shape of the quotient."""
        self._check((x, other))
        y = get_array_module(x).divide(x, other)
        self.save_for_backward(x, other, output=y)
        return y

    def backward(self, grad: Array) -> tuple[Array, Array]:  # type: ignore[override]
        """Return the gradients at x and other."""
        x, other = self.saved(grad)
        grad_x = grad / other
        return ops.unbroadcast(grad_x, x.shape), ops.unbroadcast(-grad_x * (x / other), other.shape)


class Concatenate(Module):
    """Join the inputs along the axis `dim`; their other axes must be equal. As torch.cat."""

    def __init__(self, dim: int = 1):
        self.dim = dim

    def forward(self, *inputs: Array) -> Array:
        """One or more arrays, to one whose length along `dim` is the sum of theirs."""
        check_inputs(self, inputs, minimum=1)
        shapes = [x.shape for x in inputs]
        if not -len(shapes[0]) <= self.dim < len(shapes[0]) or len({self._others(shape) for shape in shapes}) > 1:
            raise ValueError(
                f"Concatenate(dim={self.dim}) got inputs of shapes {' and '.join(map(str, shapes))}: "
                "expected as many axes, and equal lengths of all but that one"
            )
        y = get_array_module(inputs[0]).concatenate(inputs, axis=self.dim)
        self.save_for_backward([shape[self.dim] for shape in shapes], output=y)
        return y

    def backward(self, grad: Array) -> tuple[Array, ...]:  # type: ignore[override]
        """Return the gradient at each input: its part of `grad`."""
        (lengths,) = self.saved(grad)
        ends = np.cumsum(lengths)[:-1].tolist()
        return tuple(get_array_module(grad).split(grad, ends, axis=self.dim))

    def _others(self, shape: Size) -> Size:
        axis = self.dim % len(shape) if shape else 0
        return (*shape[:axis], -1, *shape[axis + 1 :])

    def extra_repr(self) -> str:
        """Return the argument."""
        return f"dim={self.dim}"
