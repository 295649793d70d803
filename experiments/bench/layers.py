"""All other layers, losses and optimizers against PyTorch's, at the sizes that face networks have."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch

from experiments.bench.timing import BACKENDS, Device, Plan, race, ratios
from models.scratch.residual import small_resnet
from models.twin import twin
from mytorch import manual_seed, nn, optim, to_device

IMAGES, SMALL, LARGE = (64, 64, 32, 32), (64, 256, 8, 8), (32, 64, 56, 56)
EMBEDDINGS, LOGITS, SEQUENCES = (64, 512), (64, 7000), (64, 128, 256)


@dataclass(frozen=True)
class LayerCase:
    """A layer, the shape of its input, and what kind of target it is called with."""

    build: Callable[[], nn.Module]
    shape: tuple[int, ...]
    target: Literal["", "classes", "values", "shares"] = ""

    @property
    def loss(self) -> bool:
        """Whether its output is a scalar."""
        return self.target != "" and not hasattr(self.build(), "num_classes")


LAYERS = {
    "BatchNorm2d": LayerCase(lambda: nn.BatchNorm2d(64), IMAGES),
    "BatchNorm1d": LayerCase(lambda: nn.BatchNorm1d(512), EMBEDDINGS),
    "LayerNorm": LayerCase(lambda: nn.LayerNorm(512), EMBEDDINGS),
    "GroupNorm": LayerCase(lambda: nn.GroupNorm(8, 64), IMAGES),
    "InstanceNorm2d": LayerCase(lambda: nn.InstanceNorm2d(64, affine=True), IMAGES),
    "RMSNorm": LayerCase(lambda: nn.RMSNorm(512), EMBEDDINGS),
    "LocalResponseNorm": LayerCase(lambda: nn.LocalResponseNorm(5), IMAGES),
    "ReLU": LayerCase(nn.ReLU, IMAGES),
    "LeakyReLU": LayerCase(nn.LeakyReLU, IMAGES),
    "PReLU": LayerCase(lambda: nn.PReLU(64), IMAGES),
    "GELU": LayerCase(nn.GELU, IMAGES),
    "SiLU": LayerCase(nn.SiLU, IMAGES),
    "ReLU6": LayerCase(nn.ReLU6, IMAGES),
    "Hardswish": LayerCase(nn.Hardswish, IMAGES),
    "Hardsigmoid": LayerCase(nn.Hardsigmoid, IMAGES),
    "ELU": LayerCase(nn.ELU, IMAGES),
    "Mish": LayerCase(nn.Mish, IMAGES),
    "Softplus": LayerCase(nn.Softplus, IMAGES),
    "GLU": LayerCase(lambda: nn.GLU(1), IMAGES),
    "Sigmoid": LayerCase(nn.Sigmoid, IMAGES),
    "Tanh": LayerCase(nn.Tanh, IMAGES),
    "Softmax": LayerCase(lambda: nn.Softmax(1), LOGITS),
    "LogSoftmax": LayerCase(lambda: nn.LogSoftmax(1), LOGITS),
    "MaxPool2d": LayerCase(lambda: nn.MaxPool2d(2), IMAGES),
    "MaxPool2d 3x3 s2": LayerCase(lambda: nn.MaxPool2d(3, 2, 1), LARGE),
    "MaxPool1d": LayerCase(lambda: nn.MaxPool1d(2), SEQUENCES),
    "AvgPool2d": LayerCase(lambda: nn.AvgPool2d(2), IMAGES),
    "AvgPool1d": LayerCase(lambda: nn.AvgPool1d(2), SEQUENCES),
    "GlobalAvgPool2d": LayerCase(nn.GlobalAvgPool2d, SMALL),
    "AdaptiveAvgPool2d": LayerCase(lambda: nn.AdaptiveAvgPool2d(7), IMAGES),
    "AdaptiveMaxPool2d": LayerCase(lambda: nn.AdaptiveMaxPool2d(7), IMAGES),
    "AdaptiveAvgPool1d": LayerCase(lambda: nn.AdaptiveAvgPool1d(40), SEQUENCES),
    "Upsample nearest": LayerCase(lambda: nn.Upsample(scale_factor=2), SMALL),
    "Upsample bilinear": LayerCase(lambda: nn.Upsample(scale_factor=2, mode="bilinear"), SMALL),
    "Upsample linear": LayerCase(lambda: nn.Upsample(scale_factor=2, mode="linear"), SEQUENCES),
    "Downsample2d": LayerCase(lambda: nn.Downsample2d(2), IMAGES),
    "Downsample1d": LayerCase(lambda: nn.Downsample1d(2), SEQUENCES),
    "ZeroUpsample2d": LayerCase(lambda: nn.ZeroUpsample2d(2), SMALL),
    "ZeroUpsample1d": LayerCase(lambda: nn.ZeroUpsample1d(2), SEQUENCES),
    "ConvTranspose2d": LayerCase(lambda: nn.ConvTranspose2d(128, 64, 4, 2, 1), (64, 128, 8, 8)),
    "ConvTranspose1d": LayerCase(lambda: nn.ConvTranspose1d(128, 64, 4, 2, 1), (64, 128, 64)),
    "Dropout": LayerCase(lambda: nn.Dropout(0.3), EMBEDDINGS),
    "Dropout2d": LayerCase(lambda: nn.Dropout2d(0.3), IMAGES),
    "DropBlock2d": LayerCase(lambda: nn.DropBlock2d(0.1, 5), SMALL),
    "Linear": LayerCase(lambda: nn.Linear(512, 7000), EMBEDDINGS),
    "SqueezeExcitation": LayerCase(lambda: nn.SqueezeExcitation(64, 16), IMAGES),
    "ArcFace": LayerCase(lambda: nn.ArcFace(512, 7000), EMBEDDINGS, "classes"),
    "CosFace": LayerCase(lambda: nn.CosFace(512, 7000), EMBEDDINGS, "classes"),
    "CrossEntropyLoss": LayerCase(lambda: nn.CrossEntropyLoss(label_smoothing=0.1), LOGITS, "classes"),
    "NLLLoss": LayerCase(nn.NLLLoss, LOGITS, "classes"),
    "MSELoss": LayerCase(nn.MSELoss, LOGITS, "values"),
    "L1Loss": LayerCase(nn.L1Loss, LOGITS, "values"),
    "SmoothL1Loss": LayerCase(nn.SmoothL1Loss, LOGITS, "values"),
    "HuberLoss": LayerCase(nn.HuberLoss, LOGITS, "values"),
    "BCEWithLogitsLoss": LayerCase(nn.BCEWithLogitsLoss, LOGITS, "shares"),
}
"""By name: that of the class, and what distinguishes two of one class."""


def measure_layer(name: str, plan: Plan, device: Device) -> dict[str, Any]:
    """Time forward and backward; return the times by backend, and their ratios."""
    layer = LAYERS[name]
    shape = (plan.batch(layer.shape[0]), *layer.shape[1:])
    times = race(layer_runners(layer, shape, plan.seed, device), plan, device)
    return {"name": name, "shape": list(shape), **times, **ratios(times)}


def layer_runners(
    layer: LayerCase, shape: tuple[int, ...], seed: int, device: Device
) -> dict[str, Callable[[], list[Any]]]:
    """Return a function per backend, which gives the output and the gradients of the input and the parameters."""
    rng = np.random.default_rng(seed)
    x, module = rng.standard_normal(shape, np.float32), layer.build()
    target = {
        "": lambda: None,
        "classes": lambda: rng.integers(0, getattr(module, "classes", shape[1]), shape[0]),
        "values": lambda: rng.standard_normal(shape, np.float32),
        "shares": lambda: rng.random(shape, np.float32),
    }[layer.target]()
    given = [x] if target is None else [x, target]
    grad = None if layer.loss else rng.standard_normal(np.shape(twin_output(module, given)), np.float32)
    arrays = [*given] if grad is None else [*given, grad]
    backends = BACKENDS if len(shape) == 4 else BACKENDS[:2]  # other shapes have one layout
    twins = {backend: device.module(twin(module), backend) for backend in backends[1:]}
    runners = {"mytorch": _ours(module.to(device.name), [device.ours(array) for array in arrays], grad is not None)}
    for backend, theirs in twins.items():
        runners[backend] = _theirs(theirs, [device.theirs(array, backend) for array in arrays], grad is not None)
    return runners


def twin_output(module: nn.Module, given: list[np.ndarray]) -> torch.Tensor:
    """Return the output of the layer's PyTorch twin, for its shape."""
    with torch.no_grad():
        return twin(module)(*map(torch.from_numpy, given))


