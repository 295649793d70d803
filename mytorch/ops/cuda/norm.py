"""Batch normalisation on the GPU. See `mytorch.ops.norm`."""

from mytorch.device import Array, namespace
from mytorch.geometry import channels_last, empty, flat
from mytorch.ops.cuda.layout import packed
from mytorch.ops.cuda.loader import launch
from mytorch.ops.cuda.sums import sums


def moments(x: Array) -> tuple[Array, Array]:
    """As mytorch.ops.norm.moments."""
    rows = flat(channels_last(x))
    exact_mean, mean = sums("row_sums", rows, count=len(rows))
    return mean, sums("square_sums", rows, exact_mean, count=len(rows))[1]


def batch_norm(x: Array, mean: Array, var: Array, weight: Array | None, bias: Array | None, eps: float) -> Array:
    """As mytorch.ops.norm.batch_norm."""
    x = channels_last(x)
    y, xp = empty(x.shape, x), namespace(x)
    weight = xp.ones_like(mean) if weight is None else weight
    bias = xp.zeros_like(mean) if bias is None else bias
    vectors = map(packed, (mean, var, weight, bias))
    launch("norm", "batch_norm", x, x, y, *vectors, float(eps), x.size, x.shape[1], count=x.size)
    return y


def batch_norm_grad(
    grad: Array, x: Array, mean: Array, var: Array, weight: Array | None, eps: float, batch_statistics: bool
) -> tuple[Array, Array, Array]:
    """As mytorch.ops.norm.batch_norm_grad."""
    grad, x, xp = channels_last(grad), channels_last(x), namespace(x)
    mean, var, weight = packed(mean), packed(var), xp.ones_like(mean) if weight is None else packed(weight)
    rows = flat(grad)
    mean_grad, grad_bias = sums("row_sums", rows, count=1)
    mean_product, grad_scale = sums("product_sums", rows, flat(x), mean, count=1)
    if batch_statistics:
        through = (mean_grad / len(rows)).astype(x.dtype), (mean_product / len(rows)).astype(x.dtype)
    else:
        through = xp.zeros_like(mean), xp.zeros_like(mean)
    grad_x = empty(x.shape, x)
    arrays = (grad, x, grad_x, mean, var, weight, *through)
    launch("norm", "batch_norm_grad", x, *arrays, float(eps), x.size, x.shape[1], count=x.size)
    return grad_x, grad_scale / (var + eps) ** 0.5, grad_bias
