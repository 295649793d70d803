"""The structure of a `Graph` as data for JSON, and the graph that such data describe. No code is read from the data."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from mytorch.nn.describe import describe, from_description
from mytorch.nn.graph_plan import Value
from mytorch.nn.module import Parameter


def structure_of(graph: Any) -> dict[str, Any]:
    """Return inputs, parameters, constants, layers, nodes and outputs, without the values of arrays.

    Raises TypeError for a layer that does not store the arguments of its constructor.
    """
    sources = graph.sources()
    persistent = graph.state_dict().keys()
    return {
        "inputs": list(graph.inputs),
        "parameters": {name: list(one.shape) for name, one in sources.items() if isinstance(one, Parameter)},
        "constants": {
            name: {"shape": list(one.shape), "dtype": str(one.dtype), "persistent": name in persistent}
            for name, one in sources.items()
            if not isinstance(one, Parameter)
        },
        "layers": {name: describe(layer) for name, layer in graph.named_children()},
        "nodes": [
            {"name": node.name, "layer": node.layer, "inputs": [[one.name, one.index] for one in node.inputs]}
            for node in graph.nodes
        ],
        "outputs": [[one.name, one.index] for one in graph.outputs],
    }


def fill(graph: Any, structure: Any, kinds: Mapping[str, type]) -> None:
    """Add to an empty graph what `structure_of` returned, with new weights.

    kinds: the classes of layers that may occur. Raises ValueError for data that are not the structure of a graph.
    """
    try:
        for name in structure["inputs"]:
            graph.input(name)
        for name, shape in structure["parameters"].items():
            graph.parameter(name, np.zeros(shape, "f"))
        for name, one in structure["constants"].items():
            graph.constant(name, np.zeros(one["shape"], one["dtype"]), one["persistent"])
        layers = {name: from_description(one, dict(kinds)) for name, one in structure["layers"].items()}
        for node in _in_order(structure["nodes"], {*graph.inputs, *graph.sources()}):
            graph.add(node["name"], layers[node["layer"]], *(Value(*one) for one in node["inputs"]))
        graph.output(*(Value(*one) for one in structure["outputs"]))
    except (KeyError, TypeError, AttributeError, IndexError) as error:
        raise ValueError(f"its structure is not that of a Graph: {type(error).__name__}: {error}") from error


def _in_order(nodes: list[Any], known: set[str]) -> list[Any]:
    """Return the nodes such that each comes after its inputs. Raises ValueError for a cycle or an unknown input."""
    needs = {node["name"]: {name for name, _ in node["inputs"]} for node in nodes}
    if unknown := sorted({name for names in needs.values() for name in names} - known - needs.keys()):
        raise ValueError(f"its nodes use {', '.join(unknown)}, which it does not have")
    ordered: list[Any] = []
    while len(ordered) < len(nodes):
        before = len(ordered)
        for node in nodes:
            if node["name"] not in known and needs[node["name"]] <= known:
                ordered.append(node)
                known.add(node["name"])
        if len(ordered) == before:
            cycle = [name for name in needs if name not in known]
            raise ValueError(f"its nodes {', '.join(cycle)} form a cycle or exist twice")
    return ordered
