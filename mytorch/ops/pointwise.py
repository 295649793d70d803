"""Activations from a table: each is a function of one element and its derivative.

`Pointwise(value, derivative)` makes a forward and a gradient of two formulas, both computed in blocks that stay in the
cache. The same formulas run on CuPy arrays. The gradient needs x. At a kink the derivative is PyTorch's.

The more frequent activations, which have kernels of their own, are in `mytorch.ops.activation`.
"""

from collections.abc import Callable

import numpy as np

from mytorch.device import Array
from mytorch.ops.blockwise import elementwise

Formula = Callable[..., None]
"""A function (out, x, *settings) that fills `out`, an array of x's shape."""

SELU_ALPHA, SELU_SCALE = 1.6732632423543772848170429916717, 1.0507009873554804934193349852946
"""With them the activations of a network keep mean 0 and variance 1 (Klambauer et al., arXiv 1706.02515)."""


class Pointwise:
    """An activation: `forward(x, *settings)`, and `gradient(grad, x, *settings)` at x."""

    def __init__(self, value: Formula, derivative: Formula):
        def gradient(out: Array, grad: Array, x: Array, *settings: float) -> None:
            derivative(out, x, *settings)
            out *= grad

        self.forward, self.gradient = elementwise(value), elementwise(gradient)


def _hardtanh(out: Array, x: Array, low: float, high: float) -> None:
    """x, limited to low ... high."""
    np.clip(x, low, high, out=out)


def _hardtanh_derivative(out: Array, x: Array, low: float, high: float) -> None:
    out[...] = (x > low) & (x < high)


def _hardsigmoid(out: Array, x: Array) -> None:
    """A straight line from (-3, 0) to (3, 1)."""
    np.add(x, 3, out=out)
    np.clip(out, 0, 6, out=out)
    out /= 6


def _hardsigmoid_derivative(out: Array, x: Array) -> None:
    """1 / 6 between -3 and 3, rounded to float32 as in PyTorch, whose float64 gradients agree to all digits then."""
    out[...] = np.abs(x) < 3
    out *= float(np.float32(1 / 6))


def _hardswish(out: Array, x: Array) -> None:
    """x * hardsigmoid(x) (Howard et al., arXiv 1905.02244)."""
    np.add(x, 3, out=out)
    np.clip(out, 0, 6, out=out)
    out *= x
    out /= 6


def _hardswish_derivative(out: Array, x: Array) -> None:
    """x / 3 + 1 / 2 between -3 and 3, at the left 0, at the right 1."""
    np.divide(x, 3, out=out)
    out += 0.5
    out *= x > -3
    np.copyto(out, np.ones_like(out), where=x >= 3)


def _elu(out: Array, x: Array, alpha: float, scale: float, input_scale: float) -> None:
    """scale * x if x is positive, otherwise scale * alpha * (exp(input_scale * x) - 1)."""
    np.minimum(x, 0, out=out)
    out *= input_scale
    with np.errstate(over="ignore"):  # of CELU with a negative alpha, where infinity is right
        np.expm1(out, out=out)
    out *= alpha * scale
    out += scale * np.maximum(x, 0)


def _elu_derivative(out: Array, x: Array, alpha: float, scale: float, input_scale: float) -> None:
    np.minimum(x, 0, out=out)
    out *= input_scale
    with np.errstate(over="ignore"):
        np.exp(out, out=out)
    out *= alpha * scale * input_scale
    np.copyto(out, np.full_like(out, scale), where=x > 0)


def _softplus(out: Array, x: Array, beta: float, threshold: float) -> None:
    """log(1 + exp(beta x)) / beta, and x itself where beta x exceeds `threshold`."""
    np.multiply(x, beta, out=out)
    linear = out > threshold
    np.minimum(out, threshold, out=out)
    np.exp(out, out=out)
    np.log1p(out, out=out)
    out /= beta
    np.copyto(out, x, where=linear)


def _softplus_derivative(out: Array, x: Array, beta: float, threshold: float) -> None:
    """sigmoid(beta x), and 1 where the function is x itself."""
    np.multiply(x, beta, out=out)
    linear = out > threshold
    _sigmoid(out, out)
    np.copyto(out, np.ones_like(out), where=linear)


