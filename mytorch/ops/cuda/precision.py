"""TF32 on request: matrix products on the GPU's tensor cores, several times faster and of 10 bits instead of 23.

Ampere and later (2020) can round the factors of a float32 product to TF32 and add up in float32: a relative error of
about 1e-3 where float32 has 1e-6. Off unless asked for, as PyTorch's `torch.backends.cuda.matmul.allow_tf32` is.
"""

import numpy as np

_allowed = False


def allow_tf32(allowed: bool) -> None:
    """Whether cuBLAS may round the factors of this process's float32 products. Our own kernels never do."""
    from cupy._core import _routines_linalg as products

    global _allowed
    products.set_compute_type(np.float32, products.COMPUTE_TYPE_TF32 if allowed else products.COMPUTE_TYPE_DEFAULT)
    _allowed = bool(allowed)


def tf32_allowed() -> bool:
    """Whether `allow_tf32` said so last; convolutions choose their way by it."""
    return _allowed
