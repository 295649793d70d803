"""Networks that are any directed graph of layers without cycles: branches, sums, concatenations, gates."""

import json
import os
from collections import Counter
from collections.abc import Iterable
from typing import Any

import numpy as np

from mytorch.checkpoint import CheckpointError, load, save
from mytorch.device import Array, device_of, get_array_module
from mytorch.nn.describe import known_layers
from mytorch.nn.fusion import FusedLayer, fuse
from mytorch.nn.graph_file import fill, structure_of
from mytorch.nn.graph_plan import Node, Step, Value, check, plan
from mytorch.nn.module import Module, Parameter
from mytorch.nn.validate import check_gradient
from mytorch.ops.activation import add
from mytorch.random import seeded

METADATA = "mytorch.nn.Graph"
"""Where a file has the structure among its metadata."""


class Graph(Module):
    """A network of layers that are connected in any way without cycles.

        graph = nn.Graph()
        x = graph.input("image")
        y = graph.add("conv", nn.Conv2d(3, 3, 3, padding=1), x)
        y = graph.add("sum", nn.Add(), y, x)
        graph.output(y)

    forward computes the nodes in the order in which they were added, and backward calls each layer's backward in
    reverse order. Where a value has several users, their gradients are summed. Results are freed after their last use.
    `graph["conv"]` is the layer of that name, and its weights are called "conv.weight"; names may contain dots, so that
    a graph has the names of a network of nested modules. A layer may be added at several nodes: they share its weights.
    Neighboring layers are computed together as in Sequential, so call the graph's backward, not those of its layers.
    """

    def __init__(self) -> None:
        self._members: dict[str, Any] = {}
        self._inputs: list[str] = []
        self._nodes: dict[str, Node] = {}
        self._outputs: list[Value] = []
        self._steps: list[Step] | None = None

    def input(self, name: str = "input") -> Value:
        """Add an input, and return its value."""
        self._inputs.append(self._new_name(name))
        return self._value(name)

    def parameter(self, name: str, value: Parameter | Array) -> Value:
        """Add a learned array that is not inside a layer, such as the scale of a branch, and return its value."""
        self._members[self._new_name(name)] = value if isinstance(value, Parameter) else Parameter(value)
        return self._value(name)

    def constant(self, name: str, array: Array, persistent: bool = True) -> Value:
        """Add a buffer, an array that is not learned, and return its value. See `Module.register_buffer`."""
        self.register_buffer(self._new_name(name), array, persistent)
        return self._value(name)

    def add(self, name: str, layer: Module, *inputs: Value | str) -> Value:
        """Add a node that calls `layer` with these values, and return the value of its output.

        An input may be given by its name, too. A layer that the graph has already is shared. Raises ValueError for a
        name that exists, and for an input that is not in this graph.
        """
        if not isinstance(layer, Module):
            raise TypeError(f"Graph.add({name!r}) got {layer!r}: expected a Module of mytorch, such as nn.ReLU()")
        if not inputs:
            raise ValueError(f"Graph.add({name!r}) got no input: give the values that the layer is called with")
        values = tuple(self._resolve(value, f"an input of {name!r}") for value in inputs)
        self._new_name(name)
        own = next((own for own, member in self._members.items() if member is layer), name)
        self._members[own] = layer
        self._nodes[name] = Node(name, own, values)
        return self._value(name)

    def output(self, *values: Value | str) -> None:
        """Set what forward returns: one array, or a tuple of several.

        Raises ValueError for a value that does not depend on an input, and for nodes and inputs that no output uses.
        """
        self._outputs = [self._resolve(value, "an output") for value in values]
        try:
            self._steps = self._plan()
        except ValueError:
            self._outputs = []
            raise

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the graph as one safetensors file: its arrays, and its structure as JSON in the metadata.

        The file is written completely or not at all. Raises TypeError for a layer that does not store the arguments of
        its constructor under their names.
        """
        self._ready()
        save({**self.state_dict(), **dict(self.named_buffers())}, path, {METADATA: json.dumps(self.structure())})

    @classmethod
    def load(cls, path: str | os.PathLike[str], layers: Iterable[type[Module]] = ()) -> "Graph":
        """Return the graph that `save` wrote, in training mode and in the precision that it had.

        layers: your own classes that occur in it; nothing else is called, so a file from a stranger runs no code.
        Raises CheckpointError, naming the file, if it is missing or damaged, or was not written by `save`.
        """
        arrays, metadata = load(path)
        if METADATA not in metadata:
            raise CheckpointError(f"{path}: holds weights without a structure; expected a file that Graph.save wrote")
        try:
            with seeded(0):  # the first weights are replaced, and the library's generator stays where it is
                graph = cls.from_structure(json.loads(metadata[METADATA]), known_layers(layers))
            if any(array.dtype == np.float64 for array in arrays.values()):
                graph.to(np.float64)
            buffers = dict(graph.named_buffers())
            temporary = buffers.keys() - graph.state_dict().keys()
            graph.load_state_dict({name: array for name, array in arrays.items() if name not in temporary})
            for name in temporary:
                buffers[name][...] = arrays[name]
        except (ValueError, KeyError, RecursionError, MemoryError) as error:
            raise CheckpointError(f"{path}: not a graph that Graph.save wrote: {error}") from error
        return graph

    def structure(self) -> dict[str, Any]:
        """Return inputs, layers with their arguments, nodes and outputs as data for JSON."""
        return structure_of(self)

    @classmethod
    def from_structure(cls, structure: Any, kinds: dict[str, type]) -> "Graph":
        """Return the graph that `structure` described, with new weights. kinds: the classes of layers, by name."""
        graph = Graph()
        fill(graph, structure, kinds)
        return graph

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of the inputs."""
        return tuple(self._inputs)

    @property
    def outputs(self) -> tuple[Value, ...]:
        """The values that forward returns."""
        return tuple(self._outputs)

    @property
    def nodes(self) -> tuple[Node, ...]:
        """The calls of layers, in order."""
        return tuple(self._nodes.values())

    def sources(self) -> dict[str, Parameter | Array]:
        """Return the parameters and constants of the graph itself, by name."""
        return {name: member for name, member in self._members.items() if not isinstance(member, Module)}

    def __getitem__(self, name: str) -> Any:
        """Return the layer, parameter or buffer of that name."""
        if name not in self._members:
            raise KeyError(f"{name!r} is no layer of this Graph: expected one of {list(self._members)}")
        return self._members[name]

    def __setitem__(self, name: str, layer: Module) -> None:
        """Replace the layer of that name, such as the classifier of a network for other classes."""
        if not isinstance(self[name], Module) or not isinstance(layer, Module):
            raise TypeError(f"graph[{name!r}] = {layer!r}: only a layer can be replaced, and by a layer")
        self._members[name] = layer

    def forward(self, *inputs: Array) -> Any:
        """Return the output, or a tuple of the outputs, for one array per input."""
        if len(inputs) != len(self._inputs):
            raise TypeError(f"Graph got {len(inputs)} inputs: expected {len(self._inputs)}, {self._inputs}")
        values: dict[str, Any] = dict(zip(self._inputs, inputs, strict=True))
        for name, source in self.sources().items():
            values[name] = source.data if isinstance(source, Parameter) else source
        saved: dict[str, list[Any]] = {}
        parts: dict[str, list[Any]] = {}
        for step in self._ready():
            result = self._run(step, [_pick(values, value) for value in step.inputs])
            if step.shared:
                saved[step.name] = _take_saved(self._layer(step))
            if isinstance(result, tuple):
                parts[step.name] = [(part.shape, part.dtype) for part in result]
            values[step.name] = result
            for name in step.finished:
                del values[name]
        outputs = tuple(_pick(values, value) for value in self._outputs)
        expected = [(output.shape, output.dtype, device_of(output)) for output in outputs]
        self.save_for_backward(saved, parts, expected)
        return outputs[0] if len(outputs) == 1 else outputs

    def backward(self, *grads: Array | None) -> Any:
        """Return the gradient at the input, or a tuple of them, given that at each output.

        None means that nothing depends on an output; the gradient at an input that gets none is None too.
        """
        if len(grads) != len(self._outputs):
            raise TypeError(
                f"Graph.backward got {len(grads)} gradients: expected {len(self._outputs)}, one for each output"
            )
        saved, parts, expected = self.saved()
        found = _Gradients()
        for value, grad, (shape, dtype, device) in zip(self._outputs, grads, expected, strict=True):
            if grad is not None:
                check_gradient(self, grad, shape, dtype, device)
                found.add(value, grad)
        for step in reversed(self._ready()):
            layers = self._fused(step)
            if step.shared:
                _restore_saved(self._layer(step), saved.pop(step.name))
            results = found.take(step.name, parts.get(step.name))
            if results is None:
                self._forget(step)
                continue
            for layer in reversed(layers):
                results = _as_tuple(layer.backward(*results))
            for value, grad in zip(step.inputs, results, strict=True):
                if grad is not None:
                    found.add(value, grad)
        for name, source in self.sources().items():
            if isinstance(source, Parameter) and (result := found.take(name)) is not None:
                source.accumulate(result[0])
        at_inputs = tuple((found.take(name) or (None,))[0] for name in self._inputs)
        return at_inputs[0] if len(at_inputs) == 1 else at_inputs

    def __repr__(self) -> str:
        rows = [("name", "layer", "inputs"), *((name, "input", "") for name in self._inputs)]
        rows += [(name, repr(m), "") for name, m in self._members.items() if isinstance(m, Parameter)]
        rows += [(name, f"constant {self._members[name].shape}", "") for name in vars(self).get("_buffer_names", ())]
        for node in self._nodes.values():
            layer = repr(self._members[node.layer]).replace("\n", "\n    ")
            rows.append((node.name, layer, ", ".join(map(str, node.inputs))))
        widths = [max(len(line) for row in rows for line in row[column].splitlines() or [""]) for column in (0, 1)]
        lines = [f"  {a.ljust(widths[0])}  {b.ljust(widths[1])}  {c}".rstrip() for a, b, c in rows]
        return "\n".join(["Graph(", *lines, f"  output: {', '.join(map(str, self._outputs)) or 'none yet'}", ")"])

    def _attributes(self) -> dict[str, Any]:
        return self._members

    def _value(self, name: str) -> Value:
        self._steps = None
        return Value(name, graph=self)

    def _known(self, name: str) -> bool:
        return name in self._inputs or name in self._nodes or name in self.sources()

    def _new_name(self, name: str) -> str:
        if not isinstance(name, str) or not name:
            raise TypeError(f"name={name!r}: expected a name, such as 'conv1'")
        if self._known(name) or name in self._members:
            raise ValueError(f"{name!r} is in this Graph already: choose another name")
        return name

    def _resolve(self, value: Value | str, what: str) -> Value:
        if isinstance(value, str):
            value = Value(value, graph=self)
        if not isinstance(value, Value):
            raise TypeError(f"{value!r} as {what}: expected a value that this Graph's input or add returned, or a name")
        if value.graph is not None and value.graph is not self:
            raise ValueError(f"{value.name!r} as {what} is a value of another Graph: use the values of this one")
        if not self._known(value.name):
            names = [*self._inputs, *self._nodes]
            raise ValueError(f"{value.name!r} as {what} is unknown: add it first; this Graph has {', '.join(names)}")
        return Value(value.name, value.index, self)

    def _ready(self) -> list[Step]:
        if not self._outputs:
            raise RuntimeError("this Graph has no output: call graph.output(value) after adding its nodes")
        if self._steps is None:
            self._steps = self._plan()
        return self._steps

    def _plan(self) -> list[Step]:
        check(self._inputs, self.sources(), self.nodes, self._outputs)
        names = Counter(name for name, _ in [*self.named_parameters(), *self.named_buffers()])
        if twice := [name for name, count in names.items() if count > 1]:
            raise ValueError(f"the weights {', '.join(twice)} exist twice: rename the parameter or its layer")
        return plan(self.nodes, self._outputs)

    def _layer(self, step: Step) -> Any:
        return self._members[step.nodes[0].layer]

    def _fused(self, step: Step) -> list[FusedLayer]:
        layers: list[Any] = [self._members[node.layer] for node in step.nodes]
        return fuse(layers, step.internal)

    def _run(self, step: Step, inputs: list[Array]) -> Any:
        try:
            first, *others = self._fused(step)
            result = first.forward(*inputs)
            for layer in others:
                result = layer.forward(result)
            return result
        except (TypeError, ValueError) as error:
            names = [node.name for node in step.nodes]
            error.add_note(f"in the Graph's {'node' if len(names) == 1 else 'nodes'} {', '.join(names)}")
            raise

    def _forget(self, step: Step) -> None:
        """Free what the layers of a step have saved for a backward that does not come."""
        for node in step.nodes:
            layer: Any = self._members[node.layer]
            _take_saved(layer)


