"""Activations: elementwise functions and their gradients.

GELU and SiLU come twice: alone, and "keeping", handing their gradient what that needs. On the CPU it is the derivative,
as half of it is there already; on the GPU, where arithmetic is free beside the memory's time, x itself.
"""

from math import pi, sqrt

import numpy as np

from mytorch.device import Array, namespace, on_gpu
from mytorch.geometry import by_images
from mytorch.ops.blockwise import elementwise, elementwise_twice
from mytorch.ops.channel_sums import scaled
from mytorch.ops.cuda import activation as cuda
from mytorch.ops.special import normal_share
from mytorch.ops.sums import column_sums


@on_gpu(cuda.relu)
@elementwise
def relu(out: Array, x: Array) -> None:
    """max(x, 0); NaN stays NaN."""
    np.clip(x, 0, np.inf, out=out)  # in NumPy quicker than `maximum` with a number


@on_gpu(cuda.relu_grad)
@elementwise
def relu_grad(out: Array, grad: Array, y: Array) -> None:
    """Gradient of y = relu(x) at x; zero where x is zero, as in PyTorch."""
    np.multiply(grad, (y > 0).astype(y.dtype), out=out)


@elementwise
def add(out: Array, x: Array, other: Array) -> None:
    """x + other."""
    np.add(x, other, out=out)


@elementwise
def add_relu(out: Array, x: Array, other: Array) -> None:
    """max(x + other, 0)."""
    np.add(x, other, out=out)
    np.clip(out, 0, np.inf, out=out)


@on_gpu(cuda.leaky_relu)
@elementwise
def leaky_relu(out: Array, x: Array, slope: float) -> None:
    """x where it is positive, slope * x elsewhere."""
    if 0 <= slope <= 1:
        np.multiply(x, slope, out=out)
        np.maximum(x, out, out=out)
    else:
        _steepness(out, x, slope)
        out *= x


@on_gpu(cuda.leaky_relu_grad)
@elementwise
def leaky_relu_grad(out: Array, grad: Array, x: Array, slope: float) -> None:
    """Gradient of leaky_relu at x; `slope` where x is zero, as in PyTorch."""
    _steepness(out, x, slope)
    out *= grad


@on_gpu(cuda.drop)
def drop(x: Array, kept: Array, scale: float) -> Array:
    """x * scale where `kept`, x * 0 elsewhere: dropout, and of a gradient its gradient.

    kept: of the shape of x, or (N, C, 1, ...), one for each channel of each image.
    """
    if kept.shape == x.shape:
        return _drop(x, kept, scale)
    return scaled(x, kept.astype(x.dtype) * x.dtype.type(scale))


@elementwise
def _drop(out: Array, x: Array, kept: Array, scale: float) -> None:
    np.copyto(out, kept)
    out *= scale
    out *= x


def _steepness(out: Array, x: Array, slope: float) -> None:
    """The derivative: 1 right of zero, `slope` at zero and left of it."""
    one, low = x.dtype.type(1), x.dtype.type(slope)
    np.copyto(out, x > 0)
    if 0 <= low <= 1:
        np.clip(out, low, one, out=out)
    else:
        out *= one - low
        out += low


@on_gpu(cuda.prelu)
@by_images
def prelu(x: Array, slope: Array) -> Array:
    """x where it is positive, slope * x elsewhere; x (N, C, *), slope (C,), or (1,) for x of any shape."""
    return x * _learned_steepness(x, slope)


@on_gpu(cuda.prelu_grad)
@by_images
def prelu_grad(grad: Array, x: Array, slope: Array) -> Array:
    """Gradient of prelu at x; `slope` where x is zero, as in PyTorch."""
    return grad * _learned_steepness(x, slope)


@on_gpu(cuda.prelu_slope_grad)
def prelu_slope_grad(grad: Array, x: Array, slopes: int) -> Array:
    """Gradient of prelu at its `slopes` slopes, (C,) or (1,)."""
    terms = grad * namespace(x).minimum(x, 0)
    rows = terms.reshape(-1, 1) if slopes == 1 else namespace(x).moveaxis(terms, 1, -1).reshape(-1, slopes)
    return column_sums(rows)


