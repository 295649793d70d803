"""One step of an optimiser for one parameter, in place, block by block.

data, grad and the state: arrays of one shape.
"""

from math import sqrt

import numpy as np

from mytorch.device import Array, on_gpu
from mytorch.ops.blockwise import in_place
from mytorch.ops.cuda import optimiser as cuda


@on_gpu(cuda.sgd)
@in_place
def sgd(data: Array, grad: Array, lr: float, weight_decay: float) -> None:
    """Gradient descent with L2 weight decay: w -= lr * (grad + weight_decay * w)."""
    step = _decayed(grad, data, weight_decay)
    data -= np.multiply(step, lr, out=None if step is grad else step)


@on_gpu(cuda.sgd_momentum)
@in_place
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
    step = velocity * (lr * momentum if nesterov else lr)
    if nesterov:
        step += lr * grad
    data -= step


@on_gpu(cuda.adam)
@in_place
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
    scratch = grad * (1 - beta1)
    mean *= beta1
    mean += scratch
    np.square(grad, out=scratch)
    scratch *= 1 - beta2
    square *= beta2
    square += scratch
    np.sqrt(square, out=scratch)
    scratch *= 1 / sqrt(1 - beta2**step)
    scratch += eps
    np.divide(mean, scratch, out=scratch)
    scratch *= lr / (1 - beta1**step)
    data -= scratch


def _decayed(grad: Array, data: Array, weight_decay: float) -> Array:
    """The gradient with the weight decay added; the gradient itself where there is none."""
    if not weight_decay:
        return grad
    decayed = data * weight_decay
    decayed += grad
    return decayed
