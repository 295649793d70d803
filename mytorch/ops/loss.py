"""Losses: a number from predictions and targets, and its gradient at the predictions.

Cross entropy gives the loss of each row, the others that of each element; taking the mean or the sum is the layers'.
"""

from mytorch.device import Array, namespace, on_gpu
from mytorch.ops.activation import sigmoid
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


def negative_likelihood_grad(log_probabilities: Array, target: Array) -> Array:
    """Gradient of negative_likelihood at the log-probabilities, (N, C): -1 at the target's class."""
    grad = namespace(target).zeros_like(log_probabilities)
    grad[namespace(target).arange(len(target)), target] = -1
    return grad


def squared(x: Array, target: Array) -> Array:
    """(x - target)^2 of each element."""
    difference = x - target
    difference *= difference
    return difference


def squared_grad(x: Array, target: Array) -> Array:
    """Gradient of squared at x."""
    return 2 * (x - target)


def absolute(x: Array, target: Array) -> Array:
    """|x - target| of each element."""
    return abs(x - target)


def absolute_grad(x: Array, target: Array) -> Array:
    """Gradient of absolute at x; zero where both are equal, as in PyTorch."""
    return namespace(x).sign(x - target)


def smooth_absolute(x: Array, target: Array, beta: float) -> Array:
    """Half a square over beta below beta, |x - target| - beta / 2 above (Girshick, arXiv 1504.08083, equation 3)."""
    distance = abs(x - target)
    near = namespace(x).minimum(distance, beta)
    return near * near / (2 * beta) + (distance - near) if beta else distance


def smooth_absolute_grad(x: Array, target: Array, beta: float) -> Array:
    """Gradient of smooth_absolute at x."""
    if not beta:
        return absolute_grad(x, target)
    return namespace(x).clip((x - target) / beta, -1, 1)


def binary_cross_entropy(logits: Array, target: Array) -> Array:
    """-target log(p) - (1 - target) log(1 - p) of each element, where p = sigmoid(logits).

    As max(x, 0) - x target + log(1 + exp(-|x|)), in which nothing overflows and no logarithm meets zero.
    """
    xp = namespace(logits)
    return xp.maximum(logits, 0) - logits * target + xp.log1p(xp.exp(-xp.abs(logits)))


def binary_cross_entropy_grad(logits: Array, target: Array) -> Array:
    """Gradient of binary_cross_entropy at the logits."""
    return sigmoid(logits) - target
