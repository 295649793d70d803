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
    dampening: float = 0.0,
) -> None:
    """Do a step with momentum. g is the gradient with the weight decay added.

    velocity = momentum * velocity + (1 - dampening) * g, in the first step g; w -= lr * velocity, or with Nesterov's
    momentum w -= lr * (g + momentum * velocity).
    """
    grad = _add_weight_decay(grad, data, weight_decay)
    if first_step:
        velocity[...] = grad
    else:
        velocity *= momentum
        velocity += (1 - dampening) * grad if dampening else grad
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


@in_place
def adam_amsgrad(
    data: Array,
    grad: Array,
    mean: Array,
    mean_square: Array,
    largest: Array,
    step: int,
    lr: float,
    betas: tuple[float, float],
    eps: float,
    weight_decay: float,
    shrink: float,
) -> None:
    """Do a step of `adam` that divides by the largest mean square so far (Reddi et al., arXiv 1904.09237)."""
    beta1, beta2 = betas
    data *= shrink
    grad = _add_weight_decay(grad, data, weight_decay)
    _update_means(grad, mean, mean_square, betas)
    np.maximum(largest, mean_square, out=largest)
    denominator = np.sqrt(largest)
    denominator *= 1 / sqrt(1 - beta2**step)
    denominator += eps
    data -= lr / (1 - beta1**step) * mean / denominator


@in_place
def nadam(
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
    factors: tuple[float, float],
) -> None:
    """Do a step of Adam with Nesterov's momentum (Dozat 2016). factors: of the gradient and of its mean."""
    data *= shrink
    grad = _add_weight_decay(grad, data, weight_decay)
    _update_means(grad, mean, mean_square, betas)
    denominator = np.sqrt(mean_square)
    denominator *= 1 / sqrt(1 - betas[1] ** step)
    denominator += eps
    data -= lr * (factors[0] * grad + factors[1] * mean) / denominator


@in_place
def rmsprop(
    data: Array,
    grad: Array,
    mean_square: Array,
    mean: Array | None,
    velocity: Array | None,
    lr: float,
    alpha: float,
    eps: float,
    weight_decay: float,
    momentum: float,
) -> None:
    """Do a step along gradient / root mean square gradient (Tieleman and Hinton 2012).

    mean: the mean gradient, which is subtracted before squaring, or None. velocity: of the steps, or None.
    """
    grad = _add_weight_decay(grad, data, weight_decay)
    mean_square *= alpha
    mean_square += (1 - alpha) * grad * grad
    square = mean_square
    if mean is not None:
        mean += (1 - alpha) * (grad - mean)
        square = mean_square - mean * mean
    step = grad / (np.sqrt(square) + eps)
    if velocity is not None:
        velocity *= momentum
        velocity += step
        step = velocity
    data -= lr * step


@in_place
def adagrad(data: Array, grad: Array, square_sum: Array, lr: float, eps: float, weight_decay: float) -> None:
    """Do a step along gradient / root of the sum of squared gradients (Duchi, Hazan and Singer 2011)."""
    grad = _add_weight_decay(grad, data, weight_decay)
    square_sum += grad * grad
    data -= lr * grad / (np.sqrt(square_sum) + eps)


@in_place
def lamb_direction(
    out: Array,
    data: Array,
    grad: Array,
    mean: Array,
    mean_square: Array,
    step: int,
    betas: tuple[float, float],
    eps: float,
    weight_decay: float,
) -> None:
    """Fill `out` with Adam's direction plus the decayed weight, which LAMB scales (You et al., arXiv 1904.00962)."""
    _update_means(grad, mean, mean_square, betas)
    np.sqrt(mean_square, out=out)
    out *= 1 / sqrt(1 - betas[1] ** step)
    out += eps
    np.divide(mean, out, out=out)
    out *= 1 / (1 - betas[0] ** step)
    out += weight_decay * data


def _update_means(grad: Array, mean: Array, mean_square: Array, betas: tuple[float, float]) -> None:
    """Move the mean gradient and the mean square towards those of `grad`."""
    mean *= betas[0]
    mean += (1 - betas[0]) * grad
    mean_square *= betas[1]
    mean_square += (1 - betas[1]) * grad * grad


def _add_weight_decay(grad: Array, data: Array, weight_decay: float) -> Array:
    """Return grad + weight_decay * data, or `grad` itself without weight decay."""
    if not weight_decay:
        return grad
    decayed = data * weight_decay
    decayed += grad
    return decayed
