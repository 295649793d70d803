"""What a network is made of: `print(mytorch.summary(network, (3, 64, 64)))`."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from mytorch import nn
from mytorch.device import Array, side, to_device
from mytorch.modes import no_grad

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Row:
    """A layer or a container: its dotted name, what it is, its output for one example, its parameters and its FLOPs."""

    name: str
    kind: str
    output: Shape
    parameters: int
    flops: int
    depth: int


@dataclass(frozen=True)
class Summary:
    """Every layer of a network, containers before what they hold, whose figures they include; str() is a table.

    FLOPs are those of one example in evaluation: a multiply-add is two, and a bias, an activation, a comparison or one
    operation of a normalisation or of an interpolation is one an output; a function such as exp or tanh is one too.
    Reshaping, padding and dropout are none.
    """

    rows: tuple[Row, ...]
    input_shape: Shape

    @property
    def parameters(self) -> int:
        """Learned numbers of the whole network."""
        return self.rows[0].parameters

    @property
    def flops(self) -> int:
        """FLOPs of the whole network, for one example."""
        return self.rows[0].flops

    def __str__(self) -> str:
        cells = [("layer", "kind", "output", "parameters", "FLOPs")]
        for row in self.rows:
            name = "  " * row.depth + (row.name.rpartition(".")[2] or "network")
            cells.append((name, row.kind, "x".join(map(str, row.output)), f"{row.parameters:,}", f"{row.flops:,}"))
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
            f"input {shape}: {self.parameters:,} parameters, {self.flops:,} FLOPs an example (a multiply-add is 2)"
        )
        return "\n".join(line.rstrip() for line in lines)


def summary(network: nn.Module, input_shape: Shape) -> Summary:
    """Run `network` once, in evaluation and without keeping anything, and note every layer's output.

    input_shape: of one example, without the batch: (3, H, W). The network comes back as it was.
    """
    if not isinstance(input_shape, Sequence):
        raise ValueError(f"input_shape={input_shape}: expected the shape of one example, such as (3, 64, 64)")
    parameters = list(network.parameters())
    like = parameters[0].data if parameters else np.zeros(0, "f")
    x = to_device(np.zeros((1, *input_shape), like.dtype), side(like))
    seen: dict[int, tuple[Shape, Shape, int]] = {}
    with no_grad(), _evaluating(network), _watched(network, seen):
        network(x)
    rows = []
    for name, module in network.named_modules():
        _, output, _ = seen.get(id(module), ((), (0,), 0))
        flops = sum(_flops(part, *seen[id(part)]) for _, part in module.named_modules() if id(part) in seen)
        depth = name.count(".") + 1 if name else 0
        count = sum(prod(parameter.shape) for parameter in module.parameters())
        rows.append(Row(name, type(module).__name__, output[1:], count, flops, depth))
    return Summary(tuple(rows), tuple(input_shape))


@contextmanager
def _evaluating(network: nn.Module) -> Iterator[None]:
    """Every module in evaluation, and afterwards in the mode it was in."""
    modes = [(module, module.training) for _, module in network.named_modules()]
    network.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training


@contextmanager
def _watched(network: nn.Module, seen: dict[int, tuple[Shape, Shape, int]]) -> Iterator[None]:
    """Every forward notes the shapes of its input and its output, and how often it was called."""
    modules = [module for _, module in network.named_modules()]

    def watch(module: nn.Module) -> Callable[[Array], Array]:
        forward = module.forward

        def noting(x: Array) -> Array:
            y = forward(x)
            seen[id(module)] = x.shape, y.shape, seen.get(id(module), ((), (), 0))[2] + 1
            return y

        return noting

    for module in modules:
        module.__dict__["forward"] = watch(module)
    try:
        yield
    finally:
        for module in modules:
            del module.__dict__["forward"]


def _flops(module: Any, x: Shape, y: Shape, calls: int) -> int:
    """The FLOPs of a layer itself, without those that it holds."""
    for kind, count in COUNTS.items():
        if isinstance(module, kind):
            return calls * count(module, x, y)
    return 0


def _biased(module: Any, y: Shape) -> int:
    return 0 if module.bias is None else prod(y)


def _affine(module: Any, y: Shape, each: int) -> int:
    return prod(y) * (each + (module.weight is not None) + (module.bias is not None))


COUNTS: dict[type | tuple[type, ...], Callable[[Any, Shape, Shape], int]] = {
    (nn.Conv1d, nn.Conv2d): lambda m, x, y: 2 * prod(y) * prod(m.weight.shape[1:]) + _biased(m, y),
    (nn.ConvTranspose1d, nn.ConvTranspose2d): lambda m, x, y: 2 * prod(x) * prod(m.weight.shape[1:]) + _biased(m, y),
    nn.Linear: lambda m, x, y: 2 * prod(y) * m.in_features + _biased(m, y),
    (nn.BatchNorm1d, nn.BatchNorm2d): lambda m, x, y: _affine(m, y, 2),
    (nn.LayerNorm, nn.GroupNorm): lambda m, x, y: _affine(m, y, 6),
    (nn.MaxPool1d, nn.MaxPool2d, nn.AvgPool1d, nn.AvgPool2d): lambda m, x, y: prod(y) * prod(m.kernel_size),
    (nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d, nn.GlobalAvgPool2d): lambda m, x, y: prod(x),
    nn.Upsample: lambda m, x, y: 0 if m.mode == "nearest" else 3 * (len(y) - 2) * prod(y),
    nn.ReLU: lambda m, x, y: prod(y),
    (nn.LeakyReLU, nn.PReLU): lambda m, x, y: 2 * prod(y),
    nn.Tanh: lambda m, x, y: prod(y),
    nn.Sigmoid: lambda m, x, y: 3 * prod(y),
    nn.SiLU: lambda m, x, y: 4 * prod(y),
    nn.GELU: lambda m, x, y: (4 if m.approximate == "none" else 9) * prod(y),
    (nn.Softmax, nn.LogSoftmax): lambda m, x, y: 4 * prod(y),
    (nn.Residual, nn.SqueezeExcitation): lambda m, x, y: prod(y),
}
"""What each layer does to (N, ...) input and output shapes of one example; layers that are not here do nothing."""
