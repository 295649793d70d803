"""TF32: matrix products on the GPU's tensor cores, several times faster and with 10 bits of precision instead of 23.

Ampere GPUs (2020) and later can round the factors of a float32 product to TF32 and sum in float32. The relative error
is about 1e-3, where float32 has 1e-6. It is off by default, as torch.backends.cuda.matmul.allow_tf32 is.
"""

import numpy as np

_allowed = False


def allow_tf32(allowed: bool) -> None:
    """Allow or forbid cuBLAS to use TF32 for this process's float32 products. Our own kernels never do."""
    from cupy._core import _routines_linalg as products

    global _allowed
    products.set_compute_type(np.float32, products.COMPUTE_TYPE_TF32 if allowed else products.COMPUTE_TYPE_DEFAULT)
    _allowed = bool(allowed)


def tf32_allowed() -> bool:
    """Return True if TF32 is allowed. Convolutions choose their method by it."""
    return _allowed
