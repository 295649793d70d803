"""A call in a traced PyTorch network, with what its conversion needs."""

import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import fx
from torch import nn as theirs

from mytorch import nn
from mytorch.nn.describe import known_layers
from mytorch.nn.graph_plan import Value


class Unsupported(Exception):
    """A call that mytorch cannot compute, and why."""


class Varying(NamedTuple):
    """A number that depends on the batch: its values for two batches, of which the second has one more example."""

    first: int
    second: int


def merge_arguments(one: Any, other: Any) -> Any:
    """Return the arguments of a call, where numbers that differ between two traces are `Varying`."""
    if isinstance(one, fx.Node) != isinstance(other, fx.Node) or _count(one) != _count(other):
        raise Unsupported("it has other arguments for another batch size")
    if isinstance(one, list | tuple):
        merged = [merge_arguments(*pair) for pair in zip(one, other, strict=True)]
        return merged if isinstance(one, list) else tuple(merged)
    if isinstance(one, dict):
        return {key: merge_arguments(value, other[key]) for key, value in one.items()}
    return Varying(one, other) if isinstance(one, int) and one != other else one


def _count(argument: Any) -> int | None:
    return len(argument) if isinstance(argument, list | tuple) else None


def writes(node: fx.Node, network: theirs.Module) -> bool:
    """Return True if a call writes its result into its first argument."""
    if node.op == "call_module":
        return bool(getattr(network.get_submodule(str(node.target)), "inplace", False))
    if node.target in (operator.iadd, operator.imul, operator.isub, operator.itruediv):
        return True
    name = node.target if isinstance(node.target, str) else getattr(node.target, "__name__", "")
    return node.kwargs.get("inplace") is True or (name.endswith("_") and not name.endswith("__"))


def layer_class(name: str) -> Any:
    """Return the layer of that name. Raises Unsupported if there is none."""
    kind = known_layers().get(name)
    if kind is None:
        raise Unsupported(f"mytorch has no layer {name}")
    return kind


def plain(value: Any) -> Any:
    """Return a list as a tuple. Raises Unsupported for a number that depends on the batch or on an unknown shape."""
    if isinstance(value, Varying | fx.Node):
        raise Unsupported("an argument depends on the shape of the input: give from_torch an example of this size")
    return tuple(map(plain, value)) if isinstance(value, list | tuple) else value


@dataclass
class Call:
    """A call in the traced network. twin: the same in a trace with another batch size."""

    converter: Any
    node: fx.Node
    twin: fx.Node
    args: tuple[Any, ...]
    kwargs: dict[str, Any]

    def bind(self, *names: str, **defaults: Any) -> dict[str, Any]:
        """Return the arguments by name, where `names` are those of the positional ones, the tensor's first."""
        bound = defaults | dict(zip(names, self.args, strict=False)) | self.kwargs
        self.args = tuple(bound[name] for name in names if name in bound)
        return bound

    def value(self, argument: Any) -> Value:
        """Return the value of an argument, given itself or by its index."""
        node = self.args[argument] if isinstance(argument, int) else argument
        if not isinstance(node, fx.Node):
            raise Unsupported(f"expected a tensor, not {node!r}")
        return self.converter.values[node]

    def shape(self, argument: int, twin: bool = False) -> tuple[int, ...]:
        """Return the shape of an argument for the example. Raises Unsupported without an example."""
        return self._shape((self.twin if twin else self.node).args[argument])

    def result_shape(self, twin: bool = False) -> tuple[int, ...]:
        """Return the shape of the result for the example. Raises Unsupported without an example."""
        return self._shape(self.twin if twin else self.node)

    def add(self, layer: nn.Module, *inputs: Value) -> Value:
        """Add a node with this call's name."""
        return self.converter.add(self.node.name, layer, *inputs)

    def _shape(self, node: Any) -> tuple[int, ...]:
        example = node.meta.get("example")
        if not isinstance(example, torch.Tensor):
            raise Unsupported("needs the shape of its input: give from_torch an example")
        return tuple(example.shape)


Function = Callable[[Call], Value]
"""Adds the node of a call to the converter's graph, and returns its value."""


def registry(table: dict[Any, Function]) -> Callable[..., Callable[[Function], Function]]:
    """Return a decorator for what adds the nodes of calls: `@function(torch.add, "add")` enters it in `table`."""

    def function(*targets: Any) -> Callable[[Function], Function]:
        def register(adds: Function) -> Function:
            table.update(dict.fromkeys(targets, adds))
            return adds

        return register

    return function
