"""When two arrays agree: same shape, same NaNs and infinities, and a small relative error."""

from typing import Any

import numpy as np

from mytorch.testing import describe

LIMITS = {"float64": 1e-9, "float32": 1e-4}
"""The largest difference allowed, relative to the largest finite value of PyTorch's array."""
SMALL = {"float64": 1e-3, "float32": 1e-2}
"""Arrays whose largest value is smaller are compared with this: some gradients are rounding alone."""


def difference(ours: Any, theirs: np.ndarray, precision: str, batch: int = 1) -> str | None:
    """Return how `ours` differs from `theirs` in one line, or None if they agree."""
    ours = np.asarray(ours)
    if ours.shape != theirs.shape:
        return describe(ours, theirs, batch)
    if theirs.dtype.kind != "f":
        return None if np.array_equal(ours, theirs) else describe(ours.astype(float), theirs.astype(float), batch)
    finite = np.isfinite(theirs)
    same = np.array_equal(np.isfinite(ours), finite) and np.array_equal(ours[~finite], theirs[~finite], equal_nan=True)
    if same and not finite.any():
        return None
    if same:
        largest = max(float(np.abs(theirs[finite]).max()), SMALL[precision])
        if float(np.abs(ours[finite] - theirs[finite]).max()) <= LIMITS[precision] * largest:
            return None
    with np.errstate(all="ignore"):
        return describe(ours, theirs, batch)
