"""A random configuration of every layer, and an input for it.

Those over images are in `spatial_cases`, those of losses and margins in `loss_cases`.
"""

from typing import Any

import numpy as np

from mytorch import nn
from tests.gradients import loss_cases, spatial_cases
from tests.gradients.drawing import (
    CASES,
    Case,
    Draw,
    case,
    flip,
    forgotten,
    integers,
    perturbed,
    separated,
    values,
)

__all__ = ["CASES", "Case", "forgotten", "loss_cases", "spatial_cases"]


@case("ReLU", "LeakyReLU", "PReLU", "Sigmoid", "Tanh", "GELU", "SiLU", "Identity")
def _activation(draw: Draw, name: str) -> Case:
    shape = integers(draw, 1, 5, int(draw.integers(2, 5)))
    arguments: dict[str, Any] = {}
    if name == "LeakyReLU":
        arguments["negative_slope"] = float(draw.uniform(0, 1))
    if name == "PReLU":
        arguments["num_parameters"] = shape[1] if flip(draw) else 1
    if name == "GELU":
        arguments["approximate"] = str(draw.choice(["none", "tanh"]))
    layer = getattr(nn, name)(**arguments).to(float)
    x = values(draw, *shape)
    return Case(perturbed(layer, draw) if name == "PReLU" else layer, separated(x) if "LU" in name else 2 * x)


@case("ReLU6", "Hardsigmoid", "Hardswish", "Mish", "SELU", "Softsign", "LogSigmoid", "Tanhshrink")
def _pointwise(draw: Draw, name: str) -> Case:
    x = values(draw, *integers(draw, 1, 5, int(draw.integers(1, 5))))
    return Case(getattr(nn, name)(), 3 * separated(x) if name[0] in "RH" else 2 * x)


@case("ELU", "CELU", "Softplus", "Hardtanh", "Threshold", "Softshrink", "Hardshrink")
def _pointwise_with_settings(draw: Draw, name: str) -> Case:
    first, second = sorted(draw.uniform(0.3, 2, 2))
    arguments = {"Softplus": (first, 8), "Hardtanh": (-first, second), "Threshold": (first, second)}
    exact = float(draw.choice([-2, -0.5, 0.5, 1, 2]))  # PyTorch rounds CELU's alpha to float32 in the gradient
    layer = getattr(nn, name)(*arguments.get(name, (exact if name == "CELU" else first,)))
    return Case(layer, 1.01 * separated(values(draw, *integers(draw, 1, 5, int(draw.integers(1, 5))))))


@case("RReLU")
def _rrelu(draw: Draw, name: str) -> Case:
    x = separated(values(draw, *integers(draw, 1, 5, int(draw.integers(1, 5)))))
    return Case(nn.RReLU(*sorted(draw.uniform(0, 1, 2))), x, training=False)


@case("GLU")
def _glu(draw: Draw, name: str) -> Case:
    shape = list(integers(draw, 1, 5, int(draw.integers(1, 5))))
    dim = int(draw.integers(-len(shape), len(shape)))
    shape[dim] *= 2
    return Case(nn.GLU(dim), values(draw, *shape))


@case("Softmax2d")
def _softmax2d(draw: Draw, name: str) -> Case:
    return Case(nn.Softmax2d(), 3 * values(draw, *integers(draw, 2, 6, int(draw.integers(3, 5)))))


@case("Softmax", "LogSoftmax", "Softmin")
def _softmax(draw: Draw, name: str) -> Case:
    shape = integers(draw, 1, 6, int(draw.integers(1, 5)))
    dim = int(draw.integers(-len(shape), len(shape)))
    return Case(getattr(nn, name)(dim), 3 * values(draw, *(n + (i == dim % len(shape)) for i, n in enumerate(shape))))


@case("BatchNorm1d", "BatchNorm2d", "BatchNorm3d")
def _batch_norm(draw: Draw, name: str) -> Case:
    size = integers(draw, 1, 4, int(name[-2]) if name != "BatchNorm1d" else int(draw.integers(2)))
    (channels,) = integers(draw, 1, 4, 1)
    momentum = None if flip(draw, 0.3) else float(draw.uniform(0, 1))
    eps, affine, tracked = float(draw.choice([1e-5, 1e-3, 0.1])), flip(draw, 0.7), flip(draw, 0.8)
    layer = getattr(nn, name)(channels, eps, momentum, affine, tracked, bias=flip(draw, 0.8))
    training = flip(draw)
    return Case(perturbed(layer, draw), values(draw, *integers(draw, 5, 9, 1), channels, *size), training=training)