class _Gradients:
    """The gradients found so far at each value. Those of several users are summed."""

    def __init__(self) -> None:
        self._found: dict[str, dict[int | None, Array]] = {}
        self._sums: set[int] = set()

    def add(self, value: Value, grad: Array) -> None:
        """Add a gradient at a value."""
        found = self._found.setdefault(value.name, {})
        old = found.get(value.index)
        if old is None:
            found[value.index] = grad
        elif id(old) in self._sums:  # an array of our own, so it can be changed in place
            old += grad
        else:
            found[value.index] = total = add(old, grad)
            self._sums.add(id(total))

    def take(self, name: str, parts: list[tuple[Any, Any]] | None = None) -> tuple[Array, ...] | None:
        """Return the gradient at a node's output, or at each of its `parts`, and forget it; None if there is none."""
        found = self._found.pop(name, None)
        if found is None:
            return None
        self._sums.difference_update(map(id, found.values()))
        if parts is None:
            return (found[None],)
        like = next(iter(found.values()))
        zeros = get_array_module(like).zeros
        return tuple(found[i] if i in found else zeros(*part) for i, part in enumerate(parts))


def _pick(values: dict[str, Any], value: Value) -> Array:
    """Return the array of a value."""
    result = values[value.name]
    if value.index is None and not isinstance(result, tuple):
        return result
    if value.index is not None and isinstance(result, tuple) and value.index < len(result):
        return result[value.index]
    count = f"{len(result)} outputs: use {value.name}[0] and so on" if isinstance(result, tuple) else "one output"
    raise ValueError(f"the Graph uses {value}, but the node {value.name} has {count}")


def _as_tuple(grads: Any) -> tuple[Array, ...]:
    return grads if isinstance(grads, tuple) else (grads,)


def _take_saved(layer: Module) -> list[Any]:
    """Take what a layer and the layers inside it have saved, so that the layer can be called again."""
    return [module.__dict__.pop("_saved", None) for module in _distinct(layer)]


def _restore_saved(layer: Module, saved: Iterable[Any]) -> None:
    for module, one in zip(_distinct(layer), saved, strict=True):
        if one is not None:
            module.__dict__["_saved"] = one


def _distinct(layer: Module) -> list[Module]:
    return list({id(module): module for module in layer.modules()}.values())
