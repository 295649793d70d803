"""ONNX's own tests of single nodes, given to `mytorch.onnx.load`: the outputs are compared."""

import tempfile
import warnings
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from tests.conformance.arrays import as_tuple
from tests.conformance.record import Outcome
from tests.conformance.scope import EXCLUDED_NODES, ONNX_OPERATORS, why_excluded

INPUTS = {**dict.fromkeys(("Add", "Sub", "Mul", "Div", "Sum", "Mean", "Concat"), 9), "MatMul": 2, "MaxUnpool": 2}
"""How many inputs of an operator come from other nodes, 1 by default. The others are weights or settings."""
TRAINING_OUTPUTS = {"LayerNormalization", "Dropout"}
"""Operators whose outputs after the first are only there for a training framework; they are left out."""


def node_tests() -> list[Any]:
    """Return ONNX's tests of the operators in scope. Raises RuntimeError with a remedy without the onnx package."""
    try:
        from onnx.backend.test.loader import load_model_tests
    except ImportError as error:
        raise RuntimeError(
            f"ONNX's node tests cannot be imported ({error}); pip install -e '.[export]' has the onnx package"
        ) from error
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # ONNX computes infinities on purpose
        tests = load_model_tests(kind="node")
    return [
        test
        for test in tests
        if len(test.model.graph.node) == 1 and test.model.graph.node[0].op_type in ONNX_OPERATORS
        if not test.name.endswith("_expanded")
    ]


def run_onnx(seed: int, names: Sequence[str] = ()) -> Iterator[Outcome]:
    """Yield the outcome of every test of every operator in scope, or of the operators named. `seed` is not used."""
    for test in node_tests():
        if not names or test.model.graph.node[0].op_type in names:
            yield outcome(test)


def outcome(test: Any) -> Outcome:
    """Return what mytorch makes of one test."""
    name = test.model.graph.node[0].op_type
    text = described(test)
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        problem = compare(test)
    excluded = why_excluded(EXCLUDED_NODES, "any", text) or why_excluded(EXCLUDED_NODES, name, text)
    if excluded:
        return Outcome(name, text, "excluded", excluded, stale=problem is None)
    return Outcome(name, text, *(problem or ("agree", "")))


def compare(test: Any) -> tuple[Any, str] | None:
    """Return None if mytorch computes what ONNX expects, otherwise the status and the reason.

    The tolerances are those of the test.
    """
    try:
        load = import_module("mytorch.onnx").load
    except ImportError:
        return "unsupported", "mytorch.onnx does not exist"
    for inputs, outputs in test.data_sets:
        model, data, kept = as_network(test, inputs)
        try:
            found = as_tuple(_loaded(load, model)(*data))
        except Exception as error:  # whatever it raises is the reason
            return "unsupported", f"{type(error).__name__}: {error}"
        for index, (mine, right) in enumerate(zip(found, [outputs[i] for i in kept], strict=True)):
            problem = _differs(np.asarray(mine), np.asarray(right), test.rtol, test.atol)
            if problem:
                return "differ", f"output {index}: {problem}"
    return None


def _loaded(load: Callable[[Path], Any], model: Any) -> Any:
    """Return the network of a model, in eval mode. An error has what is wrong with the node in its first line."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "node.onnx"
        path.write_bytes(model.SerializeToString())
        try:
            return load(path).train(False)
        except ValueError as error:
            lines = str(error).replace(f"{path}: ", "").splitlines()
            raise ValueError(" ".join(line.strip() for line in lines[1:]) or lines[0]) from error


def as_network(test: Any, inputs: Sequence[Any]) -> tuple[Any, list[np.ndarray], list[int]]:
    """Return the test as part of a network: its weights and settings stored in the model, as exporters write them.

    And the arrays for the remaining inputs, and the indices of the outputs that remain.
    """
    import onnx

    model = onnx.ModelProto()
    model.CopyFrom(test.model)
    graph, node = model.graph, model.graph.node[0]
    values = list(graph.input)
    arrays = dict(zip([value.name for value in values], inputs, strict=True))
    if node.op_type == "Pad":  # some of ONNX's images are int32: their numbers are the same in float32
        for value in [*values, *graph.output]:
            if value.type.tensor_type.elem_type == onnx.TensorProto.INT32:
                value.type.tensor_type.elem_type = onnx.TensorProto.FLOAT
                arrays[value.name] = np.asarray(arrays.get(value.name, 0), np.float32)
    count = 0 if node.op_type == "DequantizeLinear" else INPUTS.get(node.op_type, 1)
    data = [name for name in node.input if name][:count]
    del graph.input[:]
    graph.input.extend(value for value in values if value.name in data)
    graph.initializer.extend(_tensor(arrays[value.name], value.name) for value in values if value.name not in data)
    kept = [0] if node.op_type in TRAINING_OUTPUTS else list(range(len(graph.output)))
    if node.op_type in TRAINING_OUTPUTS:
        del graph.output[1:]
        del node.output[1:]
    if not data:  # a weight that is stored as integers: it is added to an input
        output = graph.output[0]
        graph.input.append(output)
        graph.input[0].name = "offset"
        graph.node.append(onnx.helper.make_node("Add", ["offset", node.output[0]], ["sum"]))
        output.name = "sum"
        shape = [dim.dim_value for dim in output.type.tensor_type.shape.dim]
        return model, [np.zeros(shape, np.float32)], kept
    return model, [np.asarray(arrays[value.name]) for value in graph.input], kept


def described(test: Any) -> str:
    """Return a test in words: its name, the types of its inputs and outputs, and its attributes."""
    from onnx import TensorProto

    types = [
        TensorProto.DataType.Name(value.type.tensor_type.elem_type).lower()
        for value in [*test.model.graph.input, *test.model.graph.output]
    ]
    attributes = [f"{attribute.name}={_value(attribute)}" for attribute in test.model.graph.node[0].attribute]
    return f"{test.name} ({', '.join([*types, *attributes])})"


def _value(attribute: Any) -> Any:
    from onnx.helper import get_attribute_value

    value = get_attribute_value(attribute)
    return value.decode() if isinstance(value, bytes) else value


def _tensor(value: Any, name: str) -> Any:
    from onnx import TensorProto, numpy_helper

    if isinstance(value, TensorProto):
        tensor = TensorProto()
        tensor.CopyFrom(value)
        tensor.name = name
        return tensor
    return numpy_helper.from_array(np.asarray(value), name)


def _differs(mine: np.ndarray, right: np.ndarray, rtol: float, atol: float) -> str | None:
    if mine.shape != right.shape:
        return f"shape {mine.shape}, expected {right.shape}"
    close = np.isclose(mine, right, rtol=rtol, atol=atol, equal_nan=True)
    if close.all():
        return None
    index = tuple(np.argwhere(~close)[0])
    return f"first difference at {list(map(int, index))}: {mine[index]}, expected {right[index]}"
