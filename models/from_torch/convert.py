"""`from_torch`: builds the graph from the traced network, node by node."""

from collections.abc import Sequence
from itertools import chain, count
from typing import Any

import numpy as np
import torch
from torch import fx
from torch import nn as theirs
from torchvision.models import shufflenetv2

from models.from_torch import functions, shapes
from models.from_torch.calls import Call, Unsupported, merge_arguments, writes
from models.from_torch.modules import MODULES, is_leaf, layer_like
from models.from_torch.tracing import ShapeTracer, attribute, copy_structure
from mytorch import nn
from mytorch.nn.graph_plan import Value
from mytorch.random import seeded

FUNCTIONS = functions.FUNCTIONS | shapes.FUNCTIONS

Example = torch.Tensor | np.ndarray


def from_torch(
    module: theirs.Module,
    example: Example | Sequence[Example] | None = None,
    dtype: type | np.dtype | str | None = None,
) -> nn.Graph:
    """Return a mytorch network that computes what `module` computes, with a copy of its weights and buffers.

    example: an input, or one for each input, such as torch.zeros(2, 3, 224, 224). Only its shape counts. It is needed
    if the network computes with shapes; those of the images are then fixed, the batch is not. dtype: float32 or
    float64; by default that of the module, and float32 for shorter ones.

    The network is converted in the mode in which it is: each layer is in training or evaluation mode as it was, and
    what `module` returns only in the other mode is left out. Parameters that forward does not use are left out too.

    Raises ValueError for a network that cannot be traced, and for calls that mytorch does not have: it lists all of
    them, with their names. Raises TypeError for what is not a torch.nn.Module.
    """
    _require_module(module)
    own = copy_structure(module)  # tracing adds attributes
    kind = np.dtype(dtype) if dtype is not None else _dtype_of(own)
    if kind not in (np.float32, np.float64):
        raise TypeError(f"dtype={dtype}: networks compute in float32 or float64; use one of them")
    examples = _examples(example, own)
    graph = _trace(own, examples)
    other = None if examples is None else _trace(own, [_with_one_more(one) for one in examples])
    with seeded(0):  # the first weights are replaced, and the library's generator stays where it is
        return _Converter(own, kind, graph, other).convert()


def _require_module(given: object) -> None:
    if not isinstance(given, theirs.Module):
        kind = given if isinstance(given, type) else type(given)
        what = f"{'the class' if kind is given else 'an object of'} {kind.__module__}.{kind.__qualname__}"
        raise TypeError(
            f"from_torch got {what}: expected a torch.nn.Module; build the network, load its weights, and give it"
        )


def _dtype_of(module: theirs.Module) -> np.dtype:
    doubles = any(tensor.dtype == torch.float64 for tensor in module.parameters())
    return np.dtype(np.float64 if doubles else np.float32)


def _examples(example: Example | Sequence[Example] | None, module: theirs.Module) -> list[torch.Tensor] | None:
    """Return the examples as tensors in the module's precision. Raises TypeError for anything else."""
    if example is None:
        return None
    given = [example] if isinstance(example, torch.Tensor | np.ndarray) else list(example)
    for one in given:
        if not isinstance(one, torch.Tensor | np.ndarray) or one.ndim == 0:
            raise TypeError(f"example={one!r}: expected a tensor with a batch, such as torch.zeros(2, 3, 224, 224)")
    dtype = next((p.dtype for p in module.parameters()), None)
    tensors = [torch.as_tensor(one) for one in given]
    return [tensor.to(dtype) if dtype and tensor.is_floating_point() else tensor for tensor in tensors]


def _with_one_more(example: torch.Tensor) -> torch.Tensor:
    """Return an example of a larger batch: what differs between their traces depends on the batch."""
    return torch.empty((len(example) + 1, *example.shape[1:]), dtype=example.dtype, device="meta")


def _trace(module: theirs.Module, examples: list[torch.Tensor] | None) -> fx.Graph:
    try:
        return ShapeTracer(is_leaf, [shufflenetv2.channel_shuffle]).trace_with(module, examples)
    except Exception as error:  # whatever a stranger's forward raises
        remedy = (
            "give an example input: from_torch(module, torch.zeros(2, 3, 224, 224))"
            if examples is None
            else "its forward must not depend on the values of tensors, and must accept the example"
        )
        raise ValueError(
            f"{type(module).__name__} cannot be traced: {type(error).__name__}: {error}; {remedy}"
        ) from error


