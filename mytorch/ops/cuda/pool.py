"""Pooling on the GPU. See `mytorch.ops.pool`."""

from math import prod

from mytorch.device import Array, get_array_module
from mytorch.geometry import Size, empty_channels_last, mean_weight, output_size, to_channels_last
from mytorch.ops.cuda.loader import launch, window


def max_pool(
    x: Array, kernel: Size, stride: Size, padding: Size, dilation: Size | None = None, ceil_mode: bool = False
) -> Array:
    """As mytorch.ops.pool.max_pool."""
    return _pool("max_pool", x, kernel, stride, padding, dilation, ceil_mode)


def max_pool_grad(
    grad: Array, x: Array, y: Array, kernel: Size, stride: Size, padding: Size, dilation: Size | None = None
) -> Array:
    """As mytorch.ops.pool.max_pool_grad. `y` is not used: the winners are computed again, as an array of integers."""
    x, grad = to_channels_last(x), to_channels_last(grad)
    n, channels, *size = x.shape
    winner = empty_channels_last(grad.shape, get_array_module(x).empty(0, "i"))
    grad_x = empty_channels_last(x.shape, x)
    geometry = window(tuple(size), grad.shape[2:], kernel, stride, padding, dilation or (1,) * len(kernel))
    launch("pool", "max_pool_winner", x, x, winner, geometry, n, channels, count=winner.size)
    launch("pool", "max_pool_grad", x, grad, winner, grad_x, geometry, n, channels, count=x.size)
    return grad_x


def avg_pool(
    x: Array,
    kernel: Size,
    stride: Size,
    padding: Size,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Array:
    """As mytorch.ops.pool.avg_pool."""
    y = _pool("avg_pool", x, kernel, stride, padding, None, ceil_mode)
    factor = _correction(y, x.shape[2:], kernel, stride, padding, count_include_pad, divisor_override)
    if factor is not None:
        y *= factor
    return y


def avg_pool_grad(
    grad: Array,
    size: Size,
    kernel: Size,
    stride: Size,
    padding: Size,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Array:
    """As mytorch.ops.pool.avg_pool_grad."""
    factor = _correction(grad, size, kernel, stride, padding, count_include_pad, divisor_override)
    grad = to_channels_last(grad if factor is None else grad * factor)
    n, channels, *out = grad.shape
    grad_x = empty_channels_last((n, channels, *size), grad)
    geometry = window(tuple(size), tuple(out), kernel, stride, padding, (1,) * len(kernel))
    launch("pool", "avg_pool_grad", grad, grad, grad_x, geometry, n, channels, count=grad_x.size)
    return grad_x


def _pool(
    name: str, x: Array, kernel: Size, stride: Size, padding: Size, dilation: Size | None, ceil_mode: bool
) -> Array:
    x, dilation = to_channels_last(x), dilation or (1,) * len(kernel)
    n, channels, *size = x.shape
    out = tuple(map(output_size, size, kernel, stride, padding, dilation, (ceil_mode,) * len(kernel)))
    y = empty_channels_last((n, channels, *out), x)
    geometry = window(tuple(size), out, kernel, stride, padding, dilation)
    launch("pool", name, x, x, y, geometry, n, channels, count=y.size)
    return y


def _correction(
    y: Array,
    size: Size,
    kernel: Size,
    stride: Size,
    padding: Size,
    count_include_pad: bool,
    divisor_override: int | None,
) -> Array | None:
    """Return what the means of the kernels, which divide by the whole window, must be multiplied by; None for 1."""
    weight = mean_weight(size, y.shape[2:], kernel, stride, padding, count_include_pad, divisor_override)
    if isinstance(weight, float) and weight == 1 / prod(kernel):
        return None
    return get_array_module(y).asarray(prod(kernel) * weight, y.dtype)
