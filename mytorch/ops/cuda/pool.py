"""Pooling on the GPU. See `mytorch.ops.pool`."""

from mytorch.device import Array, get_array_module
from mytorch.geometry import Size, empty_channels_last, output_size, to_channels_last
from mytorch.ops.cuda.loader import launch, window


def max_pool(x: Array, kernel: Size, stride: Size, padding: Size) -> Array:
    """As mytorch.ops.pool.max_pool."""
    return _pool("max_pool", x, kernel, stride, padding)


def max_pool_grad(grad: Array, x: Array, y: Array, kernel: Size, stride: Size, padding: Size) -> Array:
    """As mytorch.ops.pool.max_pool_grad. `y` is not used: the winners are computed again, as an array of integers."""
    x, grad = to_channels_last(x), to_channels_last(grad)
    n, channels, *size = x.shape
    winner = empty_channels_last(grad.shape, get_array_module(x).empty(0, "i"))
    grad_x = empty_channels_last(x.shape, x)
    geometry = window(tuple(size), grad.shape[2:], kernel, stride, padding, (1,) * len(kernel))
    launch("pool", "max_pool_winner", x, x, winner, geometry, n, channels, count=winner.size)
    launch("pool", "max_pool_grad", x, grad, winner, grad_x, geometry, n, channels, count=x.size)
    return grad_x


def avg_pool(x: Array, kernel: Size, stride: Size, padding: Size) -> Array:
    """As mytorch.ops.pool.avg_pool."""
    return _pool("avg_pool", x, kernel, stride, padding)


def avg_pool_grad(grad: Array, size: Size, kernel: Size, stride: Size, padding: Size) -> Array:
    """As mytorch.ops.pool.avg_pool_grad."""
    grad = to_channels_last(grad)
    n, channels, *out = grad.shape
    grad_x = empty_channels_last((n, channels, *size), grad)
    geometry = window(tuple(size), tuple(out), kernel, stride, padding, (1,) * len(kernel))
    launch("pool", "avg_pool_grad", grad, grad, grad_x, geometry, n, channels, count=grad_x.size)
    return grad_x


def _pool(name: str, x: Array, kernel: Size, stride: Size, padding: Size) -> Array:
    x = to_channels_last(x)
    n, channels, *size = x.shape
    out = tuple(map(output_size, size, kernel, stride, padding))
    y = empty_channels_last((n, channels, *out), x)
    geometry = window(tuple(size), out, kernel, stride, padding, (1,) * len(kernel))
    launch("pool", name, x, x, y, geometry, n, channels, count=y.size)
    return y
