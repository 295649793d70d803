"""Margins on the angle between an embedding and its class: what ArcFace and CosFace add to a softmax.

Embeddings x (N, D) and class weights (C, D) are scaled to length one, so that x . w is the cosine of their angle. The
label's cosine is reduced by a margin. Gradients are those of the formulas, and finite at cosines of 1 and -1.
"""

from math import cos, pi, sin

from mytorch.device import Array, get_array_module

MIN_NORM = 1e-12
"""Shorter vectors are divided by this, as in torch.nn.functional.normalize."""


def normalize(x: Array, axis: int = -1, min_norm: float = MIN_NORM) -> tuple[Array, Array]:
    """Return `x` scaled to length one along an axis, and the lengths; shorter vectors are divided by `min_norm`."""
    squares = (x * x).sum(axis, keepdims=True)
    norm = get_array_module(x).maximum(squares**0.5, x.dtype.type(min_norm))
    return x / norm, norm


def normalize_grad(grad: Array, unit: Array, norm: Array, axis: int = -1, min_norm: float = MIN_NORM) -> Array:
    """Return the gradient of `normalize` at x: `grad` without its part along x, divided by the length."""
    along = (grad * unit).sum(axis, keepdims=True)
    return (grad - along * unit * (norm > min_norm)) / norm


def angular_margin(cosine: Array, margin: float) -> tuple[Array, Array]:
    """Return ArcFace's cos(theta + margin), and its derivative by cos(theta) (Deng et al., arXiv 1801.07698).

    cos(theta + m) = cos(theta) cos(m) - sin(theta) sin(m). Where theta + m would exceed pi, this would rise again;
    there the falling cos(theta) - m sin(m) replaces it, as in the authors' code. The derivative has a pole at theta
    = 0, where the gradient should vanish: it is capped once 1 - cos^2 is below the machine epsilon.
    """
    xp, epsilon = get_array_module(cosine), machine_epsilon(cosine)
    square = (1 - cosine) * (1 + cosine)
    sine = xp.maximum(square, epsilon) ** 0.5
    slope = cos(margin) + sin(margin) * (cosine / sine) * (square > epsilon)
    inside = cosine > cos(pi - margin)
    shifted = cosine * cos(margin) - sine * sin(margin)
    return xp.where(inside, shifted, cosine - margin * sin(margin)), xp.where(inside, slope, 1)


def cosine_margin(cosine: Array, margin: float) -> tuple[Array, Array]:
    """Return CosFace's cos(theta) - margin, and its derivative by cos(theta), 1 (Wang et al., arXiv 1801.09414)."""
    return cosine - margin, get_array_module(cosine).ones_like(cosine)


def machine_epsilon(x: Array) -> float:
    """Return the distance from 1 to the next larger number of the type of x."""
    return float(get_array_module(x).finfo(x.dtype).eps)
