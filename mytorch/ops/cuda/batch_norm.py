"""Batch normalization on the GPU: one kernel per pass over memory. See `mytorch.ops.batch_norm`."""

from mytorch.device import Array, get_array_module
from mytorch.geometry import empty_channels_last, to_channels_last, to_matrix
from mytorch.ops.cuda.activation import relu_grad
from mytorch.ops.cuda.layout import contiguous
from mytorch.ops.cuda.loader import launch
from mytorch.ops.cuda.reduce import combine_chunks, sum_chunks


def moments(x: Array) -> tuple[Array, Array]:
    """As mytorch.ops.batch_norm.moments, in one pass."""
    rows, xp = to_matrix(to_channels_last(x)), get_array_module(x)
    mean, var = (xp.empty(x.shape[1], x.dtype) for _ in range(2))
    partial = sum_chunks("batch_norm", "moment_sums", x, rows.shape, rows, sums=2)
    combine_chunks("batch_norm", "combine_moments", x, partial, rows, mean, var, len(rows))
    return mean, var


def batch_norm(
    x: Array, mean: Array, var: Array, weight: Array | None, bias: Array | None, eps: float, relu: bool = False
) -> Array:
    """As mytorch.ops.batch_norm.batch_norm."""
    x = to_channels_last(x)
    y, xp = empty_channels_last(x.shape, x), get_array_module(x)
    weight = xp.ones_like(mean) if weight is None else weight
    bias = xp.zeros_like(mean) if bias is None else bias
    vectors = map(contiguous, (mean, var, weight, bias))
    launch("batch_norm", "batch_norm", x, x, y, *vectors, float(eps), int(relu), x.size, x.shape[1], count=x.size)
    return y


def batch_norm_grad(
    grad: Array,
    x: Array,
    mean: Array,
    var: Array,
    weight: Array | None,
    eps: float,
    batch_statistics: bool,
    y: Array | None = None,
) -> tuple[Array, Array, Array]:
    """As mytorch.ops.batch_norm.batch_norm_grad: one pass for ReLU, one for all sums, one for the gradient at x."""
    grad = grad if y is None else relu_grad(grad, y)
    grad, x, xp = to_channels_last(grad), to_channels_last(x), get_array_module(x)
    mean, var = contiguous(mean), contiguous(var)
    weight = xp.ones_like(mean) if weight is None else contiguous(weight)
    rows = to_matrix(grad)
    partial = sum_chunks("batch_norm", "gradient_sums", x, rows.shape, rows, to_matrix(x), mean, sums=2)
    grad_weight, grad_bias, *through_statistics = (xp.empty_like(mean) for _ in range(4))
    numbers = (float(eps), int(batch_statistics), len(rows))
    outputs = (grad_weight, grad_bias, *through_statistics)
    combine_chunks("batch_norm", "combine_gradients", x, partial, var, *outputs, *numbers)
    grad_x = empty_channels_last(x.shape, x)
    arrays = (grad, x, grad_x, mean, var, weight, *through_statistics)
    launch("batch_norm", "batch_norm_grad", x, *arrays, float(eps), x.size, x.shape[1], count=x.size)
    return grad_x, grad_weight, grad_bias
