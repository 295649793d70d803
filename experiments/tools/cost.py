"""What a network costs to run: parameters and FLOPs of one picture."""

from dataclasses import dataclass
from math import prod

import torch
from torch.utils.flop_counter import FlopCounterMode

from experiments.inference.model import Trained
from mytorch import nn as ours
from mytorch import summary


@dataclass(frozen=True)
class Cost:
    """Learned numbers, and floating point operations for one picture in evaluation, a multiply-add being two."""

    parameters: int
    flops: int


def cost(trained: Trained) -> Cost:
    """The cost of a run's network at the size of its pictures.

    PyTorch's counter knows convolutions and matrix products, `mytorch.summary` the cheap elementwise layers too.
    """
    shape = (3, *trained.recipe.data.size)
    network = trained.network
    if isinstance(network, ours.Module):
        counted = summary(network, shape)
        return Cost(counted.parameters, counted.flops)
    return Cost(sum(prod(p.shape) for p in network.parameters()), torch_flops(network, shape))


def torch_flops(network: torch.nn.Module, shape: tuple[int, ...]) -> int:
    """FLOPs of a PyTorch network in evaluation for one picture of that shape, (3, H, W)."""
    training, like = network.training, next(network.parameters())
    try:
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            network.eval()(torch.zeros(1, *shape, dtype=like.dtype, device=like.device))
    finally:
        network.train(training)
    return counter.get_total_flops()
