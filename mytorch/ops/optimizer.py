"""One step of an optimizer for one parameter, in place, block by block.

data, grad and the state are arrays of one shape.
"""

from math import sqrt

import numpy as np

from mytorch.device import Array, cuda_implementation
from mytorch.ops.blockwise import in_place
from mytorch.ops.cuda import optimizer as cuda


@cuda_implementation(cuda.sgd)
@in_place
def sgd(data: Array, grad: Array, lr: float, weight_decay: float) -> None:
    """Do a step of gradient descent with L2 weight decay: w -= lr * (grad + weight_decay * w)."""
    step = _add_weight_decay(grad, data, weight_decay)
    data -= np.multiply(step, lr, out=None if step is grad else step)


@cuda_implementation(cuda.sgd_momentum)
@in_place
def sgd_momentum(
    data: Array,
    grad: Array,
    velocity: Array,
    first_step: bool,
    lr: float,
    momentum: float,
    weight_decay: float,
    nesterov: bool,
) -> None:
    """Do a step with momentum. g is the gradient with the weight decay added.

    velocity = momentum * velocity + g, in the first step g; w -= lr * velocity, or with Nesterov's momentum
    w -= lr * (g + momentum * velocity).
    """
    grad = _add_weight_decay(grad, data, weight_decay)
    if first_step:
        velocity[...] = grad
    else:
        velocity *= momentum
        velocity += grad
    step = velocity * (lr * momentum if nesterov else lr)
    if nesterov:
        step += lr * grad
    data -= step


@cuda_implementation(cuda.adam)
@in_place
def adam(
    data: Array,
    grad: Array,
    mean: Array,
    mean_square: Array,
    step: int,
    lr: float,
    betas: tuple[float, float],
    eps: float,
    weight_decay: float,
    shrink: float,
) -> None:
    """Do a step along mean gradient / root mean square gradient (Kingma and Ba, arXiv 1412.6980).

    step: 1 for the first. weight_decay: times w, it is added to the gradient (L2). shrink: the weight is multiplied by
    it before the step, which is decoupled weight decay (Loshchilov and Hutter, arXiv 1711.05101).
    """
    beta1, beta2 = betas
    if shrink != 1:
        data *= shrink
    grad = _add_weight_decay(grad, data, weight_decay)
    scratch = grad * (1 - beta1)
    mean *= beta1
    mean += scratch
    np.square(grad, out=scratch)
    scratch *= 1 - beta2
    mean_square *= beta2
    mean_square += scratch
    np.sqrt(mean_square, out=scratch)
    scratch *= 1 / sqrt(1 - beta2**step)
    scratch += eps
    np.divide(mean, scratch, out=scratch)
    scratch *= lr / (1 - beta1**step)
    data -= scratch


def _add_weight_decay(grad: Array, data: Array, weight_decay: float) -> Array:
    """Return grad + weight_decay * data, or `grad` itself without weight decay."""
    if not weight_decay:
        return grad
    decayed = data * weight_decay
    decayed += grad
    return decayed
