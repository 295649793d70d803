"""Softmax and its logarithm along the last axis; no exponential overflows."""

from mytorch.device import Array, namespace, on_gpu
from mytorch.ops.cuda import softmax as cuda


@on_gpu(cuda.softmax)
def softmax(x: Array) -> Array:
    """exp(x), divided by its sum. A logit of minus infinity gives zero."""
    powers = namespace(x).exp(_shifted(x))
    powers /= powers.sum(-1, keepdims=True)
    return powers


@on_gpu(cuda.softmax_grad)
def softmax_grad(grad: Array, y: Array) -> Array:
    """Gradient of y = softmax(x) at x."""
    weighted = grad * y
    return weighted - y * weighted.sum(-1, keepdims=True)


@on_gpu(cuda.log_softmax)
def log_softmax(x: Array) -> Array:
    """Logarithm of the softmax, which loses no digits where the softmax is tiny."""
    xp, shifted = namespace(x), _shifted(x)
    shifted -= xp.log(xp.exp(shifted).sum(-1, keepdims=True))
    return shifted


@on_gpu(cuda.log_softmax_grad)
def log_softmax_grad(grad: Array, y: Array) -> Array:
    """Gradient of y = log_softmax(x) at x."""
    return grad - namespace(y).exp(y) * grad.sum(-1, keepdims=True)


def _shifted(x: Array) -> Array:
    """`x` less its largest, which changes no softmax."""
    return x - x.max(-1, keepdims=True)
