"""One node of an ONNX model as the functions that convert operators see it, and the table of these functions."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mytorch import nn
from mytorch.nn.graph_plan import Value
from mytorch.onnx.constants import Facts, Shape
from mytorch.onnx.model import require_onnx

Result = Value | Sequence[Value]
OPERATORS: dict[str, Callable[["Node"], Result]] = {}
"""What converts each operator, by its name: it adds layers to the graph, and returns the value of each output."""

FUNCTIONS = (
    nn.Add, nn.Subtract, nn.Multiply, nn.Divide, nn.Concatenate, nn.Split, nn.Reshape, nn.Permute, nn.Flatten, nn.Scale,
)  # fmt: skip
"""Layers without weights that need the operator in their name."""


class Unsupported(ValueError):
    """A node that mytorch cannot compute. The message says why."""


def operator(*names: str) -> Callable[[Callable[["Node"], Result]], Callable[["Node"], Result]]:
    """Register the function that converts these operators."""

    def register(convert: Callable[["Node"], Result]) -> Callable[["Node"], Result]:
        OPERATORS.update(dict.fromkeys(names, convert))
        return convert

    return register


@dataclass
class Target:
    """The graph that is being built. values: by ONNX's names. dynamic: the inputs whose shapes are open."""

    graph: nn.Graph
    facts: list[Facts]
    values: dict[str, Value]
    opset: int
    dtype: np.dtype
    learned: set[str]
    results: set[str]
    dynamic: tuple[str, ...]
    sources: dict[str, Value] = field(default_factory=dict)


