"""Gradient clipping, to be called between backward and step."""

from collections.abc import Iterable
from math import inf, isfinite

from mytorch.device import get_array_module
from mytorch.nn.module import Parameter


def clip_grad_norm_(
    parameters: Iterable[Parameter], max_norm: float, norm_type: float = 2.0, error_if_nonfinite: bool = False
) -> float:
    """Scale all gradients by one factor, so that their joint norm is at most `max_norm`, and return the norm before.

    Pascanu, Mikolov and Bengio, arXiv 1211.5063. As torch.nn.utils.clip_grad_norm_. Raises RuntimeError, with
    `error_if_nonfinite`, if the norm is NaN or infinite, and ValueError for an impossible `max_norm` or `norm_type`.
    """
    if not max_norm >= 0 or not norm_type > 0:
        raise ValueError(f"max_norm={max_norm}, norm_type={norm_type}: expected at least 0, and above 0")
    grads = [parameter.grad for parameter in parameters if parameter.grad is not None]
    norms = [float(abs(grad).max()) for grad in grads if grad.size]
    if norm_type != inf and norms and 0 < (largest := max(norms)) < inf:  # divide by it, so that no power overflows
        sums = [float((abs(grad / largest) ** norm_type).sum(dtype="d")) for grad in grads]
        norm = largest * sum(sums) ** (1 / norm_type)
    else:
        norm = max(norms, key=lambda value: inf if value != value else value, default=0.0)
    if error_if_nonfinite and not isfinite(norm):
        raise RuntimeError(
            f"the norm of the gradients is {norm}: look for NaN in the batch, or lower the learning rate"
        )
    factor = max_norm / (norm + 1e-6)
    if not factor >= 1:  # also true for NaN, which then shows in the weights, as in PyTorch
        for grad in grads:
            grad *= factor
    return norm


def clip_grad_value_(parameters: Iterable[Parameter], clip_value: float) -> None:
    """Clip every element of every gradient to -clip_value ... clip_value. As torch.nn.utils.clip_grad_value_."""
    if not clip_value >= 0:
        raise ValueError(f"clip_value={clip_value}: expected at least 0")
    for parameter in parameters:
        if parameter.grad is not None:
            get_array_module(parameter.grad).clip(parameter.grad, -clip_value, clip_value, out=parameter.grad)