def _softsign(out: Array, x: Array) -> None:
    """x / (1 + |x|)."""
    np.abs(x, out=out)
    out += 1
    np.divide(x, out, out=out)


def _softsign_derivative(out: Array, x: Array) -> None:
    np.abs(x, out=out)
    out += 1
    np.divide(1, out, out=out)
    np.square(out, out=out)


def _mish(out: Array, x: Array) -> None:
    """x * tanh(log(1 + exp(x))) (Misra, arXiv 1908.08681)."""
    _tanh_of_softplus(out, x)
    out *= x


def _mish_derivative(out: Array, x: Array) -> None:
    """t + x * (1 - t^2) * sigmoid(x), where t = tanh(log(1 + exp(x)))."""
    gate = np.empty_like(out)
    _tanh_of_softplus(gate, x)
    _sigmoid(out, x)
    out *= x
    out *= 1 - gate * gate
    out += gate


def _tanh_of_softplus(out: Array, x: Array) -> None:
    """n / (n + 2) with n = e (e + 2) and e = exp(x). Where e^2 would overflow, the fraction is 1 anyway."""
    np.minimum(x, 40, out=out)
    np.exp(out, out=out)
    out *= out + 2
    out /= out + 2


def _log_sigmoid(out: Array, x: Array) -> None:
    """log(1 / (1 + exp(-x))), as min(x, 0) - log(1 + exp(-|x|))."""
    np.abs(x, out=out)
    np.negative(out, out=out)
    np.exp(out, out=out)
    np.log1p(out, out=out)
    np.subtract(np.minimum(x, 0), out, out=out)


def _log_sigmoid_derivative(out: Array, x: Array) -> None:
    """1 - sigmoid(x) = sigmoid(-x)."""
    np.negative(x, out=out)
    _sigmoid(out, out)


def _sigmoid(out: Array, x: Array) -> None:
    """1 / (1 + exp(-x)). Where the exponential overflows to infinity, the result is correctly zero."""
    np.negative(x, out=out)
    with np.errstate(over="ignore"):
        np.exp(out, out=out)
    out += 1
    np.divide(1, out, out=out)


def _threshold(out: Array, x: Array, threshold: float, value: float) -> None:
    """x where it exceeds `threshold`, otherwise `value`."""
    out[...] = x
    np.copyto(out, np.full_like(out, value), where=x <= threshold)


def _threshold_derivative(out: Array, x: Array, threshold: float, value: float) -> None:
    out[...] = x > threshold


def _tanhshrink(out: Array, x: Array) -> None:
    """x - tanh(x)."""
    np.tanh(x, out=out)
    np.subtract(x, out, out=out)


def _tanhshrink_derivative(out: Array, x: Array) -> None:
    np.tanh(x, out=out)
    np.square(out, out=out)


def _softshrink(out: Array, x: Array, lambd: float) -> None:
    """x moved towards zero by lambd, and zero where |x| is smaller."""
    np.clip(x, -lambd, lambd, out=out)
    np.subtract(x, out, out=out)


def _hardshrink(out: Array, x: Array, lambd: float) -> None:
    """x where |x| exceeds lambd, otherwise zero."""
    np.multiply(x, ~(np.abs(x) <= lambd), out=out)


def _shrink_derivative(out: Array, x: Array, lambd: float) -> None:
    out[...] = np.abs(x) > lambd


hardtanh = Pointwise(_hardtanh, _hardtanh_derivative)
hardsigmoid = Pointwise(_hardsigmoid, _hardsigmoid_derivative)
hardswish = Pointwise(_hardswish, _hardswish_derivative)
elu = Pointwise(_elu, _elu_derivative)
softplus = Pointwise(_softplus, _softplus_derivative)
softsign = Pointwise(_softsign, _softsign_derivative)
mish = Pointwise(_mish, _mish_derivative)
log_sigmoid = Pointwise(_log_sigmoid, _log_sigmoid_derivative)
threshold = Pointwise(_threshold, _threshold_derivative)
tanhshrink = Pointwise(_tanhshrink, _tanhshrink_derivative)
softshrink = Pointwise(_softshrink, _shrink_derivative)
hardshrink = Pointwise(_hardshrink, _shrink_derivative)
