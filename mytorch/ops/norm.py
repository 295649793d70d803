"""Batch normalisation over any number of spatial axes (Ioffe and Szegedy, arXiv 1502.03167).

x, y, grad: (N, C, *size); weight, bias, mean, var: (C,). Each channel is normalised over images and positions.
"""

from mytorch.device import Array, on_gpu
from mytorch.geometry import channels_last, flat
from mytorch.ops.cuda import norm as cuda
from mytorch.ops.sums import column_sums


@on_gpu(cuda.moments)
def moments(x: Array) -> tuple[Array, Array]:
    """Mean and biased variance of each channel. Two passes: the difference of large squares would lose digits."""
    rows = flat(x)
    mean = column_sums(rows) / len(rows)
    centred = rows - mean
    centred *= centred
    return mean, column_sums(centred) / len(rows)


@on_gpu(cuda.batch_norm)
def batch_norm(x: Array, mean: Array, var: Array, weight: Array | None, bias: Array | None, eps: float) -> Array:
    """(x - mean) / sqrt(var + eps) * weight + bias."""
    y = x - _channelwise(mean, x)
    y *= _channelwise(_scale(var, weight, eps), x)
    if bias is not None:
        y += _channelwise(bias, x)
    return y


@on_gpu(cuda.batch_norm_grad)
def batch_norm_grad(
    grad: Array, x: Array, mean: Array, var: Array, weight: Array | None, eps: float, batch_statistics: bool
) -> tuple[Array, Array, Array]:
    """Gradients at x, weight and bias.

    With `batch_statistics`, mean and var are functions of x and take part; else they are constants (evaluation).
    """
    grad = channels_last(grad)
    centred = x - _channelwise(mean, x)
    grad_bias = column_sums(flat(grad))
    grad_scale = column_sums(flat(grad * centred))
    scale = _scale(var, weight, eps)
    grad_weight = grad_scale / (var + eps) ** 0.5
    if not batch_statistics:
        return grad * _channelwise(scale, x), grad_weight, grad_bias
    count = len(flat(x))
    centred *= _channelwise(grad_scale / (count * (var + eps)), x)
    centred += _channelwise(grad_bias / count, x)
    grad_x = grad - centred
    grad_x *= _channelwise(scale, x)
    return grad_x, grad_weight, grad_bias


def _scale(var: Array, weight: Array | None, eps: float) -> Array:
    deviation = (var + eps) ** 0.5
    return 1 / deviation if weight is None else weight / deviation


def _channelwise(vector: Array, x: Array) -> Array:
    """(C,) as (1, C, 1, ...), which broadcasts over images and positions of x."""
    return vector.reshape(1, -1, *(1,) * (x.ndim - 2))
