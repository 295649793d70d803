"""The affine map: y = x weight^T + bias, for x (*, in), weight (out, in), bias (out,)."""

from mytorch.device import Array
from mytorch.ops.sums import column_sums


def linear(x: Array, weight: Array, bias: Array | None) -> Array:
    """Returns y (*, out)."""
    y = x @ weight.T
    if bias is not None:
        y += bias
    return y


def linear_input_grad(grad: Array, weight: Array) -> Array:
    """Gradient at the input, (*, in)."""
    return grad @ weight


def linear_weight_grad(grad: Array, x: Array) -> Array:
    """Gradient at the weight, (out, in), summed over all leading axes."""
    return grad.reshape(-1, grad.shape[-1]).T @ x.reshape(-1, x.shape[-1])


def linear_bias_grad(grad: Array) -> Array:
    """Gradient at the bias, (out,)."""
    return column_sums(grad.reshape(-1, grad.shape[-1]))
