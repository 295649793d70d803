"""What is known of a model before it runs: constants, also those computed from others, and the shapes of values.

Nodes whose inputs are all constant are computed by the reference implementation of the package onnx, so that the
arithmetic of shapes and quantized weights disappear. Lengths that a model leaves open, such as that of the batch, are
replaced by two different numbers: what is the same for both does not depend on them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mytorch.onnx.model import DOMAINS, opset_of, require_onnx, to_array

Shape = tuple[int | None, ...]
"""Lengths of axes, None where one is not known."""

PLACEHOLDERS = {0: (6, 10), 1: (12, 24)}
"""The lengths that stand for an open one, by axis. They are even, so that halving them leaves nothing over."""
IMAGE_PLACEHOLDERS = (896, 1792)
"""The same for the axes of an image, which a network may halve several times."""

SMALL = 1024
"""Constants of so few elements may be shapes, and are given to shape inference."""

NOT_FOLDED = {"RandomNormal", "RandomUniform", "RandomNormalLike", "RandomUniformLike", "Multinomial", "Bernoulli"}
"""Operators without the same result each time."""


@dataclass
class Facts:
    """What is known for one choice of the open lengths. constants: arrays by name. shapes: of inputs and of results."""

    constants: dict[str, np.ndarray]
    shapes: dict[str, Shape]


def open_lengths(model: Any, given: Mapping[str, Sequence[int]]) -> dict[tuple[str, int], str]:
    """Return which lengths of inputs a model leaves open: from (input, axis) to a name that equal lengths share.

    given: shapes that a caller has fixed, by input.
    """
    found = {}
    for value in model.graph.input:
        if value.name in given:
            continue
        for axis, dim in enumerate(value.type.tensor_type.shape.dim):
            if not dim.HasField("dim_value") or dim.dim_value < 1:
                found[value.name, axis] = dim.dim_param or f"{value.name}[{axis}]"
    return found


def find_facts(model: Any, given: Mapping[str, Sequence[int]]) -> list[Facts]:
    """Return what is known of a model, once, or twice with different numbers in the place of open lengths.

    Raises ValueError for a node that can be computed but fails.
    """
    names = open_lengths(model, given)
    return [_find(model, given, names, choice) for choice in range(2 if names else 1)]


def _find(model: Any, given: Mapping[str, Sequence[int]], names: dict[tuple[str, int], str], choice: int) -> Facts:
    onnx = require_onnx()
    constants = {tensor.name: to_array(tensor) for tensor in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in constants]
    lengths: dict[str, int] = {}
    for (_, axis), name in names.items():
        lengths.setdefault(name, PLACEHOLDERS.get(axis, IMAGE_PLACEHOLDERS)[choice])
    shapes: dict[str, Shape] = {}
    for value in inputs:
        dims = value.type.tensor_type.shape.dim
        known = [
            lengths[names[value.name, axis]] if (value.name, axis) in names else int(dim.dim_value)
            for axis, dim in enumerate(dims)
        ]
        shapes[value.name] = tuple(given.get(value.name, known))
    nodes = list(model.graph.node)
    while True:
        remaining = [node for node in nodes if not _fold(onnx, model, node, constants, shapes)]
        found = _infer(onnx, model, remaining, inputs, constants, shapes)
        if len(remaining) == len(nodes) and found == shapes:
            return Facts(constants, shapes)
        nodes, shapes = remaining, found


def _fold(onnx: Any, model: Any, node: Any, constants: dict[str, np.ndarray], shapes: dict[str, Shape]) -> bool:
    """Compute a node if its inputs are known, and add its results to `constants`. Return whether it was."""
    if node.op_type == "Shape" and node.input[0] not in constants:
        settings = {one.name: one.i for one in node.attribute}
        lengths = shapes.get(node.input[0], (None,))[settings.get("start", 0) : settings.get("end")]
        if None in lengths:
            return False
        constants[node.output[0]] = np.array(lengths, np.int64)
        return True
    known = node.domain in DOMAINS and onnx.defs.has(node.op_type)
    subgraph = any(one.type in (onnx.AttributeProto.GRAPH, onnx.AttributeProto.GRAPHS) for one in node.attribute)
    if not known or subgraph or node.op_type in NOT_FOLDED or not all(name in constants for name in node.input if name):
        return False
    results = compute(onnx, node, model.opset_import, constants)
    constants.update((name, result) for name, result in zip(node.output, results, strict=False) if name)
    return True


def compute(onnx: Any, node: Any, opset_import: Any, values: Mapping[str, np.ndarray]) -> list[np.ndarray]:
    """Return the results of one node. Raises ValueError if it fails."""
    helper = onnx.helper
    names = [name for name in dict.fromkeys(node.input) if name]
    inputs = [helper.make_empty_tensor_value_info(name) for name in names]
    outputs = [helper.make_empty_tensor_value_info(name) for name in node.output if name]
    model = helper.make_model(helper.make_graph([node], "node", inputs, outputs), opset_imports=opset_import)
    try:
        with np.errstate(all="ignore"):
            results = onnx.reference.ReferenceEvaluator(model).run(None, {name: values[name] for name in names})
    except Exception as error:  # whatever the reference implementation raises
        raise ValueError(f"{node.op_type} {node.name or node.output[0]!r} cannot be computed: {error}") from error
    found = iter(results)
    return [np.asarray(next(found)) if name else np.empty(0) for name in node.output]


def _infer(
    onnx: Any, model: Any, nodes: list[Any], inputs: list[Any], constants: dict[str, np.ndarray], shapes: dict
) -> dict[str, Shape]:
    """Return the shapes of all results that follow from those of the inputs, by ONNX's shape inference.

    It gets the graph without large weights, so it is fast, and limits on the size of a message do not matter.
    """
    helper = onnx.helper
    used = {name for node in nodes for name in node.input}
    typed, small = [], []
    for value in inputs:
        kind = value.type.tensor_type.elem_type
        typed.append(helper.make_tensor_value_info(value.name, kind, shapes[value.name]))
    for name, array in constants.items():
        if name in used and array.size <= SMALL:
            small.append(onnx.numpy_helper.from_array(array, name))
        elif name in used:
            kind = helper.np_dtype_to_tensor_dtype(array.dtype)
            typed.append(helper.make_tensor_value_info(name, kind, array.shape))
    graph = helper.make_graph(nodes, "shapes", typed, [], small)
    known = {one.domain: int(one.version) for one in model.opset_import}
    known = {"": opset_of(model)} | {node.domain: 1 for node in nodes if node.domain not in DOMAINS} | known
    light = helper.make_model(graph, opset_imports=[helper.make_opsetid(*one) for one in known.items()])
    inferred = onnx.shape_inference.infer_shapes(light, data_prop=True).graph
    found = {value.name: shapes[value.name] for value in inputs}
    for value in inferred.value_info:
        kind = value.type.tensor_type
        if kind.HasField("shape"):
            dims = kind.shape.dim
            found[value.name] = tuple(int(dim.dim_value) if dim.HasField("dim_value") else None for dim in dims)
    return found