@case("InstanceNorm1d", "InstanceNorm2d", "InstanceNorm3d")
def _instance_norm(draw: Draw, name: str) -> Case:
    channels, *size = integers(draw, 2, 5, 1 + int(name[-2]))
    lead = integers(draw, 1, 3, 1) if flip(draw, 0.8) else ()
    eps, affine, tracked = float(draw.choice([1e-3, 0.1])), flip(draw, 0.7), flip(draw)
    layer = getattr(nn, name)(channels, eps, float(draw.uniform(0, 1)), affine, tracked, bias=flip(draw, 0.8))
    return Case(perturbed(layer, draw), values(draw, *lead, channels, *size[:-1], 7), training=flip(draw))


@case("RMSNorm")
def _rms_norm(draw: Draw, name: str) -> Case:
    shape = (*integers(draw, 1, 5, int(draw.integers(4))), *integers(draw, 2, 9, 1))
    last = shape[-int(draw.integers(1, len(shape) + 1)) :]
    eps = None if flip(draw, 0.3) else float(draw.choice([1e-5, 1e-3, 0.1]))
    return Case(perturbed(nn.RMSNorm(last, eps, flip(draw, 0.7)), draw), values(draw, *shape))


@case("LocalResponseNorm")
def _local_response_norm(draw: Draw, name: str) -> Case:
    (size,), (alpha, beta, k) = integers(draw, 1, 6, 1), draw.uniform(0.1, 2, 3)
    return Case(
        nn.LocalResponseNorm(size, alpha, beta, k), values(draw, *integers(draw, 1, 6, int(draw.integers(3, 5))))
    )


@case("LayerNorm")
def _layer_norm(draw: Draw, name: str) -> Case:
    shape = (*integers(draw, 1, 5, int(draw.integers(4))), *integers(draw, 2, 9, 1))
    last = shape[-int(draw.integers(1, len(shape) + 1)) :]
    affine = flip(draw, 0.7)
    layer = nn.LayerNorm(last, float(draw.choice([1e-5, 1e-3, 0.1])), affine, bias=flip(draw))
    return Case(perturbed(layer, draw), values(draw, *shape))


@case("GroupNorm")
def _group_norm(draw: Draw, name: str) -> Case:
    groups, each = integers(draw, 1, 3, 2)
    size = (*integers(draw, 1, 5, int(draw.integers(2))), *integers(draw, 2, 9, 1))
    layer = nn.GroupNorm(groups, groups * each, float(draw.choice([1e-5, 1e-3, 0.1])), flip(draw, 0.7))
    return Case(perturbed(layer, draw), values(draw, *integers(draw, 1, 3, 1), groups * each, *size))


@case("Dropout", "Dropout1d", "Dropout2d", "Dropout3d", "AlphaDropout", "FeatureAlphaDropout", "DropBlock2d")
def _dropout(draw: Draw, name: str) -> Case:
    p = float(draw.choice([0, 0.1, 0.5, 0.9]))
    layer = nn.DropBlock2d(p, int(draw.integers(1, 6))) if name == "DropBlock2d" else getattr(nn, name)(p)
    axes = {"Dropout1d": 1, "Dropout3d": 3}.get(name, 2)
    shape = (*integers(draw, 1, 3, 2), *integers(draw, 1, 7, axes))
    return Case(layer, values(draw, *shape), training=flip(draw, 0.8), random=True)


@case("StochasticDepth")
def _stochastic_depth(draw: Draw, name: str) -> Case:
    layer = nn.StochasticDepth(float(draw.choice([0, 0.3, 0.9])), "row" if flip(draw, 0.7) else "batch")
    x = values(draw, *integers(draw, 1, 5, int(draw.integers(1, 5))))
    return Case(layer, x, training=flip(draw, 0.8), random=True)


@case("Linear")
def _linear(draw: Draw, name: str) -> Case:
    lead, (inputs, outputs) = integers(draw, 1, 4, int(draw.integers(1, 4))), integers(draw, 1, 9, 2)
    return Case(perturbed(nn.Linear(inputs, outputs, flip(draw, 0.7)), draw), values(draw, *lead, inputs))


@case("Bilinear")
def _bilinear(draw: Draw, name: str) -> Case:
    lead, (first, second, outputs) = integers(draw, 1, 4, int(draw.integers(4))), integers(draw, 1, 6, 3)
    layer = perturbed(nn.Bilinear(first, second, outputs, flip(draw, 0.7)), draw)
    return Case(layer, values(draw, *lead, first), (values(draw, *lead, second),))


