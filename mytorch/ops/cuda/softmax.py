"""Softmax and its logarithm on the GPU, a block of threads a row. See `mytorch.ops.softmax`."""

from math import prod

from mytorch.device import Array, get_array_module
from mytorch.ops.cuda.layout import contiguous
from mytorch.ops.cuda.loader import THREADS, launch


def softmax(x: Array) -> Array:
    """As mytorch.ops.softmax.softmax."""
    return _along_rows("softmax", x)


def softmax_grad(grad: Array, y: Array) -> Array:
    """As mytorch.ops.softmax.softmax_grad."""
    return _along_rows("softmax_grad", grad, y)


def log_softmax(x: Array) -> Array:
    """As mytorch.ops.softmax.log_softmax."""
    return _along_rows("log_softmax", x)


def log_softmax_with_saved(x: Array) -> tuple[Array, Array]:
    """log_softmax, and what log_softmax_grad takes: its result."""
    y = log_softmax(x)
    return y, y


def log_softmax_grad(grad: Array, saved: Array) -> Array:
    """As mytorch.ops.softmax.log_softmax_grad, with what log_softmax_with_saved saved."""
    return _along_rows("log_softmax_grad", grad, saved)


def row_threads(columns: int) -> int:
    """A power of two, for the tree: no more threads than columns need."""
    return min(THREADS, max(32, 1 << (columns - 1).bit_length()))


def _along_rows(kernel: str, *arrays: Array) -> Array:
    given = [contiguous(array) for array in arrays]
    y = get_array_module(given[0]).empty_like(given[0])
    columns = y.shape[-1]
    rows = prod(y.shape[:-1]) if columns else 0
    launch("softmax", kernel, y, *given, y, rows, columns, count=rows, blocks=True, threads=row_threads(columns))
    return y