def _ours(module: Any, arrays: list[Any], has_grad: bool) -> Callable[[], list[Any]]:
    given, grads = (arrays[:-1], arrays[-1:]) if has_grad else (arrays, [])
    parameters = list(module.parameters())

    def run() -> list[Any]:
        for parameter in parameters:
            parameter.grad = None
        y = module(*given)
        return [y, module.backward(*grads), *(parameter.grad for parameter in parameters)]

    return run


def _theirs(module: torch.nn.Module, arrays: list[torch.Tensor], has_grad: bool) -> Callable[[], list[Any]]:
    given, grads = (arrays[:-1], arrays[-1:]) if has_grad else (arrays, [None])
    x = given[0].clone().requires_grad_()
    wanted = [x, *module.parameters()]

    def run() -> list[Any]:
        y = module(x, *given[1:])
        found = torch.autograd.grad(y, wanted, *grads)
        return [y if has_grad else y.item(), *found]

    return run


CLASSES = 500
LEARNING_RATE = 1e-6
"""So small that a thousand steps along one gradient change little."""

OPTIMIZERS: dict[str, tuple[Callable[..., Any], Callable[..., Any], dict[str, Any]]] = {
    "SGD": (optim.SGD, torch.optim.SGD, {"momentum": 0.9, "weight_decay": 1e-4}),
    "Adam": (optim.Adam, torch.optim.Adam, {"weight_decay": 1e-4}),
    "AdamW": (optim.AdamW, torch.optim.AdamW, {"weight_decay": 0.05}),
    "NAdam": (optim.NAdam, torch.optim.NAdam, {"weight_decay": 1e-4}),
    "RMSprop": (optim.RMSprop, torch.optim.RMSprop, {"weight_decay": 1e-4}),
    "Adagrad": (optim.Adagrad, torch.optim.Adagrad, {"weight_decay": 1e-4}),
}


def measure_optimizer(name: str, plan: Plan, device: Device) -> dict[str, Any]:
    """Time a step over the small ResNet's parameters; return the times by backend, and their ratios."""
    ours, theirs, settings = OPTIMIZERS[name]
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
        "mytorch": ours(network.parameters(), lr=LEARNING_RATE, **settings).step,
        "torch": theirs(tensors, lr=LEARNING_RATE, **settings).step,
    }
    times = race(runners, plan, device)
    count = sum(parameter.data.size for parameter in network.parameters())
    return {"name": f"{name}.step", "shape": [count], **times, **ratios(times)}