@case("Flatten")
def _flatten(draw: Draw, name: str) -> Case:
    shape = integers(draw, 1, 5, int(draw.integers(2, 5)))
    first, last = sorted(int(n) for n in draw.integers(0, len(shape), 2))
    return Case(nn.Flatten(first, last - len(shape) if flip(draw) else last), values(draw, *shape))


@case("Unflatten")
def _unflatten(draw: Draw, name: str) -> Case:
    shape, parts = list(integers(draw, 1, 4, int(draw.integers(1, 4)))), integers(draw, 1, 3, 3)
    dim = int(draw.integers(-len(shape), len(shape)))
    shape[dim] = int(np.prod(parts))
    return Case(nn.Unflatten(dim, (-1, *parts[1:]) if flip(draw) else parts), values(draw, *shape))


@case("SqueezeExcitation")
def _squeeze(draw: Draw, name: str) -> Case:
    channels, squeezed = integers(draw, 1, 5, 2)
    layer = nn.SqueezeExcitation(channels, squeezed, nn.SiLU if flip(draw) else nn.Tanh)
    return Case(perturbed(layer, draw), values(draw, *integers(draw, 1, 3, 1), channels, *integers(draw, 1, 6, 2)))


@case("Sequential", "Residual")
def _container(draw: Draw, name: str) -> Case:
    (channels,) = integers(draw, 1, 5, 1)
    path = [nn.Conv2d(channels, channels, 3, padding=1), nn.GELU(), nn.GroupNorm(1, channels)]
    if name == "Sequential":
        layer: Any = nn.Sequential(*path, nn.Flatten())
    else:
        layer = nn.Residual(nn.Sequential(*path), nn.Conv2d(channels, channels, 1) if flip(draw) else None)
    return Case(perturbed(layer, draw), values(draw, *integers(draw, 1, 3, 1), channels, *integers(draw, 2, 7, 2)))


@case("Graph")
def _graph(draw: Draw, name: str) -> Case:
    """A fork, weights used twice, a gate, a scale and a constant of the graph's own, and layers that are fused."""
    (channels,) = integers(draw, 1, 4, 1)
    graph, shared = nn.Graph(), nn.Conv2d(channels, channels, 1)
    x = graph.input()
    y = graph.add("stage.0.bn", nn.BatchNorm2d(channels), x)
    y = graph.add("stage.0.relu", nn.ReLU(), y)
    z = graph.add("stage.1.mean", nn.Mean((2, 3), keepdim=True), y)
    z = graph.add("stage.1.fc", shared, graph.add("stage.1.act", nn.Tanh(), graph.add("first", shared, z)))
    y = graph.add("gated", nn.Multiply(), graph.parameter("stage.1.gamma", np.ones((1, channels, 1, 1))), y)
    y = graph.add("product", nn.Multiply(), y, z)
    y = graph.add("sum", nn.Add(), y, x, graph.constant("one", np.ones(()), persistent=False))
    graph.output(graph.add("last", nn.ReLU(), y))
    return Case(perturbed(graph, draw), values(draw, *integers(draw, 3, 5, 1), channels, *integers(draw, 2, 5, 2)))


def in_graph(layer: nn.Module, *others: nn.Module, parts: int = 1) -> nn.Graph:
    """Return a graph whose output is `layer` of its input, which passes the `others` on the way to its other inputs."""
    graph = nn.Graph()
    x = graph.input()
    branches = [graph.add(f"branch_{index}", branch, x) for index, branch in enumerate(others)]
    y = graph.add("layer", layer, x, *branches)
    used = [y[index] for index in range(parts) if index != 1] if parts > 1 else [y]
    graph.output(used[0] if len(used) == 1 else graph.add("sum", nn.Add(), *used))
    return graph


@case("Add", "Subtract", "Multiply", "Divide", "Concatenate")
def _merge(draw: Draw, name: str) -> Case:
    shape = integers(draw, 2, 5, int(draw.integers(1, 5)))
    axes = tuple(int(axis) for axis in np.flatnonzero(draw.random(len(shape)) < 0.5))
    x = values(draw, *shape)
    if name == "Concatenate":
        dim = int(draw.integers(-len(shape), len(shape)))
        return Case(in_graph(nn.Concatenate(dim), nn.Tanh(), nn.Slice(dim, 1)), x)
    others = [nn.Mean(axes, keepdim=True)] if axes else [nn.Tanh()]
    if name == "Divide":
        x = np.abs(x) + 0.5
    if name == "Add":
        others += [nn.Scale(0.3), nn.Mean(0)]
    return Case(in_graph(getattr(nn, name)(), *others), x)


