"""Batch normalisation on the GPU: each pass over memory is one kernel. See `mytorch.ops.norm`."""

from mytorch.device import Array, namespace
from mytorch.geometry import channels_last, empty, flat
from mytorch.ops.cuda.activation import relu_grad
from mytorch.ops.cuda.layout import packed
from mytorch.ops.cuda.loader import launch
from mytorch.ops.cuda.sums import fold, partial_sums


def moments(x: Array) -> tuple[Array, Array]:
    """As mytorch.ops.norm.moments, in one pass."""
    rows, xp = flat(channels_last(x)), namespace(x)
    mean, var = (xp.empty(x.shape[1], x.dtype) for _ in range(2))
    partial = partial_sums("norm", "moment_sums", x, rows.shape, rows, sums=2)
    fold("norm", "fold_moments", x, partial, rows, mean, var, len(rows))
    return mean, var


def batch_norm(
    x: Array, mean: Array, var: Array, weight: Array | None, bias: Array | None, eps: float, relu: bool = False
) -> Array:
    """As mytorch.ops.norm.batch_norm."""
    x = channels_last(x)
    y, xp = empty(x.shape, x), namespace(x)
    weight = xp.ones_like(mean) if weight is None else weight
    bias = xp.zeros_like(mean) if bias is None else bias
    vectors = map(packed, (mean, var, weight, bias))
    launch("norm", "batch_norm", x, x, y, *vectors, float(eps), int(relu), x.size, x.shape[1], count=x.size)
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
    """As mytorch.ops.norm.batch_norm_grad: a pass back through ReLU, one for all sums, one for the gradient at x."""
    grad = grad if y is None else relu_grad(grad, y)
    grad, x, xp = channels_last(grad), channels_last(x), namespace(x)
    mean, var, weight = packed(mean), packed(var), xp.ones_like(mean) if weight is None else packed(weight)
    rows = flat(grad)
    partial = partial_sums("norm", "gradient_sums", x, rows.shape, rows, flat(x), mean, sums=2)
    grad_weight, grad_bias, *through = (xp.empty_like(mean) for _ in range(4))
    fold(
        "norm", "fold_gradients", x, partial, var, grad_weight, grad_bias, *through,
        float(eps), int(batch_statistics), len(rows),
    )  # fmt: skip
    grad_x = empty(x.shape, x)
    arrays = (grad, x, grad_x, mean, var, weight, *through)
    launch("norm", "batch_norm_grad", x, *arrays, float(eps), x.size, x.shape[1], count=x.size)
    return grad_x, grad_weight, grad_bias
