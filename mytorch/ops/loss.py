"""Losses: a number from predictions and targets, and its gradient at the predictions."""

from mytorch.device import Array, namespace


def log_softmax(logits: Array) -> Array:
    """Logarithm of the softmax along the last axis; no exponential overflows."""
    xp = namespace(logits)
    shifted = logits - logits.max(-1, keepdims=True)
    return shifted - xp.log(xp.exp(shifted).sum(-1, keepdims=True))


def class_probabilities(target: Array, logits: Array, label_smoothing: float) -> Array:
    """What cross entropy compares with, (N, C): class indices (N,) as one-hot rows, or soft targets (N, C) as given.

    Label smoothing moves that share of each row's mass evenly over all classes (Szegedy et al., arXiv 1512.00567).
    """
    n, classes = logits.shape
    if target.ndim == 1:
        xp, indices = namespace(logits), target
        target = xp.zeros((n, classes), logits.dtype)
        target[xp.arange(n), indices] = 1
    if label_smoothing:
        target = target * (1 - label_smoothing) + label_smoothing / classes
    return target.astype(logits.dtype, copy=False)


def cross_entropy(logits: Array, probabilities: Array) -> Array:
    """Cross entropy of each row, (N,)."""
    return -(probabilities * log_softmax(logits)).sum(-1)


def cross_entropy_grad(logits: Array, probabilities: Array) -> Array:
    """Gradient of each row's cross entropy at its logits, (N, C)."""
    softmax = namespace(logits).exp(log_softmax(logits))
    return softmax * probabilities.sum(-1, keepdims=True) - probabilities
