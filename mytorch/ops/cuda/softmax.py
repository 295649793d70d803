"""Softmax and log-softmax on the GPU, one block of threads per row. See `mytorch.ops.softmax`."""

from math import prod

from mytorch.device import Array, get_array_module
from mytorch.ops.cuda.layout import contiguous
from mytorch.ops.cuda.loader import THREADS_PER_BLOCK, launch


def softmax(x: Array) -> Array:
    """As mytorch.ops.softmax.softmax."""
    return _rowwise("softmax", x)


def softmax_grad(grad: Array, y: Array) -> Array:
    """As mytorch.ops.softmax.softmax_grad."""
    return _rowwise("softmax_grad", grad, y)


def log_softmax(x: Array) -> Array:
    """As mytorch.ops.softmax.log_softmax."""
    return _rowwise("log_softmax", x)


def log_softmax_with_saved(x: Array) -> tuple[Array, Array]:
    """Return the log-softmax twice: the gradient uses it."""
    y = log_softmax(x)
    return y, y


def log_softmax_grad(grad: Array, saved: Array) -> Array:
    """As mytorch.ops.softmax.log_softmax_grad, from the log-softmax."""
    return _rowwise("log_softmax_grad", grad, saved)


def threads_per_row(columns: int) -> int:
    """Return a power of two, as the tree of sums needs, and not many more threads than columns."""
    return min(THREADS_PER_BLOCK, max(32, 1 << (columns - 1).bit_length()))


def _rowwise(kernel: str, *arrays: Array) -> Array:
    inputs = [contiguous(array) for array in arrays]
    y = get_array_module(inputs[0]).empty_like(inputs[0])
    columns = y.shape[-1]
    rows = prod(y.shape[:-1]) if columns else 0
    threads = threads_per_row(columns)
    launch("softmax", kernel, y, *inputs, y, rows, columns, count=rows, count_blocks=True, threads=threads)
    return y
