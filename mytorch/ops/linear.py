"""The affine map: y = x weight^T + bias, for x (*, in), weight (out, in), bias (out,).

A large weight is read once by each product, and threads take a share of its rows, or of its columns, each.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np

from mytorch.device import Array, on_cuda
from mytorch.geometry import fresh
from mytorch.memory import LEAST
from mytorch.ops.sums import column_sums
from mytorch.threads import get_num_threads, spread


def linear(x: Array, weight: Array, bias: Array | None) -> Array:
    """Returns y (*, out)."""
    if on_cuda(x):
        y = x @ weight.T
        return y if bias is None else y + bias
    rows = x.reshape(-1, x.shape[-1])
    y = fresh((len(rows), len(weight)), x)

    def work(some: slice) -> None:
        np.matmul(rows, weight[some].T, out=y[:, some])
        if bias is not None:
            y[:, some] += bias[some]

    _share(len(weight), weight, work)
    return y.reshape(*x.shape[:-1], len(weight))


def linear_input_grad(grad: Array, weight: Array) -> Array:
    """Gradient at the input, (*, in)."""
    if on_cuda(grad):
        return grad @ weight
    rows = grad.reshape(-1, grad.shape[-1])
    grad_x = fresh((len(rows), weight.shape[1]), grad)

    def work(some: slice) -> None:
        np.matmul(rows, weight[:, some], out=grad_x[:, some])

    _share(weight.shape[1], weight, work)
    return grad_x.reshape(*grad.shape[:-1], weight.shape[1])


def linear_weight_grad(grad: Array, x: Array) -> Array:
    """Gradient at the weight, (out, in), summed over all leading axes."""
    above, below = grad.reshape(-1, grad.shape[-1]), x.reshape(-1, x.shape[-1])
    if on_cuda(grad):
        return above.T @ below
    grad_weight = fresh((above.shape[1], below.shape[1]), grad)

    def work(some: slice) -> None:
        np.matmul(above[:, some].T, below, out=grad_weight[some])

    _share(above.shape[1], grad_weight, work)
    return grad_weight


def linear_bias_grad(grad: Array) -> Array:
    """Gradient at the bias, (out,)."""
    return column_sums(grad.reshape(-1, grad.shape[-1]))


def _share(count: int, weight: Array, work: Callable[[slice], None]) -> None:
    """`work` on a slice of range(count) for each thread; on all of it where the weight is small."""
    threads = get_num_threads() if weight.nbytes >= LEAST else 1

    def each(run: Sequence[slice]) -> None:
        for some in run:
            work(some)

    bounds = [count * i // threads for i in range(threads + 1)]
    spread([slice(a, b) for a, b in pairwise(bounds)], each)
