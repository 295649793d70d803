"""Losses: a number from predictions and targets, and its gradient at the predictions.

Cross entropy gives the loss of each row, the others that of each element; taking the mean or the sum is the layers'.
It hands its gradient what that needs: on the CPU the softmax, whose exponentials it has taken already; on the GPU,
where arithmetic is free beside the memory's time, the logits themselves.
"""

from typing import Any

import numpy as np

from mytorch.device import Array, cuda_implementation, get_array_module
from mytorch.geometry import empty
from mytorch.ops.activation import sigmoid
from mytorch.ops.blockwise import elementwise
from mytorch.ops.cuda import loss as cuda
from mytorch.ops.softmax import parallel_over_rows


@cuda_implementation(cuda.cross_entropy)
def cross_entropy(logits: Array, target: Array, label_smoothing: float = 0.0) -> Array:
    """Cross entropy of each row, as `cross_entropy_with_saved` has it."""
    return cross_entropy_with_saved(logits, target, label_smoothing)[0]


@cuda_implementation(cuda.cross_entropy_with_saved)
def cross_entropy_with_saved(logits: Array, target: Array, label_smoothing: float = 0.0) -> tuple[Array, Array]:
    """Cross entropy of each row of logits (N, C), (N,): -sum(target * log softmax(logits)); and the softmax, (N, C).

    target: class indices (N,), which stand for one-hot rows, or soft targets (N, C). Label smoothing moves that share
    of each row's mass evenly over all classes (Szegedy et al., arXiv 1512.00567). A class without any mass counts
    nothing, even where its logit is minus infinity.
    """
    losses, shares = np.empty(len(logits), logits.dtype), empty(logits.shape, logits)
    even = label_smoothing / max(1, logits.shape[1])

    def work(some: slice) -> None:
        share, wanted = shares[some], target[some]
        np.subtract(logits[some], logits[some].max(-1, keepdims=True), out=share)
        if wanted.ndim == 1:
            mass, along = 1.0, share[np.arange(len(share)), wanted]
        else:
            mass, along = wanted.sum(-1), (wanted * np.where(wanted == 0, 0, share)).sum(-1)
        if label_smoothing:
            mass, along = _smoothed(mass, label_smoothing), (1 - label_smoothing) * along + even * share.sum(-1)
        np.exp(share, out=share)
        total = share.sum(-1)
        losses[some] = mass * np.log(total) - along
        share *= (1 / total)[:, None]

    parallel_over_rows(work, logits)
    return losses, shares


@cuda_implementation(cuda.cross_entropy_grad)
def cross_entropy_grad(saved: Array, target: Array, label_smoothing: float = 0.0, scale: float = 1.0) -> Array:
    """Gradient of each row's cross entropy at its logits, (N, C), times `scale`: the softmax less the target.

    saved: what cross_entropy_with_saved gave for that.
    """
    grad = empty(saved.shape, saved)
    even = label_smoothing / max(1, saved.shape[1])

    def work(some: slice) -> None:
        part, wanted = grad[some], target[some]
        if wanted.ndim == 1:
            np.multiply(saved[some], scale, out=part)
            part[np.arange(len(part)), wanted] -= scale * (1 - label_smoothing)
        else:
            mass = _smoothed(wanted.sum(-1, keepdims=True), label_smoothing)
            np.multiply(saved[some], scale * mass, out=part)
            part -= scale * (1 - label_smoothing) * wanted
        if label_smoothing:
            part -= scale * even

    parallel_over_rows(work, saved)
    return grad


def _smoothed(mass: Any, label_smoothing: float) -> Any:
    """What a row's target adds up to once that share of it is spread evenly over all classes."""
    return (1 - label_smoothing) * mass + label_smoothing


def nll_loss(log_probabilities: Array, target: Array) -> Array:
    """What the target's class has, with its sign turned: (N, C) and class indices (N,) give (N,)."""
    return -log_probabilities[get_array_module(target).arange(len(target)), target]


def nll_loss_grad(log_probabilities: Array, target: Array, scale: float = 1.0) -> Array:
    """Gradient of nll_loss at the log-probabilities, (N, C), times `scale`: -scale at the target's class."""
    grad = empty(log_probabilities.shape, log_probabilities)
    grad[...] = 0
    grad[get_array_module(target).arange(len(target)), target] = -scale
    return grad


def squared_error(x: Array, target: Array) -> Array:
    """(x - target)^2 of each element."""
    difference = x - target
    difference *= difference
    return difference


@elementwise
def squared_error_grad(out: Array, x: Array, target: Array, scale: float = 1.0) -> None:
    """Gradient of squared at x, times `scale`."""
    np.subtract(x, target, out=out)
    out *= 2 * scale


def absolute_error(x: Array, target: Array) -> Array:
    """|x - target| of each element."""
    difference = x - target
    return np.abs(difference, out=difference)


@elementwise
def absolute_error_grad(out: Array, x: Array, target: Array, scale: float = 1.0) -> None:
    """Gradient of absolute at x, times `scale`; zero where both are equal, as in PyTorch."""
    np.sign(x - target, out=out)  # in its own place, NumPy's sign takes ten times as long
    out *= scale


def smooth_l1(x: Array, target: Array, beta: float) -> Array:
    """Half a square over beta below beta, |x - target| - beta / 2 above (Girshick, arXiv 1504.08083, equation 3).

    With near = x - target, held between -beta and beta, both are near / beta * (x - target - near / 2).
    """
    if not beta:
        return absolute_error(x, target)
    terms = x - target
    near = np.clip(terms, -beta, beta)
    terms -= near * 0.5
    terms *= near
    if beta != 1:
        terms *= 1 / beta
    return terms


@elementwise
def smooth_l1_grad(out: Array, x: Array, target: Array, beta: float, scale: float = 1.0) -> None:
    """Gradient of smooth_l1 at x, times `scale`."""
    difference = x - target
    if beta:
        np.clip(difference, -beta, beta, out=out)
        out *= scale / beta
    else:
        np.sign(difference, out=out)
        out *= scale


def binary_cross_entropy_with_logits(logits: Array, target: Array) -> Array:
    """-target log(p) - (1 - target) log(1 - p) of each element, where p = sigmoid(logits).

    As max(x, 0) - x target + log(1 + exp(-|x|)), in which nothing overflows and no logarithm meets zero.
    """
    terms = np.abs(logits)
    np.negative(terms, out=terms)
    np.exp(terms, out=terms)
    np.log1p(terms, out=terms)
    terms += np.clip(logits, 0, np.inf)
    terms -= logits * target
    return terms


@elementwise
def binary_cross_entropy_with_logits_grad(out: Array, logits: Array, target: Array, scale: float = 1.0) -> None:
    """Gradient of binary_cross_entropy at the logits, times `scale`: sigmoid(logits) less the target."""
    np.subtract(sigmoid(logits), target, out=out)
    out *= scale
