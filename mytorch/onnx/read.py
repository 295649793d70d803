"""Read an ONNX model into an `nn.Graph`."""

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mytorch import nn
from mytorch.nn.graph_plan import Value
from mytorch.onnx import activation, arithmetic, convolution, normalization, pooling, resize, shape  # noqa: F401 (they register)
from mytorch.onnx.constants import find_facts, open_lengths
from mytorch.onnx.model import DOMAINS, opset_of, read_model, require_onnx
from mytorch.onnx.node import OPERATORS, Node, Target, Unsupported, readable
from mytorch.random import seeded


def load(source: str | os.PathLike[str] | bytes | Any, shapes: Mapping[str, Sequence[int]] | None = None) -> nn.Graph:
    """Return an ONNX network as a Graph in evaluation mode, with a backward: it can be trained further.

    source: the path of an .onnx file, its bytes, or an onnx.ModelProto. shapes: lengths for inputs whose shape the
    model leaves open, by the input's name; only a model that computes other settings from such lengths needs them. The
    batch may have any length, as far as the model's own reshapes allow.

    Weights become parameters, named as in PyTorch where the model tells; float16 weights become float32. Constants,
    shape arithmetic and DequantizeLinear of stored weights are computed once. Images may be float32 where the model
    takes uint8: its own cast is left out.

    Raises ImportError without the package onnx, FileNotFoundError, and ValueError for a file that is not a complete
    ONNX model, an opset that is too old or too new, weights that are NaN or missing, and operators that are not
    supported: all of them at once, with their names.
    """
    onnx = require_onnx()
    model, name = read_model(source)
    nodes = _needed(model)
    given = dict(shapes or {})
    _check_shapes(model, given, name)
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    try:
        facts = find_facts(model, given)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from error
    stored = {tensor.name for tensor in model.graph.initializer}
    graph = nn.Graph()
    target = Target(
        graph,
        facts,
        {},
        opset_of(model),
        _dtype(onnx, model),
        {one for one in stored if not one.startswith(("onnx::", "val_", "_v_"))},
        {one for node in nodes for one in node.input} | {value.name for value in model.graph.output},
        tuple(dict.fromkeys(one for one, _ in open_lengths(model, given))),
    )
    nodes = [node for node in nodes if not all(one in facts[0].constants for one in node.output if one)]
    used = {one for node in nodes for one in node.input} | {value.name for value in model.graph.output}
    for value in model.graph.input:
        if value.name in used and value.name not in stored:
            target.values[value.name] = graph.input(value.name)
    with seeded(0):  # the first weights are replaced, and the library's generator stays where it is
        problems = _convert(nodes, target)
    if problems:
        raise ValueError(f"{name}: {len(problems)} nodes are not supported by mytorch:\n  " + "\n  ".join(problems))
    try:
        graph.output(*(_output(target, value.name) for value in model.graph.output))
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from error
    return graph.eval()


def _needed(model: Any) -> list[Any]:
    """Return the nodes that the outputs depend on, in order. Raises ValueError for an input that nothing gives."""
    wanted = {value.name for value in model.graph.output}
    found = []
    for node in reversed(model.graph.node):
        if wanted.intersection(node.output):
            found.append(node)
            wanted.update(one for one in node.input if one)
    made = {one for node in found for one in node.output}
    made |= {value.name for value in (*model.graph.input, *model.graph.initializer)}
    if missing := sorted(wanted - made):
        raise ValueError(f"the graph {model.graph.name!r} uses {', '.join(missing)}, which nothing in it computes")
    return found[::-1]


def _check_shapes(model: Any, given: dict[str, Sequence[int]], name: str) -> None:
    stored = {tensor.name for tensor in model.graph.initializer}
    ranks = {
        one.name: len(one.type.tensor_type.shape.dim) if one.type.tensor_type.HasField("shape") else None
        for one in model.graph.input
        if one.name not in stored
    }
    for one, lengths in given.items():
        if one not in ranks:
            raise ValueError(f"{name}: shapes has {one!r}, expected inputs: {', '.join(ranks)}")
        if ranks[one] not in (None, len(lengths)) or not all(isinstance(n, int) and n > 0 for n in lengths):
            raise ValueError(f"{name}: shapes[{one!r}]={lengths}: expected {ranks[one]} lengths of at least 1")
    if unknown := [one for one, rank in ranks.items() if rank is None and one not in given]:
        raise ValueError(f"{name}: the input {unknown[0]!r} has no shape: load it with shapes={{{unknown[0]!r}: ...}}")


def _dtype(onnx: Any, model: Any) -> np.dtype:
    """Return float64 if the model has inputs of it, otherwise float32."""
    double = any(value.type.tensor_type.elem_type == onnx.TensorProto.DOUBLE for value in model.graph.input)
    return np.dtype(np.float64 if double else np.float32)


def _convert(nodes: list[Any], target: Target) -> list[str]:
    """Add every node to the graph, and return what is not supported, one line for each."""
    problems: list[str] = []
    failed: set[str] = set()
    for proto in nodes:
        node = Node(proto, target)
        results: Sequence[Value] = ()
        if failed.intersection(proto.input) and proto.op_type in OPERATORS:
            failed.update(proto.output)
            continue
        try:
            if proto.domain not in DOMAINS:
                raise Unsupported(f"it is an operator of {proto.domain!r}, not one of ONNX")
            if proto.op_type not in OPERATORS:
                raise Unsupported("this operator is not supported")
            found = OPERATORS[proto.op_type](node)
            results = [found] if isinstance(found, Value) else found
        except (ValueError, TypeError) as error:
            failed.update(proto.output)
            problems.append(f"{proto.op_type} {node.label!r}: {error}")
        target.values.update(zip(proto.output, results, strict=False))
        failed.update(one for one in proto.output if one and one not in target.values and one in target.results)
    return problems


def _output(target: Target, name: str) -> Value:
    if name in target.values:
        return target.values[name]
    raise ValueError(f"the output {readable(name)!r} does not depend on the input: remove it from the model")
