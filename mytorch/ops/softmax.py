"""Softmax and its logarithm along the last axis; no exponential overflows.

The logarithm comes twice: alone, and as `log_softmax_with_saved`, which hands its gradient what that needs. On the CPU
it is the softmax, whose exponentials are there already; on the GPU, where arithmetic is free beside the memory's time,
the logarithm itself.
"""

from collections.abc import Callable
from functools import wraps

import numpy as np

from mytorch.device import Array, cuda_implementation, is_cuda
from mytorch.geometry import empty
from mytorch.ops.blockwise import returning_signature
from mytorch.ops.cuda import softmax as cuda
from mytorch.threads import parallel_for

WORK = 4
"""So many times a row's own bytes stand for it when rows are parted, as every step goes over it again."""


def _by_rows(function: Callable[..., None]) -> Callable[..., Array]:
    """A decorator: `function(out, *arrays)`, row by row, returns a new array, done in parts that fit the cache."""

    @wraps(function)
    def whole(*arrays: Array) -> Array:
        out = empty(arrays[0].shape, arrays[0])
        _fill_rows(function, out, *arrays)
        return out

    vars(whole)["__signature__"] = returning_signature(function)
    return whole


def _fill_rows(function: Callable[..., None], *arrays: Array) -> None:
    """Do `function(*arrays)`, which fills some of them, on parts of their rows."""
    x = arrays[0]
    if not x.size:
        return
    if is_cuda(x):
        function(*arrays)
        return
    rows = [array.reshape(-1, x.shape[-1]) for array in arrays]
    parallel_over_rows(lambda some: function(*(array[some] for array in rows)), rows[0])


def parallel_over_rows(work: Callable[[slice], object], x: Array) -> None:
    """Do `work` on parts of the rows of x (R, C), each of which goes through several steps."""
    parallel_for(len(x), WORK * x.shape[-1] * x.itemsize, work)


@cuda_implementation(cuda.softmax)
@_by_rows
def softmax(out: Array, x: Array) -> None:
    """exp(x), divided by its sum. A logit of minus infinity gives zero."""
    np.subtract(x, x.max(-1, keepdims=True), out=out)
    np.exp(out, out=out)
    out *= 1 / out.sum(-1, keepdims=True)


@cuda_implementation(cuda.softmax_grad)
@_by_rows
def softmax_grad(out: Array, grad: Array, y: Array) -> None:
    """Gradient of y = softmax(x) at x."""
    along = np.matmul(grad[:, None], y[:, :, None])[:, 0]
    np.subtract(grad, along, out=out)
    out *= y


@cuda_implementation(cuda.log_softmax)
@_by_rows
def log_softmax(out: Array, x: Array) -> None:
    """Logarithm of the softmax, which loses no digits where the softmax is tiny."""
    np.subtract(x, x.max(-1, keepdims=True), out=out)
    out -= np.log(np.exp(out).sum(-1, keepdims=True))


@cuda_implementation(cuda.log_softmax_with_saved)
def log_softmax_with_saved(x: Array) -> tuple[Array, Array]:
    """log_softmax, and the softmax."""
    y, shares = empty(x.shape, x), empty(x.shape, x)
    _fill_rows(_log_softmax_twice, y, shares, x)
    return y, shares


def _log_softmax_twice(y: Array, shares: Array, x: Array) -> None:
    np.subtract(x, x.max(-1, keepdims=True), out=y)
    np.exp(y, out=shares)
    total = shares.sum(-1, keepdims=True)
    y -= np.log(total)
    shares *= 1 / total


@cuda_implementation(cuda.log_softmax_grad)
@_by_rows
def log_softmax_grad(out: Array, grad: Array, saved: Array) -> None:
    """Gradient of log_softmax at x; saved: what log_softmax_with_saved saved."""
    np.multiply(saved, grad.sum(-1, keepdims=True), out=out)
    np.subtract(grad, out, out=out)
