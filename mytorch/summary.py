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
Calls = dict[int, tuple[Shape, Shape, int]]
"""The input shape, output shape and number of calls of each module, by its id."""


@dataclass(frozen=True)
class LayerSummary:
    """A layer or a container: its dotted name, its class, its output's shape for one example, parameters and FLOPs.

    label: its name within its container. A layer of a Graph has its node's full name.
    """

    name: str
    label: str
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
    input_shapes: tuple[Shape, ...]

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
            name = "  " * row.depth + row.label
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
        shapes = " and ".join("x".join(map(str, shape)) for shape in self.input_shapes)
        inputs = f"input{'s' * (len(self.input_shapes) > 1)} {shapes}"
        lines.append(
            f"{inputs}: {self.parameters:,} parameters, {self.flops:,} FLOPs per example (a multiply-add is 2)"
        )
        return "\n".join(line.rstrip() for line in lines)


def summary(network: nn.Module, input_shape: Shape | Sequence[Shape]) -> Summary:
    """Run `network` once in evaluation mode on zeros, and return the output shape and the cost of every layer.

    input_shape: of one example, without the batch, such as (3, H, W); or one such shape for each input of a Graph. The
    network is not changed.
    """
    if not isinstance(input_shape, Sequence):
        raise ValueError(f"input_shape={input_shape}: expected the shape of one example, such as (3, 64, 64)")
    several = bool(input_shape) and isinstance(input_shape[0], Sequence)
    shapes: tuple[Any, ...] = tuple(map(tuple, input_shape)) if several else (tuple(input_shape),)  # type: ignore[arg-type]
    parameters = list(network.parameters())
    like = parameters[0].data if parameters else np.zeros(0, "f")
    inputs = [to_device(np.zeros((1, *shape), like.dtype), device_of(like)) for shape in shapes]
    calls: Calls = {}
    with no_grad(), _evaluation_mode(network), _record_shapes(network, calls):
        network(*inputs)
    return Summary(tuple(_rows(network, calls, "", "network", 0)), shapes)


def _rows(module: nn.Module, calls: Calls, name: str, label: str, depth: int) -> Iterator[LayerSummary]:
    """Yield the row of a module, and those of the modules inside it."""
    _, output, _ = calls.get(id(module), ((), (0,), 0))
    flops = sum(_flops(part, *calls[id(part)]) for part in _distinct(module) if id(part) in calls)
    count = sum(prod(shape) for shape in {id(p): p.shape for p in module.parameters()}.values())
    yield LayerSummary(name, label, type(module).__name__, output[1:], count, flops, depth)
    dot = f"{name}." if name else ""
    sources = module.sources() if isinstance(module, nn.Graph) else {}
    for own, source in sources.items():
        learned = prod(source.shape) if isinstance(source, nn.Parameter) else 0
        yield LayerSummary(dot + own, own, "Parameter" if learned else "constant", source.shape, learned, 0, depth + 1)
    for own, child in module.named_children():
        yield from _rows(child, calls, dot + own, own, depth + 1)


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
def _record_shapes(network: nn.Module, calls: Calls) -> Iterator[None]:
    """Record the calls of every module: the shapes of its input and output, the first ones if it has several."""
    modules = _distinct(network)

    def record(module: nn.Module) -> Callable[..., Any]:
        forward = module.forward

        def recording(*inputs: Array) -> Any:
            y: Any = forward(*inputs)
            first = y[0] if isinstance(y, tuple) else y
            calls[id(module)] = inputs[0].shape, first.shape, calls.get(id(module), ((), (), 0))[2] + 1
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
    (nn.Conv1d, nn.Conv2d, nn.Conv3d): lambda m, x, y: 2 * prod(y) * prod(m.weight.shape[1:]) + _bias_flops(m, y),
    (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d): lambda m, x, y: (
        2 * prod(x) * prod(m.weight.shape[1:]) + _bias_flops(m, y)
    ),
    nn.Linear: lambda m, x, y: 2 * prod(y) * m.in_features + _bias_flops(m, y),
    (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d): lambda m, x, y: _norm_flops(m, y, 2),
    (nn.LayerNorm, nn.GroupNorm, nn.InstanceNorm1d, nn.InstanceNorm2d, nn.InstanceNorm3d): lambda m, x, y: _norm_flops(
        m, y, 6
    ),
    (nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d): lambda m, x, y: prod(y) * prod(m.kernel_size),
    (nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d): lambda m, x, y: prod(y) * prod(m.kernel_size),
    (nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d, nn.AdaptiveAvgPool3d, nn.GlobalAvgPool2d): lambda m, x, y: prod(x),
    (nn.AdaptiveMaxPool1d, nn.AdaptiveMaxPool2d, nn.AdaptiveMaxPool3d): lambda m, x, y: prod(x),
    (nn.LPPool1d, nn.LPPool2d, nn.LPPool3d): lambda m, x, y: prod(y) * (2 * prod(m.kernel_size) + 1),
    (nn.Upsample, nn.UpsamplingNearest2d, nn.UpsamplingBilinear2d): lambda m, x, y: (
        0 if m.mode.startswith("nearest") else 3 * (len(y) - 2) * prod(y)
    ),
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
    (nn.Residual, nn.SqueezeExcitation, nn.Subtract, nn.Multiply, nn.Divide): lambda m, x, y: prod(y),
    nn.Add: lambda m, x, y: prod(y),
    nn.Scale: lambda m, x, y: 2 * prod(y),
    nn.Mean: lambda m, x, y: prod(x),
}
"""The FLOPs of each layer, from its (1, ...) input and output shapes. Layers that are not listed have none."""
