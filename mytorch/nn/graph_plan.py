"""The plan of a `Graph`: its values and nodes, which nodes are computed in one go, and what can be freed after each."""

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Value:
    """What a node of a graph computes. Where a layer returns a tuple, value[0], value[1], ... are its parts."""

    name: str
    index: int | None = None
    graph: Any = field(default=None, repr=False, compare=False)

    def __getitem__(self, index: int) -> "Value":
        if self.index is not None or index < 0:
            raise IndexError(f"{self}[{index}]: expected the number of an output, from 0, of a layer that has several")
        return Value(self.name, index, self.graph)

    def __iter__(self) -> Iterator["Value"]:
        raise TypeError(f"{self} cannot be unpacked, as its number of outputs is not known yet: use y[0], y[1], ...")

    def __str__(self) -> str:
        return self.name if self.index is None else f"{self.name}[{self.index}]"


@dataclass(frozen=True)
class Node:
    """A call of the layer that the graph has under the name `layer`, with these inputs."""

    name: str
    layer: str
    inputs: tuple[Value, ...]


@dataclass(frozen=True)
class Step:
    """Nodes that are computed one after another, each the only user of the one before. finished: values to free."""

    nodes: tuple[Node, ...]
    internal: bool
    shared: bool
    finished: tuple[str, ...] = ()

    @property
    def inputs(self) -> tuple[Value, ...]:
        """The inputs of the first node."""
        return self.nodes[0].inputs

    @property
    def name(self) -> str:
        """The name of the last node, which is that of the result."""
        return self.nodes[-1].name


def plan(nodes: Sequence[Node], outputs: Sequence[Value]) -> list[Step]:
    """Return the nodes in chains that may be fused, with the values that each is the last to use."""
    users = Counter(value.name for node in nodes for value in node.inputs)
    kept = {value.name for value in outputs}
    calls = Counter(node.layer for node in nodes)
    chains: list[list[Node]] = []
    ends: dict[str, list[Node]] = {}
    for node in nodes:
        first, *others = node.inputs
        chain = ends.get(first.name)
        only_user = users[first.name] == 1 and first.name not in kept and first.index is None and not others
        if chain and only_user and calls[node.layer] == 1 and calls[chain[-1].layer] == 1:
            del ends[chain[-1].name]
            chain.append(node)
        else:
            chains.append(chain := [node])
        ends[node.name] = chain
    last_user = {value.name: index for index, chain in enumerate(chains) for value in chain[0].inputs}
    steps = []
    for index, chain in enumerate(chains):
        finished = tuple(name for name, last in last_user.items() if last == index and name not in kept)
        steps.append(Step(tuple(chain), chain[-1].name not in kept, calls[chain[0].layer] > 1, finished))
    return steps


def check(inputs: Sequence[str], sources: Collection[str], nodes: Sequence[Node], outputs: Sequence[Value]) -> None:
    """Raise ValueError for nodes, inputs and sources that no output uses, and for outputs that use no input.

    sources: names of parameters and constants.
    """
    if not outputs:
        raise ValueError("graph.output() got no value: give at least one")
    from_input = set(inputs)
    for node in nodes:
        if any(value.name in from_input for value in node.inputs):
            from_input.add(node.name)
    needed = {value.name for value in outputs}
    for node in reversed(nodes):
        if node.name in needed:
            needed.update(value.name for value in node.inputs)
    if constant := [str(value) for value in outputs if value.name not in from_input]:
        raise ValueError(f"the outputs {', '.join(constant)} do not depend on any input: connect or remove them")
    if unused := [name for name in inputs if name not in needed]:
        raise ValueError(f"no output depends on the inputs {', '.join(unused)}: connect or remove them")
    if dead := [name for name in (*sources, *(node.name for node in nodes)) if name not in needed]:
        raise ValueError(f"no output depends on {', '.join(dead)}: remove them, or give them as outputs")
