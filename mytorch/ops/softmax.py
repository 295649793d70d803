"""Softmax and its logarithm along the last axis; no exponential overflows."""

from collections.abc import Callable
from functools import wraps

import numpy as np

from mytorch.device import Array, on_cuda, on_gpu
from mytorch.geometry import fresh
from mytorch.ops.blockwise import signature_of_result
from mytorch.ops.cuda import softmax as cuda
from mytorch.threads import share

WORK = 4
"""So many times a row's own bytes stand for it when rows are parted, as every step goes over it again."""


def _by_rows(function: Callable[..., None]) -> Callable[..., Array]:
    """A decorator: `function(out, *arrays)`, row by row, returns a new array, done in parts that fit the cache."""

    @wraps(function)
    def whole(*arrays: Array) -> Array:
        x = arrays[0]
        out = fresh(x.shape, x)
        if on_cuda(x) or not x.size:
            function(out, *arrays)
            return out
        rows = [array.reshape(-1, x.shape[-1]) for array in (out, *arrays)]
        share_rows(lambda some: function(*(array[some] for array in rows)), rows[0])
        return out

    vars(whole)["__signature__"] = signature_of_result(function)
    return whole


def share_rows(work: Callable[[slice], object], x: Array) -> None:
    """Do `work` on parts of the rows of x (R, C), each of which goes through several steps."""
    share(len(x), WORK * x.shape[-1] * x.itemsize, work)


@on_gpu(cuda.softmax)
@_by_rows
def softmax(out: Array, x: Array) -> None:
    """exp(x), divided by its sum. A logit of minus infinity gives zero."""
    np.subtract(x, x.max(-1, keepdims=True), out=out)
    np.exp(out, out=out)
    out *= 1 / out.sum(-1, keepdims=True)


@on_gpu(cuda.softmax_grad)
@_by_rows
def softmax_grad(out: Array, grad: Array, y: Array) -> None:
    """Gradient of y = softmax(x) at x."""
    along = np.matmul(grad[:, None], y[:, :, None])[:, 0]
    np.subtract(grad, along, out=out)
    out *= y


@on_gpu(cuda.log_softmax)
@_by_rows
def log_softmax(out: Array, x: Array) -> None:
    """Logarithm of the softmax, which loses no digits where the softmax is tiny."""
    np.subtract(x, x.max(-1, keepdims=True), out=out)
    out -= np.log(np.exp(out).sum(-1, keepdims=True))


@on_gpu(cuda.log_softmax_grad)
@_by_rows
def log_softmax_grad(out: Array, grad: Array, y: Array) -> None:
    """Gradient of y = log_softmax(x) at x."""
    np.exp(y, out=out)
    out *= grad.sum(-1, keepdims=True)
    np.subtract(grad, out, out=out)
