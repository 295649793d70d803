"""PyTorch's default initial values."""

from math import prod, sqrt

import numpy as np

from mytorch.device import Array
from mytorch.random import default_generator


def default_weight(shape: tuple[int, ...], dtype: type | np.dtype | str) -> Array:
    """BandedMatrix (out, in, *kernel) of Conv and Linear: uniform within 1 / sqrt(fan in).

    That is Kaiming's uniform (He et al., arXiv 1502.01852) with a = sqrt(5), which PyTorch chose.
    """
    return uniform(shape, 1 / sqrt(prod(shape[1:])), dtype)


def default_bias(shape: tuple[int, ...], dtype: type | np.dtype | str, features: int | None = None) -> Array:
    """The bias of a layer whose weight has this shape: uniform within 1 / sqrt(fan in) too.

    It has as many `features` as the weight's first axis is long, where that is not given.
    """
    return uniform((features or shape[0],), 1 / sqrt(prod(shape[1:])), dtype)


def uniform(shape: tuple[int, ...], bound: float, dtype: type | np.dtype | str) -> Array:
    """Values between -bound and bound, each as likely as the other."""
    return default_generator().uniform(-bound, bound, shape).astype(dtype)
