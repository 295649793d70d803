"""Steps of the optimisers against PyTorch's, over all parameters of a network."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from experiments.bench.devices import Device
from experiments.bench.plan import Plan
from experiments.bench.timing import race, ratios
from models.scratch.residual import small_resnet
from models.twin import twin
from mytorch import manual_seed, optim, to_device

CLASSES = 500
RATE = 1e-6
"""Small, so that a thousand steps along one gradient lead nowhere."""

OPTIMISERS: dict[str, tuple[Callable[..., Any], Callable[..., Any], dict[str, Any]]] = {
    "SGD": (optim.SGD, torch.optim.SGD, {"momentum": 0.9, "weight_decay": 1e-4}),
    "Adam": (optim.Adam, torch.optim.Adam, {"weight_decay": 1e-4}),
    "AdamW": (optim.AdamW, torch.optim.AdamW, {"weight_decay": 0.05}),
}


def measure_optimiser(name: str, plan: Plan, device: Device) -> dict[str, Any]:
    """A step over the small ResNet's parameters: the times by side, and their ratios. Layout is no matter here."""
    ours, theirs, settings = OPTIMISERS[name]
    manual_seed(plan.seed)
    network = small_resnet(CLASSES)
    parameters = device.module(twin(network), "torch").parameters()
    network.to(device.name)
    rng = np.random.default_rng(plan.seed)
    tensors = list(parameters)
    for parameter, tensor in zip(network.parameters(), tensors, strict=True):
        grad = rng.standard_normal(parameter.shape, np.float32)
        parameter.grad = to_device(grad, device.name)
        tensor.grad = device.theirs(grad, "torch")
    runners = {
        "mytorch": ours(network.parameters(), lr=RATE, **settings).step,
        "torch": theirs(tensors, lr=RATE, **settings).step,
    }
    times = race(runners, plan, device)
    count = sum(parameter.data.size for parameter in network.parameters())
    return {"name": f"{name}.step", "shape": [count], **times, **ratios(times)}
