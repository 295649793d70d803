"""The distance of a layer from PyTorch, and of its backward from the derivative of its forward."""

import warnings
from copy import deepcopy
from typing import Any

import numpy as np
import torch

from models.twin import twin
from mytorch import gradcheck
from mytorch.random import seeded
from tests.gradients.cases import Case

SMALL = {np.float64: 1e-3, np.float32: 1e-2}
"""Smaller gradients are compared with this: that of a bias before a normalization is only rounding."""


def against_pytorch(case: Case, dtype: type, seed: int) -> dict[str, float]:
    """Return the relative error of the output, of the gradient at the input ("input") and at each parameter.

    The largest |ours - theirs| / the largest |theirs|, over all elements of an array. PyTorch computes in float64 from
    the same numbers: its own float32 is up to 5e-4 off where a gradient nearly cancels, which would hide our errors.
    """
    layer = deepcopy(case.layer).to(dtype).train(case.training)
    x = _laid_out(case.x, dtype)
    others = [other.astype(dtype) if other.dtype.kind == "f" else other for other in case.others]
    theirs = twin(layer).double()
    tensor = torch.tensor(np.ascontiguousarray(x), dtype=torch.float64, requires_grad=True)
    with seeded(seed):
        y = layer(x, *others)
    grad = np.asarray(np.random.default_rng(seed).standard_normal(np.shape(y)), dtype)
    back = layer.backward() if isinstance(y, float) else layer.backward(grad)
    tensors = [_exact(other) for other in others]
    if isinstance(back, tuple):  # of gradients at further inputs
        tensors = [other.requires_grad_() for other in tensors]
    if case.random:
        with seeded(seed):
            offset = deepcopy(layer)(np.zeros_like(x))
        with seeded(seed):
            factor = deepcopy(layer)(np.ones_like(x)) - offset
        expected = tensor * _exact(factor) + _exact(offset)
    else:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "reduction: 'mean' divides the total loss")  # of KLDivLoss
            expected = theirs(tensor, *tensors)
    expected.backward(None if isinstance(y, float) else _exact(grad))
    backs = back if isinstance(back, tuple) else (back,)
    assert {*(back.dtype for back in backs), *(parameter.grad.dtype for parameter in layer.parameters())} == {
        np.dtype(dtype)
    }
    errors = {"output": _error(np.asarray(y, dtype), expected, 0), "input": _error(backs[0], tensor.grad, SMALL[dtype])}
    for number, (ours, other) in enumerate(zip(backs[1:], tensors, strict=False), start=2):
        errors[f"input {number}"] = _error(ours, other.grad, SMALL[dtype])
    gradients = dict(theirs.named_parameters())
    for name, parameter in layer.named_parameters():
        errors[name] = _error(parameter.grad, gradients[name].grad, SMALL[dtype])
    return errors


def against_differences(case: Case, seed: int) -> dict[str, float]:
    """Return the relative error of each gradient against central differences.

    Their own error is of order step^2 over the square of the scale on which the layer is curved. That is sqrt(eps) =
    3e-3 for a normalization of nearly equal values, so the step is a thousand times smaller.
    """
    layer = deepcopy(case.layer).train(case.training)
    return gradcheck(layer, case.x, *case.others, step=3e-6, tolerance=np.inf, directions=1, seed=seed)


def _exact(array: np.ndarray) -> torch.Tensor:
    """Return an array for PyTorch, in float64 if it is floating."""
    tensor = torch.tensor(np.ascontiguousarray(array))
    return tensor.double() if tensor.is_floating_point() else tensor


def _laid_out(x: np.ndarray, dtype: type) -> np.ndarray:
    """Return `x` in `dtype`, in the same memory order if NumPy keeps it."""
    return x if x.dtype == dtype else x.astype(dtype)


def _error(ours: np.ndarray, theirs: Any, least: float) -> float:
    theirs = theirs.detach().numpy()
    if ours.shape != theirs.shape:
        return np.inf
    if not ours.size:
        return 0.0
    largest = max(float(np.abs(theirs).max()), least, np.finfo(float).tiny)
    error = float(np.abs(ours - theirs).max()) / largest
    return np.inf if np.isnan(error) else error
