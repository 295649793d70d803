"""Kernels by name, or as typed."""

from difflib import get_close_matches

import numpy as np

from experiments.errors import FacesError

KERNELS = {
    "edges": [[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]],
    "lines": [[-1, -2, -1], [0, 0, 0], [1, 2, 1]],
    "outline": [[0, -1, 0], [-1, 4, -1], [0, -1, 0]],
    "blur": [[1 / 9] * 3] * 3,
    "sharpen": [[0, -1, 0], [-1, 5, -1], [0, -1, 0]],
}
"""Upright edges (dark left of bright) and level lines (dark above bright), Laplace's outline, a mean, contrast."""

MAX_KERNEL_SIZE = 5


def kernel(text: str) -> np.ndarray:
    """A kernel (KH, KW) float32: a name, or rows of numbers such as "1,0,-1/2,0,-2/1,0,-1".

    Raises FacesError for another name, and for rows that are not numbers, or not as long as one another.
    """
    if text in KERNELS:
        return np.array(KERNELS[text], np.float32)
    if not any(sign.isdigit() for sign in text):
        near = get_close_matches(text, KERNELS, 1)
        hint = f"did you mean {near[0]}?" if near else "or rows of numbers, such as 1,0,-1/2,0,-2/1,0,-1"
        raise FacesError(f"--kernel {text}: expected one of {', '.join(KERNELS)}; {hint}")
    try:
        rows = [[float(number) for number in row.split(",")] for row in text.split("/")]
    except ValueError as error:
        raise FacesError(f"--kernel {text}: {error}; expected rows of numbers, such as 1,0,-1/2,0,-2/1,0,-1") from error
    if len({len(row) for row in rows}) > 1:
        raise FacesError(f"--kernel {text}: rows of {[len(row) for row in rows]} numbers; expected as many in each")
    if max(len(rows), len(rows[0])) > MAX_KERNEL_SIZE or not np.isfinite(rows).all():
        raise FacesError(f"--kernel {text}: expected finite numbers, at most {MAX_KERNEL_SIZE} rows and columns of them")
    return np.array(rows, np.float32)