class Node:
    """A node: its attributes, its constant inputs, the values of the others, and the shapes of all."""

    def __init__(self, proto: Any, target: Target):
        self.proto, self.target, self.graph = proto, target, target.graph
        self.kind: str = proto.op_type
        self.opset = target.opset
        read = require_onnx().helper.get_attribute_value
        self.attributes: dict[str, Any] = {one.name: read(one) for one in proto.attribute}

    @property
    def label(self) -> str:
        """The name by which the model's author finds it."""
        return self.proto.name or self.proto.output[0]

    def attribute(self, name: str, default: Any = None) -> Any:
        """Return an attribute: a number, a text or a list of numbers."""
        value = self.attributes.get(name, default)
        return value.decode() if isinstance(value, bytes) else value

    def has(self, index: int) -> bool:
        """Return whether the optional input of that index is given."""
        return index < len(self.proto.input) and bool(self.proto.input[index])

    def uses_output(self, index: int) -> bool:
        """Return whether the optional output of that index is used."""
        return index < len(self.proto.output) and self.proto.output[index] in self.target.results

    def is_constant(self, index: int) -> bool:
        """Return whether an input is known before the network runs."""
        return self.proto.input[index] in self.target.facts[0].constants

    def value(self, index: int = 0) -> Value:
        """Return the value of an input in the graph. A constant becomes a source of the graph."""
        name = self.proto.input[index]
        if name in self.target.values:
            return self.target.values[name]
        if name not in self.target.sources:
            array, own = self.floats(index), self.unique(readable(name))
            learned = name in self.target.learned and array.size > 1
            self.target.sources[name] = self.graph.parameter(own, array) if learned else self.graph.constant(own, array)
        return self.target.sources[name]

    def constant(self, index: int, what: str) -> np.ndarray:
        """Return a constant input. what: its name for messages."""
        arrays = [facts.constants.get(self.proto.input[index]) for facts in self.target.facts]
        first = arrays[0]
        if first is None or any(one is None for one in arrays):
            raise Unsupported(f"its {what} is computed from the input, expected a constant")
        if any(not np.array_equal(first, one) for one in arrays[1:] if one is not None):
            raise self.unresolved(what)
        return first

    def floats(self, index: int, what: str = "constant") -> np.ndarray:
        """Return a constant input as an array of its own, in the network's precision."""
        return np.array(self.constant(index, what), self.target.dtype, order="C")

    def integers(self, index: int, what: str) -> list[int]:
        """Return a constant input of whole numbers."""
        return [int(one) for one in self.constant(index, what).reshape(-1)]

    def choices(self, index: int, what: str) -> list[list[int]]:
        """Return whole numbers that may depend on open lengths: for each choice of these lengths."""
        arrays = [facts.constants.get(self.proto.input[index]) for facts in self.target.facts]
        if any(one is None for one in arrays):
            raise Unsupported(f"its {what} is computed from the input, expected a constant")
        return [[int(number) for number in one.reshape(-1)] for one in arrays if one is not None]

    def shape(self, index: int = 0) -> Shape | None:
        """Return the shape of an input, with None for open lengths, or None if not even its rank is known."""
        shapes = self.shapes(index)
        if shapes is None or len({len(one) for one in shapes}) > 1:
            return None
        return tuple(lengths[0] if len(set(lengths)) == 1 else None for lengths in zip(*shapes, strict=True))

    def shapes(self, index: int = 0) -> list[Shape] | None:
        """Return the shape of an input for each choice of the open lengths."""
        name = self.proto.input[index]
        found = []
        for facts in self.target.facts:
            if name in facts.constants:
                found.append(facts.constants[name].shape)
            elif name in facts.shapes:
                found.append(facts.shapes[name])
            else:
                return None
        return found

    def rank(self, index: int = 0) -> int:
        """Return the number of axes of an input."""
        shape = self.shape(index)
        if shape is None:
            raise self.unresolved(f"the shape of {self.proto.input[index]!r}")
        return len(shape)

    def size(self, axes: Sequence[int] | None = None, index: int = 0) -> tuple[int, ...]:
        """Return the lengths of some axes of an input, by default those of an image's, from axis 2."""
        shape = self.shape(index)
        known = () if shape is None else shape[2:] if axes is None else tuple(shape[axis] for axis in axes)
        lengths = tuple(one for one in known if one is not None)
        if shape is None or len(lengths) < len(known):
            raise self.unresolved(f"the size of {self.proto.input[index]!r}")
        return lengths

    def unresolved(self, what: str) -> Unsupported:
        """Return the error for a setting that depends on a length that the model leaves open."""
        if not self.target.dynamic:
            return Unsupported(f"{what} is not known before the network runs")
        inputs = " and ".join(map(repr, self.target.dynamic))
        return Unsupported(f"{what} depends on the dynamic shape of the input {inputs}: load it with shapes={{...}}")

    def add(self, layer: nn.Module, *inputs: Value, part: str = "") -> Value:
        """Add a layer to the graph. part: what it does, where a node becomes several layers; the last has none."""
        name = self._name(layer) + (f".{part}" if part else "")
        try:
            return self.graph.add(self.unique(name), layer, *inputs)
        except (TypeError, ValueError) as error:
            raise Unsupported(str(error)) from error

    def unique(self, name: str) -> str:
        """Return `name`, with a number if the graph has it already."""
        taken = {*self.graph.inputs, *self.graph.sources(), *(node.name for node in self.graph.nodes)}
        number, found = 1, name
        while found in taken:
            number += 1
            found = f"{name}_{number}"
        return found

    def _name(self, layer: nn.Module) -> str:
        """Return a readable name: that of the layer in PyTorch, if the names of its weights tell it."""
        learned = any(True for _ in layer.parameters())
        if learned:
            for name in self.proto.input[1:]:
                if name in self.target.learned and name.endswith((".weight", ".bias", "_weight", "_bias")):
                    return readable(name.removesuffix("weight").removesuffix("bias").rstrip("._"))
        if not self.proto.name:
            return readable(self.proto.output[0])
        name = readable(self.proto.name)
        if learned and "." in name and name.rpartition(".")[2].rstrip("_0123456789") == self.kind:
            name = name.rpartition(".")[0]
        return name


def readable(name: str) -> str:
    """Return an ONNX name as a dotted one: "/layer1/layer1.0/conv1/Conv" is layer1.0.conv1.Conv."""
    parts: list[str] = []
    for part in name.replace("::", "_").strip("/").split("/"):
        if parts and part.startswith(parts[-1] + "."):
            parts.pop()
        parts.append(part)
    return ".".join(part for part in parts if part) or "value"


def set_weights(layer: nn.Module, arrays: Mapping[str, np.ndarray | None]) -> nn.Module:
    """Give a layer its weights and buffers by name, in their own precision. None leaves one out."""
    for name, array in arrays.items():
        if array is None:
            continue
        old = getattr(layer, name)
        if old.shape != array.shape:
            raise Unsupported(f"its {name} has the shape {array.shape}, expected {old.shape}")
        if isinstance(old, nn.Parameter):
            old.data = array
        else:
            setattr(layer, name, array)
    return layer


def layer_class(name: str, axes: int) -> Any:
    """Return the class of a layer for 1 to 3 spatial axes, such as Conv2d."""
    found = getattr(nn, f"{name}{axes}d", None)
    if found is None:
        raise Unsupported(f"it has {axes} spatial axes, expected 1 to 3")
    return found
