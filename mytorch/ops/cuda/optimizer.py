"""Optimiser steps on the GPU, one kernel a parameter. See `mytorch.ops.optimiser`."""

from math import sqrt

from mytorch.device import Array
from mytorch.ops.cuda.layout import beside
from mytorch.ops.cuda.loader import launch


def sgd(data: Array, grad: Array, lr: float, weight_decay: float) -> None:
    """As mytorch.ops.optimiser.sgd."""
    numbers = (float(lr), float(weight_decay))
    launch("optimiser", "sgd", data, data, beside(data, grad), *numbers, data.size, count=data.size)


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
    """As mytorch.ops.optimiser.sgd_momentum."""
    arrays = (data, beside(data, grad), velocity)
    numbers = (float(lr), float(momentum), float(weight_decay), int(nesterov), int(first))
    launch("optimiser", "sgd_momentum", data, *arrays, *numbers, data.size, count=data.size)


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
    """As mytorch.ops.optimiser.adam."""
    beta1, beta2 = betas
    step_size, correction = lr / (1 - beta1**step), sqrt(1 - beta2**step)
    numbers = (beta1, 1 - beta1, beta2, 1 - beta2, step_size, correction, eps, decay, keep)
    arrays = (data, beside(data, grad), mean, square)
    launch("optimiser", "adam", data, *arrays, *map(float, numbers), data.size, count=data.size)
