"""PyTorch's default initial values."""

from math import prod, sqrt

import numpy as np

from mytorch.device import Array
from mytorch.random import generator


def default_weight(shape: tuple[int, ...], dtype: type | np.dtype | str) -> Array:
    """Weights (out, in, *kernel) of Conv and Linear: uniform within 1 / sqrt(fan in).

    That is Kaiming's uniform (He et al., arXiv 1502.01852) with a = sqrt(5), which PyTorch chose.
    """
    return _uniform(shape, prod(shape[1:]), dtype)


def default_bias(shape: tuple[int, ...], dtype: type | np.dtype | str) -> Array:
    """The bias (out,) of a layer whose weight has this shape: uniform within 1 / sqrt(fan in) too."""
    return _uniform(shape[:1], prod(shape[1:]), dtype)


def _uniform(shape: tuple[int, ...], fan_in: int, dtype: type | np.dtype | str) -> Array:
    bound = 1 / sqrt(fan_in)
    return generator().uniform(-bound, bound, shape).astype(dtype)
