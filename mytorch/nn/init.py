"""Initial values of parameters: PyTorch's defaults."""

from math import prod, sqrt

import numpy as np

from mytorch.device import Array
from mytorch.random import default_generator


def default_weight(shape: tuple[int, ...], dtype: type | np.dtype | str) -> Array:
    """Return weights (out, in, *kernel) of Conv and Linear: uniform within 1 / sqrt(fan in).

    PyTorch computes them as kaiming_uniform_ with a=sqrt(5) (He et al., arXiv 1502.01852).
    """
    return uniform(shape, 1 / sqrt(prod(shape[1:])), dtype)


def default_bias(shape: tuple[int, ...], dtype: type | np.dtype | str, features: int | None = None) -> Array:
    """Return the bias of a layer whose weight has this shape: uniform within 1 / sqrt(fan in) too.

    features: its length, by default the first axis of the weight.
    """
    return uniform((features or shape[0],), 1 / sqrt(prod(shape[1:])), dtype)


def uniform(shape: tuple[int, ...], bound: float, dtype: type | np.dtype | str) -> Array:
    """Return values drawn uniformly from -bound to bound."""
    return default_generator().uniform(-bound, bound, shape).astype(dtype)
