"""Activations: elementwise functions and their gradients."""

from mytorch.device import Array, namespace


def relu(x: Array) -> Array:
    """max(x, 0); NaN stays NaN."""
    return namespace(x).maximum(x, 0)


def relu_grad(grad: Array, y: Array) -> Array:
    """Gradient of y = relu(x) at x; zero where x is zero, as in PyTorch."""
    return grad * (y > 0)


def leaky_relu(x: Array, slope: float) -> Array:
    """x where it is positive, slope * x elsewhere."""
    return x * _steepness(x, slope)


def leaky_relu_grad(grad: Array, x: Array, slope: float) -> Array:
    """Gradient of leaky_relu at x; `slope` where x is zero, as in PyTorch."""
    return grad * _steepness(x, slope)


def _steepness(x: Array, slope: float) -> Array:
    """The derivative: 1 right of zero, `slope` at zero and left of it.

    By arithmetic and not by `where`, which forgets how x lies in memory. For slopes from 0 to 1 the 1 is exact.
    """
    one, low = x.dtype.type(1), x.dtype.type(slope)
    return (x > 0) * (one - low) + low
