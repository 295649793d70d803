"""Power-average pooling and its gradient, over any number of spatial axes: the p-norm of each window.

x: (N, C, *size); y and grad: (N, C, *out). As in PyTorch, powers are those of the values themselves, not of their
magnitudes: an odd power keeps the sign, and a root of a negative sum may be NaN.
"""

from math import isinf, prod

import numpy as np

from mytorch.device import Array, get_array_module
from mytorch.geometry import Size
from mytorch.ops.pool import avg_pool, avg_pool_grad, max_pool, max_pool_grad


def lp_pool(x: Array, p: float, kernel: Size, stride: Size, ceil_mode: bool = False) -> Array:
    """Return (sum of x^p)^(1/p) of each window; with an infinite p the largest magnitude, or the least with minus that.

    The sum is the mean times the kernel's size, so a window that reaches outside with ceil_mode is weighted as a whole.
    """
    none = (0,) * len(kernel)
    if isinf(p):
        return _sign(p) * max_pool(_sign(p) * abs(x), kernel, stride, none, ceil_mode=ceil_mode)
    with np.errstate(invalid="ignore"):
        sums = avg_pool((x**p).astype(x.dtype), kernel, stride, none, ceil_mode) * x.dtype.type(prod(kernel))
        return (sums ** (1 / p)).astype(x.dtype)


def lp_pool_grad(grad: Array, x: Array, y: Array, p: float, kernel: Size, stride: Size) -> Array:
    """Return the gradient of y = lp_pool(x) at x: the sum of grad y^(1 - p) x^(p - 1); zero where y is zero."""
    xp, none = get_array_module(x), (0,) * len(kernel)
    if isinf(p):
        return xp.sign(x) * max_pool_grad(grad, _sign(p) * abs(x), _sign(p) * y, kernel, stride, none)
    with np.errstate(divide="ignore", invalid="ignore"):
        scaled = xp.where(y == 0, 0, grad * y ** (1 - p)).astype(x.dtype)
        back = avg_pool_grad(scaled, x.shape[2:], kernel, stride, none)
        return back * (prod(kernel) * x ** (p - 1)).astype(x.dtype)


def _sign(p: float) -> int:
    """Return 1 for a positive number, -1 for a negative one."""
    return 1 if p > 0 else -1
