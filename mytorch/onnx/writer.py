"""Collects the nodes and weights of an ONNX model, and the table of functions that write each layer."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from mytorch import nn
from mytorch.device import Array, to_device
from mytorch.onnx.model import require_onnx

WRITERS: dict[type, Callable[..., Any]] = {}
"""What writes a layer of each class: (layer, site, *inputs) -> the names of its outputs, or its outputs as tensors."""

Name = str


class CannotWrite(ValueError):
    """A layer that ONNX cannot compute. The message says why."""


class Tensor(NamedTuple):
    """A value of the model: its name, and what it is for the example."""

    name: Name
    example: Array

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape for the example. The first length is that of its batch."""
        return self.example.shape


def writes(*kinds: type) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Register the function that writes layers of these classes."""

    def register(write: Callable[..., Any]) -> Callable[..., Any]:
        WRITERS.update(dict.fromkeys(kinds, write))
        return write

    return register


class Writer:
    """The model that is being written. problems: what cannot be, one line for each layer."""

    def __init__(self, dtype: np.dtype):
        self.onnx = require_onnx()
        self.dtype = dtype
        self.nodes: list[Any] = []
        self.arrays: dict[Name, np.ndarray] = {}
        self.problems: list[str] = []
        self.taken: set[Name] = set()

    def layer(self, layer: nn.Module, path: str, *inputs: Tensor, weights: str | None = None) -> list[Tensor]:
        """Write a layer that is called with these inputs. path: its name. weights: that of its weights, if another.

        What cannot be written is noted, and computed for the example, so that all problems are found.
        """
        write = _writer_of(layer)
        try:
            if write is None:
                raise CannotWrite("ONNX has no operator for it, and it is not made of layers that have one")
            results = write(layer, Site(self, path, path if weights is None else weights), *inputs)
            names: list[Any] = [results] if isinstance(results, str | Tensor) else list(results)
            if all(isinstance(one, Tensor) for one in names):
                return names
        except CannotWrite as error:
            self.problems.append(f"{path or 'the network'} ({type(layer).__name__}): {error}")
            names = []
        found: Any = layer(*(one.example for one in inputs))
        examples = found if isinstance(found, tuple) else (found,)
        return [Tensor(name, example) for name, example in zip(names or ["?"] * len(examples), examples, strict=True)]

    def unique(self, name: Name) -> Name:
        """Return a name that no other value has."""
        number, found = 1, name or "value"
        while found in self.taken:
            number += 1
            found = f"{name}_{number}"
        self.taken.add(found)
        return found

    def array(self, name: Name, array: Array) -> Name:
        """Add weights or a constant, and return the name. The same array under the same name is stored once."""
        values = np.ascontiguousarray(to_device(array, "cpu"))
        values = values.reshape(np.shape(array))  # ascontiguousarray turns a number into a list of one
        values = values.astype(self.dtype) if values.dtype.kind == "f" else values
        known = self.arrays.get(name)
        if known is not None and np.array_equal(known, values):
            return name
        found = self.unique(name)
        self.arrays[found] = values
        return found


class Site:
    """Where in the network a layer is: what its writer adds nodes and weights with."""

    def __init__(self, writer: Writer, path: str, weights: str):
        self.writer, self.path, self.weights = writer, path, weights

    def node(
        self, kind: str, inputs: Sequence[Tensor | Name], part: str = "", outputs: int = 1, **settings: Any
    ) -> Any:
        """Add a node, and return the name of its output, or a list of names. part: its name within the layer."""
        name = self.writer.unique(f"{self.path}.{part}" if part and self.path else part or self.path or kind.lower())
        names = [name, *(self.writer.unique(f"{name}.{index}") for index in range(1, outputs))]
        given = [one if isinstance(one, str) else one.name for one in inputs]
        self.writer.nodes.append(self.writer.onnx.helper.make_node(kind, given, names, name=name, **settings))
        return name if outputs == 1 else names

    def array(self, name: str, array: Array | nn.Parameter) -> Name:
        """Add the layer's array `name`, and return its name in the model."""
        values = array.data if isinstance(array, nn.Parameter) else array
        return self.writer.array(f"{self.weights}.{name}" if self.weights else name, values)

    def numbers(self, name: str, numbers: Sequence[int]) -> Name:
        """Add whole numbers, such as axes."""
        return self.array(name, np.array(numbers, np.int64))

    def number(self, name: str, number: float) -> Name:
        """Add one number."""
        return self.array(name, np.array(number, self.writer.dtype))

    def layer(self, layer: nn.Module, name: str, *inputs: Tensor, weights: str | None = None) -> list[Tensor]:
        """Write a layer within this one."""
        path, own = (f"{prefix}.{name}" if prefix else name for prefix in (self.path, self.weights))
        if weights is not None:
            own = f"{self.weights}.{weights}" if self.weights else weights
        return self.writer.layer(layer, path, *inputs, weights=own)


def _writer_of(layer: nn.Module) -> Callable[..., Any] | None:
    """Return what writes a layer, None for a class of its own kind: a subclass with another forward counts as that."""
    for kind in type(layer).__mro__:
        if kind in WRITERS:
            return WRITERS[kind] if type(layer).forward is kind.forward else None  # type: ignore[attr-defined]
    return None


@writes(nn.Sequential)
def _sequential(layer: nn.Sequential, site: Site, *values: Tensor) -> list[Tensor]:
    found = list(values)
    for name, one in layer.named_children():
        found = site.layer(one, name, *found)
    return found


@writes(nn.Residual)
def _residual(layer: nn.Residual, site: Site, x: Tensor) -> Tensor:
    (body,) = site.layer(layer.body, "body", x)
    shortcut = x if layer.shortcut is None else site.layer(layer.shortcut, "shortcut", x)[0]
    return Tensor(site.node("Add", [body, shortcut], "add"), body.example + shortcut.example)


@writes(nn.SqueezeExcitation)
def _squeeze_excitation(layer: nn.SqueezeExcitation, site: Site, x: Tensor) -> Tensor:
    scale = x
    for name in ("avgpool", "fc1", "activation", "fc2", "scale_activation"):
        (scale,) = site.layer(getattr(layer, name), name, scale)
    return Tensor(site.node("Mul", [x, scale], "scale"), x.example * scale.example)


@writes(nn.Graph)
def _graph(layer: nn.Graph, site: Site, *inputs: Tensor) -> list[Tensor]:
    values: dict[str, list[Tensor]] = {name: [value] for name, value in zip(layer.inputs, inputs, strict=True)}
    for name, source in layer.sources().items():
        array = source.data if isinstance(source, nn.Parameter) else source
        values[name] = [Tensor(site.array(name, array), array)]
    for node in layer.nodes:
        given = list(_picked(values, node.inputs))
        values[node.name] = site.layer(layer[node.layer], node.name, *given, weights=node.layer)
    return list(_picked(values, layer.outputs))


def _picked(values: dict[str, list[Tensor]], wanted: Sequence[Any]) -> Iterator[Tensor]:
    return (values[value.name][value.index or 0] for value in wanted)
