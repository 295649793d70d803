"""Initial values of parameters: PyTorch's defaults."""

from math import prod, sqrt

import numpy as np

from mytorch.device import Array, to_device
from mytorch.nn.module import Parameter
from mytorch.random import default_generator

DType = type | np.dtype | str | None
"""What a layer takes as `dtype`: float32 or float64. None means float32, as in PyTorch."""


def floating_dtype(dtype: DType) -> np.dtype:
    """Return the dtype of parameters. Raises TypeError for another than float32 and float64."""
    found = np.dtype(np.float32 if dtype is None else dtype)
    if found not in (np.float32, np.float64):
        raise TypeError(f"dtype={dtype!r}: networks compute in float32 or float64; use one of them")
    return found


def on_device(values: Array, device: str | None, dtype: DType) -> Array:
    """Return values in `dtype` on `device`, "cpu" if None."""
    return to_device(np.asarray(values).astype(floating_dtype(dtype), copy=False), device or "cpu")


def parameter(values: Array, device: str | None, dtype: DType) -> Parameter:
    """Return a learned array of these values on `device`."""
    return Parameter(on_device(values, device, dtype))


def default_weight(shape: tuple[int, ...], dtype: DType) -> Array:
    """Return weights (out, in, *kernel) of Conv and Linear: uniform within 1 / sqrt(fan in).

    PyTorch computes them as kaiming_uniform_ with a=sqrt(5) (He et al., arXiv 1502.01852).
    """
    return uniform(shape, 1 / sqrt(max(1, prod(shape[1:]))), dtype)


def default_bias(shape: tuple[int, ...], dtype: DType, features: int | None = None) -> Array:
    """Return the bias of a layer whose weight has this shape: uniform within 1 / sqrt(fan in) too.

    features: its length, by default the first axis of the weight.
    """
    return uniform((features or shape[0],), 1 / sqrt(max(1, prod(shape[1:]))), dtype)


def uniform(shape: tuple[int, ...], bound: float, dtype: DType) -> Array:
    """Return values drawn uniformly from -bound to bound."""
    return default_generator().uniform(-bound, bound, shape).astype(floating_dtype(dtype))
