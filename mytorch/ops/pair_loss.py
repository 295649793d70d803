"""Distances and similarities of pairs of vectors, along one axis, and their gradients at both. For NumPy and CuPy."""

from mytorch.device import Array, get_array_module

COSINE_EPS = 1e-12
"""Added to squared lengths in CosineEmbeddingLoss, as PyTorch does."""


def distance(x: Array, other: Array, p: float, eps: float, axis: int = -1, keepdims: bool = False) -> Array:
    """Return the p-norm of x - other + eps along `axis`."""
    difference = abs(x - other + eps)
    if p == float("inf"):
        return difference.max(axis, keepdims=keepdims)
    if p == 2:
        return (difference * difference).sum(axis, keepdims=keepdims) ** 0.5
    return (difference**p).sum(axis, keepdims=keepdims) ** (1 / p)


def distance_grad(grad: Array, x: Array, other: Array, p: float, eps: float, axis: int = -1) -> Array:
    """Return the gradient of `distance` at x, given that at the distances; at `other` it is minus this.

    Zero where a distance is zero. `grad` has length 1 along `axis`.
    """
    xp = get_array_module(x)
    difference = x - other + eps
    norms = distance(x, other, p, eps, axis, keepdims=True)
    if p == float("inf"):
        largest = (abs(difference) == norms).astype(x.dtype)
        return xp.sign(difference) * largest / largest.sum(axis, keepdims=True) * grad
    if p == 1:
        return xp.sign(difference) * grad
    safe = xp.where(norms == 0, norms.dtype.type(1), norms)
    if p == 2:
        return difference / safe * grad
    return xp.sign(difference) * (abs(difference) / safe) ** (p - 1) * (norms != 0) * grad


def cosine(x: Array, other: Array) -> tuple[Array, Array, Array]:
    """Return the cosines of the angles between the rows, and the gradients of each at both.

    Of x (*, D) and other (*, D). COSINE_EPS is added to the squared lengths.
    """
    squared, other_squared = ((a * a).sum(-1, keepdims=True) + COSINE_EPS for a in (x, other))
    lengths = (squared * other_squared) ** 0.5
    cosines = (x * other).sum(-1, keepdims=True) / lengths
    grad_x, grad_other = other / lengths - x * (cosines / squared), x / lengths - other * (cosines / other_squared)
    return cosines[..., 0], grad_x, grad_other


def cosine_similarity(x: Array, other: Array, axis: int, eps: float) -> tuple[Array, Array, Array]:
    """Return x . other / (max(|x|, eps) * max(|other|, eps)) along `axis`, and the gradients of each at both."""
    xp = get_array_module(x)
    lengths, other_lengths = ((a * a).sum(axis, keepdims=True) ** 0.5 for a in (x, other))
    safe, other_safe = xp.maximum(lengths, eps), xp.maximum(other_lengths, eps)
    unit, other_unit = x / safe, other / other_safe
    cosines = (unit * other_unit).sum(axis, keepdims=True)
    grad_x = (other_unit - unit * cosines * (lengths > eps)) / safe
    grad_other = (unit - other_unit * cosines * (other_lengths > eps)) / other_safe
    return cosines.squeeze(axis), grad_x, grad_other
