"""Activations, dropout and biases on the GPU. See `mytorch.ops.activation`."""

from typing import Any

from mytorch.device import Array, get_array_module
from mytorch.geometry import to_channels_last
from mytorch.ops.cuda.layout import contiguous, dense, match_layout
from mytorch.ops.cuda.loader import launch
from mytorch.ops.cuda.reduce import combine_chunks, sum_chunks


def relu(x: Array) -> Array:
    """As mytorch.ops.activation.relu."""
    return _elementwise("relu", x)


def relu_grad(grad: Array, y: Array) -> Array:
    """As mytorch.ops.activation.relu_grad."""
    return _elementwise("relu_grad", y, grad)


def leaky_relu(x: Array, slope: float) -> Array:
    """As mytorch.ops.activation.leaky_relu."""
    return _elementwise("leaky_relu", x, None, float(slope))


def leaky_relu_grad(grad: Array, x: Array, slope: float) -> Array:
    """As mytorch.ops.activation.leaky_relu_grad."""
    return _elementwise("leaky_relu_grad", x, grad, float(slope))


def sigmoid(x: Array) -> Array:
    """As mytorch.ops.activation.sigmoid."""
    return _elementwise("sigmoid", x)


def sigmoid_grad(grad: Array, y: Array) -> Array:
    """As mytorch.ops.activation.sigmoid_grad."""
    return _elementwise("sigmoid_grad", y, grad)


def tanh(x: Array) -> Array:
    """As mytorch.ops.activation.tanh."""
    return _elementwise("hyperbolic_tangent", x)


def tanh_grad(grad: Array, y: Array) -> Array:
    """As mytorch.ops.activation.tanh_grad."""
    return _elementwise("hyperbolic_tangent_grad", y, grad)


def gelu(x: Array) -> Array:
    """As mytorch.ops.activation.gelu."""
    return _elementwise("gelu", x)


def gelu_with_saved(x: Array) -> tuple[Array, Array]:
    """Return gelu(x), and x for the gradient."""
    return gelu(x), x


def gelu_grad(grad: Array, saved: Array) -> Array:
    """Return the gradient of gelu at x, which was saved."""
    return _elementwise("gelu_grad", saved, grad)


def silu(x: Array) -> Array:
    """As mytorch.ops.activation.silu."""
    return _elementwise("silu", x)


def silu_with_saved(x: Array) -> tuple[Array, Array]:
    """Return silu(x), and x for the gradient."""
    return silu(x), x


def silu_grad(grad: Array, saved: Array) -> Array:
    """Return the gradient of silu at x, which was saved."""
    return _elementwise("silu_grad", saved, grad)


def prelu(x: Array, slope: Array) -> Array:
    """As mytorch.ops.activation.prelu."""
    x, slope = to_channels_last(x), contiguous(slope)
    y = get_array_module(x).empty_like(x)
    launch("elementwise", "prelu", x, x, slope, y, x.size, x.shape[1], len(slope), count=x.size)
    return y


def prelu_grad(grad: Array, x: Array, slope: Array) -> Array:
    """As mytorch.ops.activation.prelu_grad."""
    x, slope = to_channels_last(x), contiguous(slope)
    grad, grad_x = match_layout(x, grad), get_array_module(x).empty_like(x)
    launch("elementwise", "prelu_grad", x, grad, x, slope, grad_x, x.size, x.shape[1], len(slope), count=x.size)
    return grad_x


def prelu_slope_grad(grad: Array, x: Array, slopes: int) -> Array:
    """As mytorch.ops.activation.prelu_slope_grad."""
    x = to_channels_last(x)
    grad_slope = get_array_module(x).empty(slopes, x.dtype)
    shape = (x.size // slopes, slopes)
    partial = sum_chunks("batch_norm", "prelu_slope_sums", x, shape, match_layout(x, grad), x)
    combine_chunks("batch_norm", "combine_sums", x, partial, grad_slope)
    return grad_slope


def dropout(x: Array, mask: Array, scale: float) -> Array:
    """As mytorch.ops.activation.dropout, with a mask in the shape of x."""
    return _elementwise("dropout", x, mask, float(scale))


def add_bias(y: Array, bias: Array) -> None:
    """Add `bias` (C,) to `y` (N, C, *), which is channels last, in place."""
    launch("elementwise", "add_bias", y, y, contiguous(bias), y.size, len(bias), count=y.size)


def _elementwise(kernel: str, x: Array, other: Array | None = None, *numbers: Any) -> Array:
    """Launch `kernel` on every element of `x` and `other`. Gradient kernels take the gradient (`other`) before x."""
    x = dense(x)
    y = get_array_module(x).empty_like(x)
    arrays = (x,) if other is None else (match_layout(x, other), x)
    arrays = arrays[::-1] if kernel == "dropout" else arrays
    launch("elementwise", kernel, y, *arrays, y, *numbers, y.size, count=y.size)
    return y
