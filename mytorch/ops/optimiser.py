"""One step of an optimiser for one parameter, in place. data, grad and the state: arrays of one shape."""

from math import sqrt

from mytorch.device import Array, on_gpu
from mytorch.ops.cuda import optimiser as cuda


@on_gpu(cuda.sgd)
def sgd(data: Array, grad: Array, lr: float, weight_decay: float) -> None:
    """Gradient descent with L2 weight decay: w -= lr * (grad + weight_decay * w)."""
    data -= lr * _decayed(grad, data, weight_decay)


@on_gpu(cuda.sgd_momentum)
def sgd_momentum(
    data: Array,
    grad: Array,
    velocity: Array,
    first: bool,
    lr: float,
    momentum: float,
    weight_decay: float,
    nesterov: bool,
) -> None:
    """velocity = momentum * velocity + g, at the first step g; w -= lr * velocity, or lr * (g + momentum * velocity).

    g is the gradient with the weight decay added; the latter step is Nesterov's.
    """
    grad = _decayed(grad, data, weight_decay)
    if first:
        velocity[...] = grad
    else:
        velocity *= momentum
        velocity += grad
    data -= lr * (grad + momentum * velocity if nesterov else velocity)


@on_gpu(cuda.adam)
def adam(
    data: Array,
    grad: Array,
    mean: Array,
    square: Array,
    step: int,
    lr: float,
    betas: tuple[float, float],
    eps: float,
    decay: float,
    keep: float,
) -> None:
    """A step along mean gradient / root mean square gradient (Kingma and Ba, arXiv 1412.6980).

    step: 1 at the first. decay: added to the gradient, times w (L2). keep: what the weight is multiplied by beforehand,
    for decoupled decay (Loshchilov and Hutter, arXiv 1711.05101).
    """
    beta1, beta2 = betas
    if keep != 1:
        data *= keep
    grad = _decayed(grad, data, decay)
    mean *= beta1
    mean += (1 - beta1) * grad
    square *= beta2
    square += (1 - beta2) * grad * grad
    deviation = square**0.5
    deviation /= sqrt(1 - beta2**step)
    deviation += eps
    data -= lr / (1 - beta1**step) * (mean / deviation)


def _decayed(grad: Array, data: Array, weight_decay: float) -> Array:
    return grad + weight_decay * data if weight_decay else grad
