"""Margins on the angle between an embedding and its class: what ArcFace and CosFace add to a softmax.

Embeddings x (N, D) and class weights (C, D) are scaled to length one, so that x . w is the cosine of their angle. The
target's cosine is made smaller by a margin; gradients are those of the formulas, finite at cosines of 1 and -1.
"""

from math import cos, pi, sin

from mytorch.device import Array, namespace

SHORTEST = 1e-12
"""Lengths below this count as this, as in torch.nn.functional.normalize."""


def unit_rows(x: Array) -> tuple[Array, Array]:
    """Each row of `x` at length one, and the lengths (rows, 1)."""
    length = namespace(x).maximum((x * x).sum(-1, keepdims=True) ** 0.5, x.dtype.type(SHORTEST))
    return x / length, length


def unit_rows_grad(grad: Array, unit: Array, length: Array) -> Array:
    """Gradient of unit_rows at x: what turns the row; what would stretch it has no effect."""
    along = (grad * unit).sum(-1, keepdims=True)
    return (grad - along * unit * (length > SHORTEST)) / length


def angular(cosine: Array, m: float) -> tuple[Array, Array]:
    """ArcFace's target: cos(theta + m), and its derivative by cos(theta) (Deng et al., arXiv 1801.07698).

    cos(theta + m) = cos(theta) cos(m) - sin(theta) sin(m). Where theta + m would exceed pi, it would rise again; there
    cos(theta) - m sin(m) goes on falling instead, as in the authors' code. The derivative has a pole at theta = 0,
    where no gradient is due: it stops growing where 1 - cos^2 is below the last digit.
    """
    xp, least = namespace(cosine), last_digit(cosine)
    square = (1 - cosine) * (1 + cosine)
    sine = xp.maximum(square, least) ** 0.5
    slope = cos(m) + sin(m) * (cosine / sine) * (square > least)
    inside = cosine > cos(pi - m)
    shifted = cosine * cos(m) - sine * sin(m)
    return xp.where(inside, shifted, cosine - m * sin(m)), xp.where(inside, slope, 1)


def additive(cosine: Array, m: float) -> tuple[Array, Array]:
    """CosFace's target: cos(theta) - m, and its derivative by cos(theta), 1 (Wang et al., arXiv 1801.09414)."""
    return cosine - m, namespace(cosine).ones_like(cosine)


def last_digit(x: Array) -> float:
    """The distance from 1 to the next number of x's type."""
    return float(namespace(x).finfo(x.dtype).eps)
