"""Write a network of mytorch as an ONNX file."""

import json
import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from mytorch import nn
from mytorch.device import device_of, to_device
from mytorch.files import atomic_write
from mytorch.modes import no_grad
from mytorch.onnx import write_functions, write_layers  # noqa: F401 (they register)
from mytorch.onnx.writer import Tensor, Writer
from mytorch.version import __version__

OPSET, IR_VERSION = 21, 10
"""The newest that onnxruntime 1.20 and onnx 1.17 read: from 2024."""

MOST_OUTPUTS = 99
"""So many outputs get names of their own."""

Shape = tuple[int, ...]


def save(
    network: nn.Module,
    path: str | os.PathLike[str],
    example_shape: Sequence[int] | Sequence[Sequence[int]],
    input_names: Sequence[str] | None = None,
    output_names: Sequence[str] | None = None,
    metadata: dict[str, str] | None = None,
) -> None:
    """Write what a network computes in evaluation mode as an ONNX file, for a batch of any length.

    example_shape: the shape of an input, such as (1, 3, 112, 112), or a list of the shapes of several; all but the
    first length are fixed in the file. input_names, output_names: by default those of a Graph's inputs, otherwise
    "images", and "output", or "output_0", "output_1", ... Weights have their names of the state dict. metadata: texts
    that are stored with the file. It is written completely or not at all, and read back by `load`.

    Raises ImportError without the package onnx, ValueError for layers that ONNX cannot compute, all of them at once
    with their names, and FileNotFoundError where the folder does not exist.
    """
    dtypes = [one.dtype for one in network.parameters()] + [one.dtype for one in network.buffers()]
    writer = Writer(next((one for one in dtypes if one.kind == "f"), np.dtype(np.float32)))
    shapes = _shapes(example_shape)
    names = list(input_names or (network.inputs if isinstance(network, nn.Graph) else ["images"]))
    if len(names) != len(shapes):
        raise ValueError(f"save got {len(shapes)} shapes and the inputs {', '.join(names)}: give one shape for each")
    writer.taken.update(output_names or ["output", *(f"output_{index}" for index in range(MOST_OUTPUTS))])
    inputs = []
    for name, shape in zip(names, shapes, strict=True):
        inputs.append(Tensor(writer.unique(name), _example(network, shape, writer)))
    results = _write(network, writer, inputs)
    if writer.problems:
        listed = "\n  ".join(writer.problems)
        raise ValueError(f"{os.fspath(path)}: {len(writer.problems)} layers cannot be written as ONNX:\n  {listed}")
    wanted = list(output_names or (["output"] if len(results) == 1 else [f"output_{i}" for i in range(len(results))]))
    if len(wanted) != len(results) or len({*wanted, *names}) < len(wanted) + len(names):
        raise ValueError(
            f"output_names={wanted}: expected {len(results)} different names, other than the inputs {', '.join(names)}"
        )
    results = _renamed(writer, results, wanted)
    model = _model(writer, inputs, results, metadata or {})
    with atomic_write(path) as temporary:
        temporary.write_bytes(model.SerializeToString())


def _shapes(given: Any) -> list[Shape]:
    several = given and not isinstance(given[0], int | np.integer)
    shapes = [tuple(int(n) for n in one) for one in (given if several else [given])]
    if not all(shape and min(shape) > 0 for shape in shapes):
        raise ValueError(
            f"example_shape={given}: expected lengths of at least 1, the batch first, such as (1, 3, 32, 32)"
        )
    return shapes


def _example(network: nn.Module, shape: Shape, writer: Writer) -> Any:
    """Return an input of this shape, on the network's device."""
    array = np.random.default_rng(0).standard_normal(shape).astype(writer.dtype)
    device = next((device_of(one.data) for one in network.parameters()), "cpu")
    return to_device(array, device)


def _write(network: nn.Module, writer: Writer, inputs: list[Tensor]) -> list[Tensor]:
    """Write the network in evaluation mode, and leave every layer in the mode that it has."""
    modes = [(module, module.training) for module in network.modules()]
    network.eval()
    try:
        with no_grad():
            return writer.layer(network, "", *inputs)
    finally:
        for module, training in modes:
            module.training = training


def _renamed(writer: Writer, results: list[Tensor], names: list[str]) -> list[Tensor]:
    """Call the outputs by these names. One that is an input, or another output too, becomes that of an Identity."""
    new: dict[str, str] = {}
    for result, name in zip(results, names, strict=True):
        if result.name not in new and any(result.name in node.output for node in writer.nodes):
            new[result.name] = name
        else:
            source = new.get(result.name, result.name)
            writer.nodes.append(writer.onnx.helper.make_node("Identity", [source], [name], name=name))
    for node in writer.nodes:
        for values in (node.input, node.output):
            values[:] = [new.get(value, value) for value in values]
    return [Tensor(name, result.example) for result, name in zip(results, names, strict=True)]


def _model(writer: Writer, inputs: list[Tensor], outputs: list[Tensor], metadata: dict[str, str]) -> Any:
    """Return the model, checked by the package onnx."""
    onnx, helper = writer.onnx, writer.onnx.helper
    kind = helper.np_dtype_to_tensor_dtype(writer.dtype)

    def described(tensor: Tensor) -> Any:
        lengths = ["batch", *tensor.shape[1:]] if tensor.shape else []
        return helper.make_tensor_value_info(tensor.name, kind, lengths)

    weights = [onnx.numpy_helper.from_array(array, name) for name, array in writer.arrays.items()]
    graph = helper.make_graph(
        writer.nodes, "network", list(map(described, inputs)), list(map(described, outputs)), weights
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    model.producer_name, model.producer_version = "mytorch", __version__
    helper.set_model_props(model, {"input_shapes": json.dumps({one.name: one.shape for one in inputs}), **metadata})
    onnx.checker.check_model(model, full_check=True)
    return model