@case("Scale", "Mean", "Normalize", "Permute", "Transpose", "Reshape", "Slice")
def _shape(draw: Draw, name: str) -> Case:
    shape = integers(draw, 1, 5, int(draw.integers(2, 5)))
    order = [int(axis) - (len(shape) if flip(draw) else 0) for axis in draw.permutation(len(shape))]
    layer = {
        "Scale": lambda: nn.Scale(*draw.uniform(-2, 2, 2)),
        "Mean": lambda: nn.Mean(order[: int(draw.integers(1, len(shape)))], flip(draw)),
        "Normalize": lambda: nn.Normalize(order[0]),
        "Permute": lambda: nn.Permute(order),
        "Transpose": lambda: nn.Transpose(*order[:2]),
        "Reshape": lambda: nn.Reshape((0, shape[-1], -1) if len(shape) > 2 else (0, -1)),
        "Slice": lambda: nn.Slice(order[0], *([0, -1] if shape[order[0]] > 1 else [0, 1]), int(draw.integers(1, 3))),
    }[name]()
    x = values(draw, *shape)
    return Case(layer, x + np.sign(x) if name == "Normalize" else x)  # far from zero, where it has no derivative


@case("Power", "Exp", "Log", "Abs", "Erf", "Clamp", "Sum", "Flip", "Squeeze", "Unsqueeze", "Expand", "IndexSelect")
def _function(draw: Draw, name: str) -> Case:
    shape = integers(draw, 1, 5, int(draw.integers(2, 5)))
    axes = [int(axis) - (len(shape) if flip(draw) else 0) for axis in draw.permutation(len(shape))]
    some = axes[: int(draw.integers(1, len(shape)))]
    x = separated(values(draw, *shape))
    if name in ("Power", "Log"):
        x = np.abs(x) + 0.5
    if name in ("Squeeze", "Expand"):
        axis = axes[0] % len(shape)
        x = x[(slice(None),) * axis + (slice(0, 1),)]
    layer = {
        "Power": lambda: nn.Power(float(draw.choice([-1, 0.5, 2, 2.5]))),
        "Exp": nn.Exp,
        "Log": nn.Log,
        "Abs": nn.Abs,
        "Erf": nn.Erf,
        "Clamp": lambda: nn.Clamp(-0.523, 0.481) if flip(draw) else nn.Clamp(max=0.477),
        "Sum": lambda: nn.Sum(some, flip(draw)),
        "Flip": lambda: nn.Flip(some),
        "Squeeze": lambda: nn.Squeeze(axes[0]),
        "Unsqueeze": lambda: nn.Unsqueeze([a % len(shape) - flip(draw) * (len(shape) + len(some)) for a in some]),
        "Expand": lambda: nn.Expand([3, *(2 if axis == axes[0] % len(shape) else -1 for axis in range(len(shape)))]),
        "IndexSelect": lambda: nn.IndexSelect(axes[0], draw.integers(0, shape[axes[0]], 4).tolist()),
    }[name]()
    return Case(layer, x)


@case("Resize")
def _resize(draw: Draw, name: str) -> Case:
    shape, sizes = integers(draw, 2, 7, 4), integers(draw, 1, 9, 2)
    coordinates = str(draw.choice(["half_pixel", "align_corners", "asymmetric", "half_pixel_symmetric"]))
    mode, antialias = str(draw.choice(["nearest", "linear", "cubic"])), flip(draw)
    options: dict[str, Any] = {"mode": mode, "coordinates": coordinates, "antialias": antialias}
    return Case(nn.Resize((1, -1), None, sizes, exclude_outside=flip(draw), **options), values(draw, *shape))


@case("Matmul")
def _matmul(draw: Draw, name: str) -> Case:
    shape = integers(draw, 2, 5, int(draw.integers(2, 5)))
    return Case(in_graph(nn.Matmul(), nn.Transpose(-1, -2)), values(draw, *shape))


@case("Chunk", "Split")
def _parts(draw: Draw, name: str) -> Case:
    (n, length), (dim,) = integers(draw, 2, 4, 2), integers(draw, -2, 1, 1)
    shape = [3, 4, 5]
    shape[dim] = n * length
    layer = nn.Chunk(n, dim) if name == "Chunk" else nn.Split(length if flip(draw) else [length] * n, dim)
    return Case(in_graph(layer, parts=n), values(draw, *shape))
