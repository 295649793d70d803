"""Pooling on the GPU. See `mytorch.ops.pool`."""

from mytorch.device import Array, namespace
from mytorch.geometry import Size, channels_last, empty, output_size
from mytorch.ops.cuda.loader import launch, window


def max_pool(x: Array, kernel: Size, stride: Size, padding: Size) -> Array:
    """As mytorch.ops.pool.max_pool."""
    return _pooled("max_pool", x, kernel, stride, padding)


def max_pool_grad(grad: Array, x: Array, y: Array, kernel: Size, stride: Size, padding: Size) -> Array:
    """As mytorch.ops.pool.max_pool_grad. `y` is not needed: who won is found again, as an array of whole numbers."""
    x, grad = channels_last(x), channels_last(grad)
    n, channels, *size = x.shape
    winner = empty(grad.shape, namespace(x).empty(0, "i"))
    grad_x = empty(x.shape, x)
    geometry = window(tuple(size), grad.shape[2:], kernel, stride, padding, (1,) * len(kernel))
    launch("pool", "max_pool_winner", x, x, winner, geometry, n, channels, count=winner.size)
    launch("pool", "max_pool_grad", x, grad, winner, grad_x, geometry, n, channels, count=x.size)
    return grad_x


def avg_pool(x: Array, kernel: Size, stride: Size, padding: Size) -> Array:
    """As mytorch.ops.pool.avg_pool."""
    return _pooled("avg_pool", x, kernel, stride, padding)


def avg_pool_grad(grad: Array, size: Size, kernel: Size, stride: Size, padding: Size) -> Array:
    """As mytorch.ops.pool.avg_pool_grad."""
    grad = channels_last(grad)
    n, channels, *out = grad.shape
    grad_x = empty((n, channels, *size), grad)
    geometry = window(tuple(size), tuple(out), kernel, stride, padding, (1,) * len(kernel))
    launch("pool", "avg_pool_grad", grad, grad, grad_x, geometry, n, channels, count=grad_x.size)
    return grad_x


def _pooled(name: str, x: Array, kernel: Size, stride: Size, padding: Size) -> Array:
    x = channels_last(x)
    n, channels, *size = x.shape
    out = tuple(map(output_size, size, kernel, stride, padding))
    y = empty((n, channels, *out), x)
    geometry = window(tuple(size), out, kernel, stride, padding, (1,) * len(kernel))
    launch("pool", name, x, x, y, geometry, n, channels, count=y.size)
    return y