@on_gpu(cuda.sigmoid)
@elementwise
def sigmoid(out: Array, x: Array) -> None:
    """1 / (1 + exp(-x)); where the exponential overflows to infinity, zero is right."""
    _one_and_power(out, x)
    np.divide(1, out, out=out)


@on_gpu(cuda.sigmoid_grad)
@elementwise
def sigmoid_grad(out: Array, grad: Array, y: Array) -> None:
    """Gradient of y = sigmoid(x) at x."""
    np.subtract(1, y, out=out)
    out *= y
    out *= grad


@on_gpu(cuda.tanh)
@elementwise
def tanh(out: Array, x: Array) -> None:
    """Hyperbolic tangent."""
    np.tanh(x, out=out)


@on_gpu(cuda.tanh_grad)
@elementwise
def tanh_grad(out: Array, grad: Array, y: Array) -> None:
    """Gradient of y = tanh(x) at x."""
    np.square(y, out=out)
    np.subtract(1, out, out=out)
    out *= grad


@on_gpu(cuda.silu)
@elementwise
def silu(out: Array, x: Array) -> None:
    """x * sigmoid(x) (Elfwing, Uchibe and Doya, arXiv 1702.03118)."""
    _one_and_power(out, x)
    np.divide(x, out, out=out)


@on_gpu(cuda.silu_keeping)
@elementwise_twice
def silu_keeping(out: Array, beside: Array, x: Array) -> None:
    """y = silu(x), and the derivative that silu_grad takes: with g = sigmoid(x), g + y (1 - g)."""
    _one_and_power(beside, x)
    np.divide(1, beside, out=beside)
    np.multiply(x, beside, out=out)
    rest = 1 - beside
    rest *= out
    beside += rest


@on_gpu(cuda.silu_grad)
@elementwise
def silu_grad(out: Array, grad: Array, kept: Array) -> None:
    """Gradient of silu, with what silu_keeping kept."""
    np.multiply(grad, kept, out=out)


@on_gpu(cuda.gelu)
@elementwise
def gelu(out: Array, x: Array) -> None:
    """x times the normal distribution's share below x (Hendrycks and Gimpel, arXiv 1606.08415)."""
    np.multiply(x, normal_share(x), out=out)


@on_gpu(cuda.gelu_keeping)
@elementwise_twice
def gelu_keeping(out: Array, beside: Array, x: Array) -> None:
    """gelu, and the derivative that gelu_grad takes: the share below x, plus x times the density at x."""
    square = x * x
    share = normal_share(x, square)
    np.multiply(x, share, out=out)
    square *= -0.5
    np.exp(square, out=beside)
    beside *= x
    beside *= 1 / sqrt(2 * pi)
    beside += share


@on_gpu(cuda.gelu_grad)
@elementwise
def gelu_grad(out: Array, grad: Array, kept: Array) -> None:
    """Gradient of gelu, with what gelu_keeping kept."""
    np.multiply(grad, kept, out=out)


@by_images
def gelu_tanh(x: Array) -> Array:
    """The approximation of gelu by x / 2 (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3)))."""
    return x * (1 + _gelu_gate(x)) / 2


@by_images
def gelu_tanh_grad(grad: Array, x: Array) -> Array:
    """Gradient of gelu_tanh at x."""
    gate = _gelu_gate(x)
    inner = sqrt(2 / pi) * (1 + 3 * 0.044715 * x * x)
    return grad * (1 + gate + x * (1 - gate * gate) * inner) / 2


def _one_and_power(out: Array, x: Array) -> None:
    """1 + exp(-x)."""
    np.negative(x, out=out)
    with np.errstate(over="ignore"):
        np.exp(out, out=out)
    out += 1


def _gelu_gate(x: Array) -> Array:
    return namespace(x).tanh(sqrt(2 / pi) * (x + 0.044715 * x * x * x))


def _learned_steepness(x: Array, slope: Array) -> Array:
    """The derivative: 1 right of zero, the channel's slope at zero and left of it."""
    positive = x > 0
    low = slope if len(slope) == 1 else slope.reshape(-1, *(1,) * (x.ndim - 2))
    return positive + ~positive * low
