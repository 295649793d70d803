"""Activations: elementwise functions and their gradients.

GELU and SiLU have two forward functions: the plain one, and `*_with_saved`, which also returns what the gradient needs.
On the CPU that is the derivative, half of which is computed anyway; on the GPU, where arithmetic costs little compared
with memory traffic, it is x itself.
"""

from math import pi, sqrt

import numpy as np

from mytorch.device import Array, cuda_implementation, get_array_module, is_cuda
from mytorch.geometry import parallel_over_images
from mytorch.ops.blockwise import elementwise, elementwise_pair
from mytorch.ops.cuda import activation as cuda
from mytorch.ops.reduce import column_sums, scale_channels
from mytorch.ops.special import normal_cdf
from mytorch.threads import parallel_for


@cuda_implementation(cuda.relu)
@elementwise
def relu(out: Array, x: Array) -> None:
    """max(x, 0); NaN stays NaN."""
    np.clip(x, 0, np.inf, out=out)  # faster in NumPy than `maximum` with a number


@cuda_implementation(cuda.relu_grad)
@elementwise
def relu_grad(out: Array, grad: Array, y: Array) -> None:
    """Gradient of y = relu(x) at x; zero where x is zero, as in PyTorch. y: the output, or `relu_mask` of it."""
    np.multiply(grad, (y > 0).astype(grad.dtype), out=out)


def relu_mask(y: Array) -> Array:
    """Where y = relu(x) is positive: all that `relu_grad` needs of it."""
    if is_cuda(y):
        return (y > 0).astype(y.dtype)  # our kernels take arrays of one dtype
    mask = np.empty_like(y, bool)

    def work(images: slice) -> None:
        np.greater(y[images], 0, out=mask[images])

    parallel_for(len(y) if y.ndim else 0, y[:1].nbytes if y.ndim else 0, work)
    return mask if y.ndim else y > 0


@elementwise
def add(out: Array, x: Array, other: Array) -> None:
    """x + other."""
    np.add(x, other, out=out)


@elementwise
def add_relu(out: Array, x: Array, other: Array) -> None:
    """max(x + other, 0)."""
    np.add(x, other, out=out)
    np.clip(out, 0, np.inf, out=out)


@cuda_implementation(cuda.leaky_relu)
@elementwise
def leaky_relu(out: Array, x: Array, slope: float) -> None:
    """x if it is positive, otherwise slope * x."""
    if 0 <= slope <= 1:
        np.multiply(x, slope, out=out)
        np.maximum(x, out, out=out)
    else:
        _leaky_derivative(out, x, slope)
        out *= x


@cuda_implementation(cuda.leaky_relu_grad)
@elementwise
def leaky_relu_grad(out: Array, grad: Array, x: Array, slope: float) -> None:
    """Gradient of leaky_relu at x; `slope` where x is zero, as in PyTorch."""
    _leaky_derivative(out, x, slope)
    out *= grad


@cuda_implementation(cuda.dropout)
def dropout(x: Array, mask: Array, scale: float) -> Array:
    """x * scale where `mask` is True, x * 0 elsewhere. The gradient is the same function of the gradient.

    mask: in the shape of x, or (N, C, 1, ...), one value for each channel of each image.
    """
    if mask.shape == x.shape:
        return _dropout(x, mask, scale)
    return scale_channels(x, mask.astype(x.dtype) * x.dtype.type(scale))


@elementwise
def _dropout(out: Array, x: Array, mask: Array, scale: float) -> None:
    np.copyto(out, mask)
    out *= scale
    out *= x


def _leaky_derivative(out: Array, x: Array, slope: float) -> None:
    """1 where x is positive, otherwise `slope`."""
    one, low = x.dtype.type(1), x.dtype.type(slope)
    np.copyto(out, x > 0)
    if 0 <= low <= 1:
        np.clip(out, low, one, out=out)
    else:
        out *= one - low
        out += low


@cuda_implementation(cuda.prelu)
@parallel_over_images
def prelu(x: Array, slope: Array) -> Array:
    """x if it is positive, otherwise slope * x. x (N, C, *), slope (C,); or slope (1,) for x of any shape."""
    return x * _prelu_derivative(x, slope)


@cuda_implementation(cuda.prelu_grad)
@parallel_over_images
def prelu_grad(grad: Array, x: Array, slope: Array) -> Array:
    """Gradient of prelu at x; `slope` where x is zero, as in PyTorch."""
    return grad * _prelu_derivative(x, slope)


