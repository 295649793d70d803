"""Optimizer steps on the GPU, one kernel launch per parameter. See `mytorch.ops.optimizer`."""

from math import sqrt

from mytorch.device import Array
from mytorch.ops.cuda.layout import match_layout
from mytorch.ops.cuda.loader import launch


def sgd(data: Array, grad: Array, lr: float, weight_decay: float) -> None:
    """As mytorch.ops.optimizer.sgd."""
    numbers = (float(lr), float(weight_decay))
    launch("optimizer", "sgd", data, data, match_layout(data, grad), *numbers, data.size, count=data.size)


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
    """As mytorch.ops.optimizer.sgd_momentum."""
    arrays = (data, match_layout(data, grad), velocity)
    numbers = (float(lr), float(momentum), float(1 - dampening), float(weight_decay), int(nesterov), int(first_step))
    launch("optimizer", "sgd_momentum", data, *arrays, *numbers, data.size, count=data.size)


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
    """As mytorch.ops.optimizer.adam."""
    beta1, beta2 = betas
    step_size, correction = lr / (1 - beta1**step), sqrt(1 - beta2**step)
    numbers = (beta1, 1 - beta1, beta2, 1 - beta2, step_size, correction, eps, weight_decay, shrink)
    arrays = (data, match_layout(data, grad), mean, mean_square)
    launch("optimizer", "adam", data, *arrays, *map(float, numbers), data.size, count=data.size)
