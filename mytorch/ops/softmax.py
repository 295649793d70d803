"""Softmax and log-softmax along the last axis. No exponential overflows.

`log_softmax_with_saved` also returns what the gradient needs: on the CPU the softmax, whose exponentials are computed
anyway; on the GPU, where arithmetic costs little compared with memory traffic, the log-softmax itself.
"""

from collections.abc import Callable
from functools import wraps

import numpy as np

from mytorch.device import Array, cuda_implementation, is_cuda
from mytorch.geometry import empty
from mytorch.ops.blockwise import returning_signature
from mytorch.ops.cuda import softmax as cuda
from mytorch.threads import parallel_for

BYTES_MULTIPLIER = 4
"""Rows are split into chunks as if they were larger by this factor, because each of several steps reads them again."""


def _rowwise(function: Callable[..., None]) -> Callable[..., Array]:
    """Decorate `function(out, *arrays)`, which works row by row, so that it returns a new array, computed in chunks."""

    @wraps(function)
    def returning(*arrays: Array) -> Array:
        out = empty(arrays[0].shape, arrays[0])
        _call_on_rows(function, out, *arrays)
        return out

    vars(returning)["__signature__"] = returning_signature(function)
    return returning


def _call_on_rows(function: Callable[..., None], *arrays: Array) -> None:
    """Call `function(*arrays)`, which fills some of the arrays, on chunks of their rows."""
    x = arrays[0]
    if not x.size:
        return
    if is_cuda(x):
        function(*arrays)
        return
    matrices = [array.reshape(-1, x.shape[-1]) for array in arrays]
    parallel_over_rows(lambda chunk: function(*(matrix[chunk] for matrix in matrices)), matrices[0])


def parallel_over_rows(work: Callable[[slice], object], x: Array) -> None:
    """Call `work` on chunks of the rows of x (R, C), on several threads."""
    parallel_for(len(x), BYTES_MULTIPLIER * x.shape[-1] * x.itemsize, work)


@cuda_implementation(cuda.softmax)
@_rowwise
def softmax(out: Array, x: Array) -> None:
    """exp(x) / sum(exp(x)). A logit of minus infinity gives zero."""
    np.subtract(x, x.max(-1, keepdims=True), out=out)
    np.exp(out, out=out)
    out *= 1 / out.sum(-1, keepdims=True)


@cuda_implementation(cuda.softmax_grad)
@_rowwise
def softmax_grad(out: Array, grad: Array, y: Array) -> None:
    """Gradient of y = softmax(x) at x."""
    dot = np.matmul(grad[:, None], y[:, :, None])[:, 0]
    np.subtract(grad, dot, out=out)
    out *= y


@cuda_implementation(cuda.log_softmax)
@_rowwise
def log_softmax(out: Array, x: Array) -> None:
    """The logarithm of the softmax, precise even where the softmax is tiny."""
    np.subtract(x, x.max(-1, keepdims=True), out=out)
    out -= np.log(np.exp(out).sum(-1, keepdims=True))


@cuda_implementation(cuda.log_softmax_with_saved)
def log_softmax_with_saved(x: Array) -> tuple[Array, Array]:
    """Return the log-softmax and the softmax."""
    y, saved = empty(x.shape, x), empty(x.shape, x)
    _call_on_rows(_fill_log_softmax_and_softmax, y, saved, x)
    return y, saved


def _fill_log_softmax_and_softmax(y: Array, saved: Array, x: Array) -> None:
    np.subtract(x, x.max(-1, keepdims=True), out=y)
    np.exp(y, out=saved)
    total = saved.sum(-1, keepdims=True)
    y -= np.log(total)
    saved *= 1 / total


@cuda_implementation(cuda.log_softmax_grad)
@_rowwise
def log_softmax_grad(out: Array, grad: Array, saved: Array) -> None:
    """Gradient of log_softmax at x, from what log_softmax_with_saved saved."""
    np.multiply(saved, grad.sum(-1, keepdims=True), out=out)
    np.subtract(grad, out, out=out)
