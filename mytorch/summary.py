"""A table of a network's layers: `print(mytorch.summary(network, (3, 64, 64)))`."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from mytorch import nn
from mytorch.device import Array, device_of, to_device
from mytorch.modes import no_grad

Shape = tuple[int, ...]


@dataclass(frozen=True)
class LayerSummary:
    """A layer or a container: its dotted name, its class, its output's shape for one example, parameters and FLOPs."""

    name: str
    kind: str
    output_shape: Shape
    parameters: int
    flops: int
    depth: int


@dataclass(frozen=True)
class Summary:
    """Every layer of a network. Containers come before their layers and include their numbers. str() is a table.

    FLOPs are those of one example in evaluation mode. A multiply-add counts as two. A bias, an activation, a
    comparison, and one operation of a normalization or an interpolation count as one per output; a function such as exp
    or tanh does too. Reshaping, padding and dropout count as none.
    """

    rows: tuple[LayerSummary, ...]
    input_shape: Shape

    @property
    def parameters(self) -> int:
        """Number of learned values of the whole network."""
        return self.rows[0].parameters

    @property
    def flops(self) -> int:
        """FLOPs of the whole network, for one example."""
        return self.rows[0].flops

    def __str__(self) -> str:
        cells = [("layer", "kind", "output", "parameters", "FLOPs")]
        for row in self.rows:
            name = "  " * row.depth + (row.name.rpartition(".")[2] or "network")
            shape = "x".join(map(str, row.output_shape))
            cells.append((name, row.kind, shape, f"{row.parameters:,}", f"{row.flops:,}"))
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        lines = [
            "  ".join(
                cell.ljust(w) if i < 3 else cell.rjust(w) for i, (cell, w) in enumerate(zip(row, widths, strict=True))
            )
            for row in cells
        ]
        lines.insert(1, "  ".join("-" * width for width in widths))
        shape = "x".join(map(str, self.input_shape))
        lines.append(
            f"input {shape}: {self.parameters:,} parameters, {self.flops:,} FLOPs per example (a multiply-add is 2)"
        )
        return "\n".join(line.rstrip() for line in lines)


def summary(network: nn.Module, input_shape: Shape) -> Summary:
    """Run `network` once in evaluation mode on zeros, and return the output shape and the cost of every layer.

    input_shape: of one example, without the batch, such as (3, H, W). The network is not changed.
    """
    if not isinstance(input_shape, Sequence):
        raise ValueError(f"input_shape={input_shape}: expected the shape of one example, such as (3, 64, 64)")
    parameters = list(network.parameters())
    like = parameters[0].data if parameters else np.zeros(0, "f")
    x = to_device(np.zeros((1, *input_shape), like.dtype), device_of(like))
    calls: dict[int, tuple[Shape, Shape, int]] = {}
    with no_grad(), _evaluation_mode(network), _record_shapes(network, calls):
        network(x)
    rows = []
    for name, module in network.named_modules():
        _, output, _ = calls.get(id(module), ((), (0,), 0))
        flops = sum(_flops(part, *calls[id(part)]) for part in _distinct(module) if id(part) in calls)
        depth = name.count(".") + 1 if name else 0
        count = sum(prod(shape) for shape in {id(p): p.shape for p in module.parameters()}.values())
        rows.append(LayerSummary(name, type(module).__name__, output[1:], count, flops, depth))
    return Summary(tuple(rows), tuple(input_shape))


def _distinct(module: nn.Module) -> list[nn.Module]:
    """Return a module and all modules below it, each once, however often it is used."""
    return list({id(part): part for _, part in module.named_modules()}.values())


@contextmanager
def _evaluation_mode(network: nn.Module) -> Iterator[None]:
    """Set evaluation mode inside the `with` block, and restore each module's mode afterwards."""
    modes = [(module, module.training) for module in network.modules()]
    network.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training


@contextmanager
def _record_shapes(network: nn.Module, calls: dict[int, tuple[Shape, Shape, int]]) -> Iterator[None]:
    """Record in `calls` the input shape, output shape and number of calls of every module."""
    modules = _distinct(network)

    def record(module: nn.Module) -> Callable[[Array], Array]:
        forward = module.forward

        def recording(x: Array) -> Array:
            y = forward(x)
            calls[id(module)] = x.shape, y.shape, calls.get(id(module), ((), (), 0))[2] + 1
            return y

        return recording

    for module in modules:
        module.__dict__["forward"] = record(module)
    try:
        yield
    finally:
        for module in modules:
            del module.__dict__["forward"]


def _flops(module: Any, x: Shape, y: Shape, calls: int) -> int:
    """Return the FLOPs of a layer itself, without those of the layers inside it."""
    for kind, count in FLOP_COUNTERS.items():
        if isinstance(module, kind):
            return calls * count(module, x, y)
    return 0


def _bias_flops(module: Any, y: Shape) -> int:
    return 0 if module.bias is None else prod(y)


def _norm_flops(module: Any, y: Shape, per_output: int) -> int:
    return prod(y) * (per_output + (module.weight is not None) + (module.bias is not None))


FLOP_COUNTERS: dict[type | tuple[type, ...], Callable[[Any, Shape, Shape], int]] = {
    (nn.Conv1d, nn.Conv2d): lambda m, x, y: 2 * prod(y) * prod(m.weight.shape[1:]) + _bias_flops(m, y),
    (nn.ConvTranspose1d, nn.ConvTranspose2d): lambda m, x, y: (
        2 * prod(x) * prod(m.weight.shape[1:]) + _bias_flops(m, y)
    ),
    nn.Linear: lambda m, x, y: 2 * prod(y) * m.in_features + _bias_flops(m, y),
    (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d): lambda m, x, y: _norm_flops(m, y, 2),
    (nn.LayerNorm, nn.GroupNorm, nn.InstanceNorm1d, nn.InstanceNorm2d, nn.InstanceNorm3d): lambda m, x, y: _norm_flops(
        m, y, 6
    ),
    (nn.MaxPool1d, nn.MaxPool2d, nn.AvgPool1d, nn.AvgPool2d): lambda m, x, y: prod(y) * prod(m.kernel_size),
    (nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d, nn.GlobalAvgPool2d): lambda m, x, y: prod(x),
    nn.Upsample: lambda m, x, y: 0 if m.mode == "nearest" else 3 * (len(y) - 2) * prod(y),
    nn.ReLU: lambda m, x, y: prod(y),
    (nn.LeakyReLU, nn.PReLU): lambda m, x, y: 2 * prod(y),
    nn.Hardtanh: lambda m, x, y: 2 * prod(y),
    nn.Hardsigmoid: lambda m, x, y: 4 * prod(y),
    nn.Hardswish: lambda m, x, y: 5 * prod(y),
    nn.Tanh: lambda m, x, y: prod(y),
    nn.Sigmoid: lambda m, x, y: 3 * prod(y),
    nn.SiLU: lambda m, x, y: 4 * prod(y),
    nn.GELU: lambda m, x, y: (4 if m.approximate == "none" else 9) * prod(y),
    (nn.Softmax, nn.LogSoftmax): lambda m, x, y: 4 * prod(y),
    (nn.Residual, nn.SqueezeExcitation): lambda m, x, y: prod(y),
}
"""The FLOPs of each layer, from its (1, ...) input and output shapes. Layers that are not listed have none."""
