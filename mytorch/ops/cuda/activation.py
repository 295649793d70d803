"""Activations, dropout and biases on the GPU. See `mytorch.ops.activation`."""

from typing import Any

from mytorch.device import Array, get_array_module
from mytorch.geometry import to_channels_last
from mytorch.ops.cuda.layout import contiguous, dense, match_layout
from mytorch.ops.cuda.loader import launch
from mytorch.ops.cuda.reduce import fold, partial_sums


def relu(x: Array) -> Array:
    """As mytorch.ops.activation.relu."""
    return _map("relu", x)


def relu_grad(grad: Array, y: Array) -> Array:
    """As mytorch.ops.activation.relu_grad."""
    return _map("relu_grad", y, grad)


def leaky_relu(x: Array, slope: float) -> Array:
    """As mytorch.ops.activation.leaky_relu."""
    return _map("leaky_relu", x, None, float(slope))


def leaky_relu_grad(grad: Array, x: Array, slope: float) -> Array:
    """As mytorch.ops.activation.leaky_relu_grad."""
    return _map("leaky_relu_grad", x, grad, float(slope))


def sigmoid(x: Array) -> Array:
    """1 / (1 + exp(-x))."""
    return _map("sigmoid", x)


def sigmoid_grad(grad: Array, y: Array) -> Array:
    """Gradient of y = sigmoid(x) at x."""
    return _map("sigmoid_grad", y, grad)


def tanh(x: Array) -> Array:
    """Hyperbolic tangent."""
    return _map("hyperbolic_tangent", x)


def tanh_grad(grad: Array, y: Array) -> Array:
    """Gradient of y = tanh(x) at x."""
    return _map("hyperbolic_tangent_grad", y, grad)


def gelu(x: Array) -> Array:
    """x times the normal distribution's share below x."""
    return _map("gelu", x)


def gelu_with_saved(x: Array) -> tuple[Array, Array]:
    """gelu, and what gelu_grad takes."""
    return gelu(x), x


def gelu_grad(grad: Array, saved: Array) -> Array:
    """Gradient of gelu at x, which was saved."""
    return _map("gelu_grad", saved, grad)


def silu(x: Array) -> Array:
    """x * sigmoid(x)."""
    return _map("silu", x)


def silu_with_saved(x: Array) -> tuple[Array, Array]:
    """silu, and what silu_grad takes."""
    return silu(x), x


def silu_grad(grad: Array, saved: Array) -> Array:
    """Gradient of silu at x, which was saved."""
    return _map("silu_grad", saved, grad)


def prelu(x: Array, slope: Array) -> Array:
    """x where it is positive, slope * x elsewhere; x (N, C, *), slope (C,) or (1,)."""
    x, slope = to_channels_last(x), contiguous(slope)
    y = get_array_module(x).empty_like(x)
    launch("elementwise", "prelu", x, x, slope, y, x.size, x.shape[1], len(slope), count=x.size)
    return y


def prelu_grad(grad: Array, x: Array, slope: Array) -> Array:
    """Gradient of prelu at x."""
    x, slope = to_channels_last(x), contiguous(slope)
    grad, grad_x = match_layout(x, grad), get_array_module(x).empty_like(x)
    launch("elementwise", "prelu_grad", x, grad, x, slope, grad_x, x.size, x.shape[1], len(slope), count=x.size)
    return grad_x


def prelu_slope_grad(grad: Array, x: Array, slopes: int) -> Array:
    """Gradient of prelu at its `slopes` slopes, (C,) or (1,)."""
    x, rounded = to_channels_last(x), get_array_module(x).empty(slopes, x.dtype)
    partial = partial_sums("batch_norm", "prelu_slope_sums", x, (x.size // slopes, slopes), match_layout(x, grad), x)
    fold("batch_norm", "fold_sums", x, partial, rounded)
    return rounded


def dropout(x: Array, mask: Array, scale: float) -> Array:
    """x * scale where `mask`, zero elsewhere. The gradient is the same function of the gradient."""
    return _map("dropout", x, mask, float(scale))


def add_bias(y: Array, bias: Array) -> None:
    """Add `bias` (C,) to `y` (N, C, *), memory channels last, in place."""
    launch("elementwise", "add_bias", y, y, contiguous(bias), y.size, len(bias), count=y.size)


def _map(kernel: str, x: Array, other: Array | None = None, *numbers: Any) -> Array:
    """`kernel` at every element of `x`, and of `other` beside it. Kernels take a gradient before x, else x first."""
    x = dense(x)
    y = get_array_module(x).empty_like(x)
    arrays = (x,) if other is None else (match_layout(x, other), x)
    arrays = arrays[::-1] if kernel == "dropout" else arrays
    launch("elementwise", kernel, y, *arrays, y, *numbers, y.size, count=y.size)
    return y
