"""The affine map: y = x weight^T + bias, for x (*, in), weight (out, in), bias (out,).

A large weight is read once by each product. Each thread works on a part of its rows, or of its columns.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise
from math import prod

import numpy as np

from mytorch.device import Array, get_array_module, is_cuda
from mytorch.geometry import empty
from mytorch.memory import MIN_POOLED_BYTES
from mytorch.ops.reduce import column_sums
from mytorch.threads import get_num_threads, parallel_map


def linear(x: Array, weight: Array, bias: Array | None) -> Array:
    """Return y (*, out)."""
    if is_cuda(x):
        y = x @ weight.T
        return y if bias is None else y + bias
    rows = _rows(x)
    y = empty((len(rows), len(weight)), x)

    def work(part: slice) -> None:
        np.matmul(rows, weight[part].T, out=y[:, part])
        if bias is not None:
            y[:, part] += bias[part]

    _one_part_per_thread(len(weight), weight, work)
    return y.reshape(*x.shape[:-1], len(weight))


def linear_input_grad(grad: Array, weight: Array) -> Array:
    """Return the gradient at the input, (*, in)."""
    if is_cuda(grad):
        return grad @ weight
    rows = _rows(grad)
    grad_x = empty((len(rows), weight.shape[1]), grad)

    def work(part: slice) -> None:
        np.matmul(rows, weight[:, part], out=grad_x[:, part])

    _one_part_per_thread(weight.shape[1], weight, work)
    return grad_x.reshape(*grad.shape[:-1], weight.shape[1])


def linear_weight_grad(grad: Array, x: Array) -> Array:
    """Return the gradient at the weight, (out, in), summed over all leading axes."""
    grad_rows, x_rows = _rows(grad), _rows(x)
    if is_cuda(grad):
        return grad_rows.T @ x_rows
    grad_weight = empty((grad_rows.shape[1], x_rows.shape[1]), grad)

    def work(part: slice) -> None:
        np.matmul(grad_rows[:, part].T, x_rows, out=grad_weight[part])

    _one_part_per_thread(grad_rows.shape[1], grad_weight, work)
    return grad_weight


def linear_bias_grad(grad: Array) -> Array:
    """Return the gradient at the bias, (out,)."""
    return column_sums(_rows(grad))


def bilinear(x1: Array, x2: Array, weight: Array, bias: Array | None) -> Array:
    """Return sum_ij x1_i weight_kij x2_j + bias_k, (*, out), for x1 (*, in1), x2 (*, in2), weight (out, in1, in2)."""
    y = get_array_module(x1).einsum("...i,kij,...j->...k", x1, weight, x2, optimize=True)
    return y if bias is None else y + bias


def bilinear_weight_grad(grad: Array, x1: Array, x2: Array) -> Array:
    """Return the gradient at the weight, (out, in1, in2), summed over all leading axes."""
    rows = (_rows(array) for array in (grad, x1, x2))
    return get_array_module(x1).einsum("nk,ni,nj->kij", *rows, optimize=True)


def bilinear_input_grads(grad: Array, x1: Array, x2: Array, weight: Array) -> tuple[Array, Array]:
    """Return the gradients at both inputs, (*, in1) and (*, in2)."""
    einsum = get_array_module(x1).einsum
    grad_x1 = einsum("...k,kij,...j->...i", grad, weight, x2, optimize=True)
    return grad_x1, einsum("...k,kij,...i->...j", grad, weight, x1, optimize=True)


def _rows(x: Array) -> Array:
    """Return (*, features) as a matrix, of no features too."""
    return x.reshape(prod(x.shape[:-1]), x.shape[-1])


def _one_part_per_thread(count: int, weight: Array, work: Callable[[slice], None]) -> None:
    """Call `work` on one slice of range(count) for each thread, or on all of it if the weight is small."""
    threads = get_num_threads() if weight.nbytes >= MIN_POOLED_BYTES else 1

    def run_parts(run: Sequence[slice]) -> None:
        for part in run:
            work(part)

    bounds = [count * i // threads for i in range(threads + 1)]
    parallel_map([slice(start, stop) for start, stop in pairwise(bounds)], run_parts)
