"""Losses: a number from predictions and targets, and its gradient at the predictions.

Cross entropy gives the loss of each row, the others that of each element; taking the mean or the sum is the layers'.
"""

import numpy as np

from mytorch.device import Array, namespace, on_gpu
from mytorch.geometry import fresh
from mytorch.ops.activation import sigmoid
from mytorch.ops.blockwise import elementwise
from mytorch.ops.cuda import loss as cuda
from mytorch.ops.softmax import log_softmax, softmax


@on_gpu(cuda.cross_entropy)
def cross_entropy(logits: Array, target: Array, label_smoothing: float = 0.0) -> Array:
    """Cross entropy of each row of logits (N, C), (N,): -sum(target * log softmax(logits)).

    target: class indices (N,), which stand for one-hot rows, or soft targets (N, C). Label smoothing moves that share
    of each row's mass evenly over all classes (Szegedy et al., arXiv 1512.00567). A class without any mass counts
    nothing, even where its logit is minus infinity.
    """
    xp, y = namespace(logits), log_softmax(logits)
    if target.ndim == 1:
        losses = -y[xp.arange(len(y)), target]
    else:
        losses = -(target * xp.where(target == 0, 0, y)).sum(-1)
    if label_smoothing:
        losses = (1 - label_smoothing) * losses - label_smoothing / y.shape[1] * y.sum(-1)
    return losses


@on_gpu(cuda.cross_entropy_grad)
def cross_entropy_grad(logits: Array, target: Array, label_smoothing: float = 0.0, scale: float = 1.0) -> Array:
    """Gradient of each row's cross entropy at its logits, (N, C), times `scale`: softmax(logits) less the target."""
    xp, grad = namespace(logits), softmax(logits)
    if target.ndim == 1:
        grad[xp.arange(len(grad)), target] -= 1 - label_smoothing
    else:
        target = (1 - label_smoothing) * target
        grad *= target.sum(-1, keepdims=True) + label_smoothing
        grad -= target
    if label_smoothing:
        grad -= label_smoothing / grad.shape[1]
    grad *= scale
    return grad


def negative_likelihood(log_probabilities: Array, target: Array) -> Array:
    """What the target's class has, with its sign turned: (N, C) and class indices (N,) give (N,)."""
    return -log_probabilities[namespace(target).arange(len(target)), target]


def negative_likelihood_grad(log_probabilities: Array, target: Array, scale: float = 1.0) -> Array:
    """Gradient of negative_likelihood at the log-probabilities, (N, C), times `scale`: -scale at the target's class."""
    grad = fresh(log_probabilities.shape, log_probabilities)
    grad[...] = 0
    grad[namespace(target).arange(len(target)), target] = -scale
    return grad


def squared(x: Array, target: Array) -> Array:
    """(x - target)^2 of each element."""
    difference = x - target
    difference *= difference
    return difference


@elementwise
def squared_grad(out: Array, x: Array, target: Array, scale: float = 1.0) -> None:
    """Gradient of squared at x, times `scale`."""
    np.subtract(x, target, out=out)
    out *= 2 * scale


def absolute(x: Array, target: Array) -> Array:
    """|x - target| of each element."""
    difference = x - target
    return np.abs(difference, out=difference)


@elementwise
def absolute_grad(out: Array, x: Array, target: Array, scale: float = 1.0) -> None:
    """Gradient of absolute at x, times `scale`; zero where both are equal, as in PyTorch."""
    np.sign(x - target, out=out)  # in its own place, NumPy's sign takes ten times as long
    out *= scale


def smooth_absolute(x: Array, target: Array, beta: float) -> Array:
    """Half a square over beta below beta, |x - target| - beta / 2 above (Girshick, arXiv 1504.08083, equation 3).

    With near = min(|x - target|, beta), both are near / beta * (|x - target| - near / 2).
    """
    distance = absolute(x, target)
    if beta:
        near = np.clip(distance, 0, beta)
        distance -= near * 0.5
        distance *= near
        distance *= 1 / beta
    return distance


@elementwise
def smooth_absolute_grad(out: Array, x: Array, target: Array, beta: float, scale: float = 1.0) -> None:
    """Gradient of smooth_absolute at x, times `scale`."""
    difference = x - target
    if beta:
        np.clip(difference, -beta, beta, out=out)
        out *= scale / beta
    else:
        np.sign(difference, out=out)
        out *= scale


def binary_cross_entropy(logits: Array, target: Array) -> Array:
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
def binary_cross_entropy_grad(out: Array, logits: Array, target: Array, scale: float = 1.0) -> None:
    """Gradient of binary_cross_entropy at the logits, times `scale`: sigmoid(logits) less the target."""
    np.subtract(sigmoid(logits), target, out=out)
    out *= scale