class _Converter:
    """Builds the graph, node by node, and collects what cannot be converted."""

    def __init__(self, module: theirs.Module, dtype: np.dtype, traced: fx.Graph, other: fx.Graph | None):
        self.module, self.dtype = module, dtype
        self.nodes = list(traced.nodes)
        self.twins = self.nodes if other is None else list(other.nodes)
        if [(n.op, n.target) for n in self.nodes] != [(n.op, n.target) for n in self.twins]:
            raise ValueError(f"{type(module).__name__} computes something else for another batch size")
        self.graph = nn.Graph()
        self.values: dict[fx.Node, Value] = {}
        self.layers: dict[str, nn.Module] = {}
        self.problems: list[str] = []
        self.taken = {name for name, _ in module.named_modules()} | set(module.state_dict())

    def convert(self) -> nn.Graph:
        """Return the graph, or raise ValueError with everything that cannot be converted."""
        results = _results(self.nodes[-1].args[0])
        needed = self._needed(results)
        for node, twin in zip(self.nodes, self.twins, strict=True):
            if node.op == "placeholder" and (node in needed or not node.args):
                self.values[node] = self.graph.input(str(node.target))
            elif node in needed and node.op.startswith("call"):
                self._convert(node, twin)
            elif node in needed and node.op == "get_attr":
                self._source(node)
        if self.problems:
            listed = "\n  ".join(self.problems)
            raise ValueError(
                f"{type(self.module).__name__} has what mytorch cannot compute; "
                f"replace it in the PyTorch network, or convert a submodule without it:\n  {listed}"
            )
        self.graph.output(*(self.values[node] for node in results))
        return self.graph

    def add(self, name: str, layer: nn.Module, *inputs: Value) -> Value:
        """Add a node for a function, under a name that no module of the network has."""
        numbered = (f"{name}_{n}" for n in count(1))
        unique = next(one for one in chain([name], numbered) if one not in self.taken)
        self.taken.add(unique)
        return self.graph.add(unique, layer.to(self.dtype), *inputs)

    def add_module(
        self, name: str, layer: nn.Module, state: dict[str, torch.Tensor], training: bool, *inputs: Value
    ) -> Value:
        """Add a node for a module of the network, with its name and weights. One that has weights is shared."""
        if name in self.layers and state:
            return self.add(f"{name}_again", self.layers[name], *inputs)
        layer.to(self.dtype).train(training)
        layer.load_state_dict({key: self.array(tensor) for key, tensor in state.items()})
        if name in self.layers:
            return self.add(f"{name}_again", layer, *inputs)
        self.layers[name] = layer
        return self.graph.add(name, layer, *inputs)

    def parameter(self, node: Any) -> torch.Tensor:
        """Return the network's tensor that a node reads. Raises Unsupported for anything else."""
        if not isinstance(node, fx.Node) or node.op != "get_attr":
            raise Unsupported("its weights are computed")
        return attribute(self.module, str(node.target))

    def array(self, tensor: torch.Tensor) -> np.ndarray:
        """Return a copy of a tensor, in the graph's dtype if it is floating."""
        kind = torch.from_numpy(np.zeros(0, self.dtype)).dtype
        return (tensor.detach().to("cpu", kind) if tensor.is_floating_point() else tensor.cpu()).numpy().copy()

    def _needed(self, results: list[fx.Node]) -> set[fx.Node]:
        """Return the nodes on which the results depend, also by what is written into a value that is used later."""
        place = {node: index for index, node in enumerate(self.nodes)}
        writing = [node for node in self.nodes if node.op.startswith("call") and writes(node, self.module)]
        needed: set[fx.Node] = set()
        waiting = list(results)
        while waiting:
            node = waiting.pop()
            if node not in needed:
                needed.add(node)
                waiting += node.all_input_nodes
                for source in node.all_input_nodes:
                    waiting += [one for one in writing if one.args[:1] == (source,) and place[one] < place[node]]
        return needed

    def _convert(self, node: fx.Node, twin: fx.Node) -> None:
        try:
            call = Call(self, node, twin, *merge_arguments((node.args, node.kwargs), (twin.args, twin.kwargs)))
            if node.op == "call_module":
                module = self.module.get_submodule(str(node.target))
                self.values[node] = self._module(call, str(node.target), module)
            else:
                if node.target not in FUNCTIONS:
                    raise Unsupported("mytorch has no layer that computes it")
                self.values[node] = FUNCTIONS[node.target](call)
            if writes(node, self.module) and isinstance(first := next(iter(node.args), None), fx.Node):
                self.values[first] = self.values[node]  # later users of the input see what was written into it
        except (Unsupported, TypeError, ValueError) as error:
            name = node.target if node.op == "call_module" else node.name
            what = type(module).__name__ if node.op == "call_module" else _name_of(node.target)
            self.problems.append(f"{name} ({what}): {error}")
            self.values[node] = self.graph.input(f"instead of {node.name}")  # to find the problems of later nodes, too

    def _module(self, call: Call, name: str, module: theirs.Module) -> Value:
        qualified = f"{type(module).__module__}.{type(module).__qualname__}"
        if qualified in MODULES:
            return MODULES[qualified](call, name, module)
        inputs = [call.value(one) for one in (*call.args, *call.kwargs.values())]
        return self.add_module(name, layer_like(module), dict(module.state_dict()), module.training, *inputs)

    def _source(self, node: fx.Node) -> None:
        """Add a parameter or a buffer that a function uses, unless it belongs to a functional layer."""
        name, users = str(node.target), [user for user in node.users if user.target in FUNCTIONS]
        tensor = attribute(self.module, name)
        if users and all(getattr(FUNCTIONS[user.target], "takes_weights", False) for user in users):
            self.values[node] = Value(name)  # the layer holds it
        elif not tensor.is_floating_point():
            self.problems.append(f"{name} (buffer): expected floating numbers, not {tensor.dtype}")
        elif isinstance(tensor, theirs.Parameter):
            self.values[node] = self.graph.parameter(name, self.array(tensor))
        else:
            persistent = name in self.module.state_dict()
            self.values[node] = self.graph.constant(name, self.array(tensor), persistent)


def _results(returned: Any) -> list[fx.Node]:
    """Return the nodes that forward returns, in order, also those inside tuples and dicts."""
    if isinstance(returned, fx.Node):
        named = isinstance(returned.target, type) and issubclass(returned.target, tuple)
        return _results((*returned.args, *returned.kwargs.values())) if named else [returned]
    if isinstance(returned, dict):
        return _results(tuple(returned.values()))
    return [node for one in returned for node in _results(one)] if isinstance(returned, list | tuple) else []


def _name_of(target: Any) -> str:
    return target if isinstance(target, str) else getattr(target, "__name__", repr(target))