@cuda_implementation(cuda.prelu_slope_grad)
def prelu_slope_grad(grad: Array, x: Array, slopes: int) -> Array:
    """Gradient of prelu at its slopes, (slopes,), where `slopes` is C or 1."""
    terms = grad * get_array_module(x).minimum(x, 0)
    rows = terms.reshape(-1, 1) if slopes == 1 else get_array_module(x).moveaxis(terms, 1, -1).reshape(-1, slopes)
    return column_sums(rows)


@cuda_implementation(cuda.sigmoid)
@elementwise
def sigmoid(out: Array, x: Array) -> None:
    """1 / (1 + exp(-x)); where the exponential overflows to infinity, the result is correctly zero."""
    _one_plus_exp_minus(out, x)
    np.divide(1, out, out=out)


@cuda_implementation(cuda.sigmoid_grad)
@elementwise
def sigmoid_grad(out: Array, grad: Array, y: Array) -> None:
    """Gradient of y = sigmoid(x) at x."""
    np.subtract(1, y, out=out)
    out *= y
    out *= grad


@cuda_implementation(cuda.tanh)
@elementwise
def tanh(out: Array, x: Array) -> None:
    """Hyperbolic tangent."""
    np.tanh(x, out=out)


@cuda_implementation(cuda.tanh_grad)
@elementwise
def tanh_grad(out: Array, grad: Array, y: Array) -> None:
    """Gradient of y = tanh(x) at x."""
    np.square(y, out=out)
    np.subtract(1, out, out=out)
    out *= grad


@cuda_implementation(cuda.silu)
@elementwise
def silu(out: Array, x: Array) -> None:
    """x * sigmoid(x) (Elfwing, Uchibe and Doya, arXiv 1702.03118)."""
    _one_plus_exp_minus(out, x)
    np.divide(x, out, out=out)


@cuda_implementation(cuda.silu_with_saved)
@elementwise_pair
def silu_with_saved(out: Array, saved: Array, x: Array) -> None:
    """y = silu(x), and its derivative g + y (1 - g), where g = sigmoid(x)."""
    _one_plus_exp_minus(saved, x)
    np.divide(1, saved, out=saved)
    np.multiply(x, saved, out=out)
    rest = 1 - saved
    rest *= out
    saved += rest


@cuda_implementation(cuda.silu_grad)
@elementwise
def silu_grad(out: Array, grad: Array, saved: Array) -> None:
    """Gradient of silu, from what silu_with_saved saved."""
    np.multiply(grad, saved, out=out)


@cuda_implementation(cuda.gelu)
@elementwise
def gelu(out: Array, x: Array) -> None:
    """x times the standard normal distribution function at x (Hendrycks and Gimpel, arXiv 1606.08415)."""
    np.multiply(x, normal_cdf(x), out=out)


@cuda_implementation(cuda.gelu_with_saved)
@elementwise_pair
def gelu_with_saved(out: Array, saved: Array, x: Array) -> None:
    """gelu(x), and its derivative: the normal distribution function, plus x times its density."""
    square = x * x
    cdf = normal_cdf(x, square)
    np.multiply(x, cdf, out=out)
    square *= -0.5
    np.exp(square, out=saved)
    saved *= x
    saved *= 1 / sqrt(2 * pi)
    saved += cdf


@cuda_implementation(cuda.gelu_grad)
@elementwise
def gelu_grad(out: Array, grad: Array, saved: Array) -> None:
    """Gradient of gelu, from what gelu_with_saved saved."""
    np.multiply(grad, saved, out=out)


@parallel_over_images
def gelu_tanh(x: Array) -> Array:
    """The approximation of gelu by x / 2 (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3)))."""
    return x * (1 + _gelu_gate(x)) / 2


@parallel_over_images
def gelu_tanh_grad(grad: Array, x: Array) -> Array:
    """Gradient of gelu_tanh at x."""
    gate = _gelu_gate(x)
    inner = sqrt(2 / pi) * (1 + 3 * 0.044715 * x * x)
    return grad * (1 + gate + x * (1 - gate * gate) * inner) / 2


def _one_plus_exp_minus(out: Array, x: Array) -> None:
    """1 + exp(-x)."""
    np.negative(x, out=out)
    with np.errstate(over="ignore"):
        np.exp(out, out=out)
    out += 1


def _gelu_gate(x: Array) -> Array:
    return get_array_module(x).tanh(sqrt(2 / pi) * (x + 0.044715 * x * x * x))


def _prelu_derivative(x: Array, slope: Array) -> Array:
    """1 where x is positive, otherwise the channel's slope."""
    positive = x > 0
    low = slope.reshape(()) if len(slope) == 1 else slope.reshape(-1, *(1,) * (x.ndim - 2))
    return positive + ~positive * low
