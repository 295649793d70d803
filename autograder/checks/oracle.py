"""Correct values in float64: from PyTorch, by its own convolutions and differentiation.

An affine layer needs no PyTorch: NumPy computes it, and its derivatives are differences, which are exact.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from autograder.wire import Array

if TYPE_CHECKING:
    import torch

Tensors = dict[str, Any]
"""Arrays by name: PyTorch's, or NumPy's for an affine layer."""

Function = Callable[[Tensors], Any]


def draw(generator: np.random.Generator, *shape: int) -> Array:
    """Standard normal numbers."""
    return generator.standard_normal(shape)


def value(function: Function, inputs: Mapping[str, Array]) -> Array:
    """function(inputs)."""
    import torch

    with torch.no_grad():
        return _array(function({name: _tensor(array) for name, array in inputs.items()}))


def gradients(function: Function, inputs: Mapping[str, Array], upstream: Array) -> dict[str, Array]:
    """dL/d(each input), where dL/d(function's value) is `upstream`."""
    import torch

    tensors = {name: _tensor(array).requires_grad_() for name, array in inputs.items()}
    result = function(tensors)
    found = torch.autograd.grad(
        result, list(tensors.values()), _tensor(upstream).reshape(result.shape), allow_unused=True
    )
    return {
        name: np.zeros(inputs[name].shape) if gradient is None else _array(gradient)
        for name, gradient in zip(tensors, found, strict=True)
    }


def affine_gradients(function: Function, inputs: Mapping[str, Array], upstream: Array) -> dict[str, Array]:
    """As `gradients`, for a function that is affine in each input alone and takes NumPy arrays.

    Along each entry of an input the function is a line, so the difference between 1 and 0 there is its derivative.
    """
    found = {}
    for name, array in inputs.items():
        gradient, zeros = np.zeros(array.size), np.zeros(array.size)
        base = function({**inputs, name: zeros.reshape(array.shape)})
        for place in range(array.size):
            unit = zeros.copy()
            unit[place] = 1
            gradient[place] = ((function({**inputs, name: unit.reshape(array.shape)}) - base) * upstream).sum()
        found[name] = gradient.reshape(array.shape)
    return found


def convolve(
    A: torch.Tensor, W: torch.Tensor, b: torch.Tensor | None, stride: int = 1, padding: int = 0
) -> torch.Tensor:
    """PyTorch's correlation over one axis or two."""
    from torch.nn import functional as F

    return (F.conv1d if A.ndim == 3 else F.conv2d)(A, W, b, stride, padding)


def upsample(A: Any, factor: int) -> Any:
    """factor - 1 zeros between neighbors along every axis after the second, none after the last; of any array."""
    shape = (*A.shape[:2], *(factor * (size - 1) + 1 for size in A.shape[2:]))
    Z = np.zeros(shape) if isinstance(A, np.ndarray) else A.new_zeros(shape)
    Z[every(factor, A.ndim)] = A
    return Z


def every(step: int, axes: int, start: int = 0) -> tuple[slice, ...]:
    """An index that takes every step-th along every axis after the second."""
    return (slice(None), slice(None), *[slice(start, None, step)] * (axes - 2))


def calculate(function: Callable[..., torch.Tensor], *arrays: Array) -> Array:
    """function(*arrays), computed with tensors."""
    import torch

    with torch.no_grad():
        return _array(function(*map(_tensor, arrays)))


def pad(A: Array, before: int, after: int) -> Array:
    """Zeros around all axes after the second."""
    return np.pad(A, [(0, 0), (0, 0), *[(before, after)] * (A.ndim - 2)])


def flip(W: Array) -> Array:
    """Flipped along all axes after the second."""
    return np.flip(W, tuple(range(2, W.ndim))).copy()


def _tensor(array: Array) -> torch.Tensor:
    import torch

    return torch.from_numpy(np.array(array, dtype=np.float64))


def _array(tensor: torch.Tensor) -> Array:
    return tensor.detach().numpy().copy()


def sizes(shape: Sequence[int]) -> str:
    """A shape as reports show it."""
    return "×".join(map(str, shape)) if shape else "one number"
