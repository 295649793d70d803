"""Activations: elementwise functions and their gradients."""

from math import pi, sqrt

from mytorch.device import Array, namespace, on_gpu
from mytorch.geometry import by_images
from mytorch.ops.cuda import activation as cuda
from mytorch.ops.special import erf
from mytorch.ops.sums import column_sums


@on_gpu(cuda.relu)
@by_images
def relu(x: Array) -> Array:
    """max(x, 0); NaN stays NaN."""
    return namespace(x).maximum(x, 0)


@on_gpu(cuda.relu_grad)
@by_images
def relu_grad(grad: Array, y: Array) -> Array:
    """Gradient of y = relu(x) at x; zero where x is zero, as in PyTorch."""
    return grad * (y > 0)


@on_gpu(cuda.leaky_relu)
@by_images
def leaky_relu(x: Array, slope: float) -> Array:
    """x where it is positive, slope * x elsewhere."""
    return x * _steepness(x, slope)


@on_gpu(cuda.leaky_relu_grad)
@by_images
def leaky_relu_grad(grad: Array, x: Array, slope: float) -> Array:
    """Gradient of leaky_relu at x; `slope` where x is zero, as in PyTorch."""
    return grad * _steepness(x, slope)


@on_gpu(cuda.drop)
@by_images
def drop(x: Array, kept: Array, scale: float) -> Array:
    """x * scale where `kept`, x * 0 elsewhere: dropout, and of a gradient its gradient."""
    return x * (kept * x.dtype.type(scale))


def _steepness(x: Array, slope: float) -> Array:
    """The derivative: 1 right of zero, `slope` at zero and left of it.

    By arithmetic and not by `where`, which forgets how x lies in memory. For slopes from 0 to 1 the 1 is exact.
    """
    one, low = x.dtype.type(1), x.dtype.type(slope)
    return (x > 0) * (one - low) + low


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
@by_images
def sigmoid(x: Array) -> Array:
    """1 / (1 + exp(-x)), from exp(-|x|), which cannot overflow."""
    xp = namespace(x)
    small = xp.exp(-xp.abs(x))
    return xp.maximum(small, x >= 0) / (1 + small)


@on_gpu(cuda.sigmoid_grad)
@by_images
def sigmoid_grad(grad: Array, y: Array) -> Array:
    """Gradient of y = sigmoid(x) at x."""
    return grad * y * (1 - y)


@on_gpu(cuda.tanh)
@by_images
def tanh(x: Array) -> Array:
    """Hyperbolic tangent."""
    return namespace(x).tanh(x)


@on_gpu(cuda.tanh_grad)
@by_images
def tanh_grad(grad: Array, y: Array) -> Array:
    """Gradient of y = tanh(x) at x."""
    return grad * (1 - y * y)


@on_gpu(cuda.silu)
@by_images
def silu(x: Array) -> Array:
    """x * sigmoid(x) (Elfwing, Uchibe and Doya, arXiv 1702.03118)."""
    return x * sigmoid(x)


@on_gpu(cuda.silu_grad)
@by_images
def silu_grad(grad: Array, x: Array) -> Array:
    """Gradient of silu at x."""
    gate = sigmoid(x)
    return grad * gate * (1 + x * (1 - gate))


@on_gpu(cuda.gelu)
@by_images
def gelu(x: Array) -> Array:
    """x times the normal distribution's share below x (Hendrycks and Gimpel, arXiv 1606.08415)."""
    return x * _normal_share(x)


@on_gpu(cuda.gelu_grad)
@by_images
def gelu_grad(grad: Array, x: Array) -> Array:
    """Gradient of gelu at x: the share below x, plus x times the density at x."""
    density = namespace(x).exp(-x * x / 2) / sqrt(2 * pi)
    return grad * (_normal_share(x) + x * density)


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


def _normal_share(x: Array) -> Array:
    return (1 + erf(x * sqrt(0.5))) / 2


def _gelu_gate(x: Array) -> Array:
    return namespace(x).tanh(sqrt(2 / pi) * (x + 0.044715 * x * x * x))


def _learned_steepness(x: Array, slope: Array) -> Array:
    """The derivative: 1 right of zero, the channel's slope at zero and left of it."""
    positive = x > 0
    low = slope if len(slope) == 1 else slope.reshape(-1, *(1,) * (x.ndim - 2))
    return positive + ~positive * low
