"""Small ONNX models, and what onnxruntime computes for them."""

import numpy as np
import pytest

onnx = pytest.importorskip("onnx", reason="reading ONNX files needs the package onnx")
ort = pytest.importorskip("onnxruntime", reason="the reference is onnxruntime")

OPSET = 21


@pytest.fixture
def run_onnx():
    """Return a function from a model and its inputs to the outputs of onnxruntime."""

    def run(model, *inputs):
        options = ort.SessionOptions()
        options.log_severity_level = 3
        content = model if isinstance(model, bytes) else model.SerializeToString()
        session = ort.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        names = [value.name for value in session.get_inputs()]
        return session.run(None, dict(zip(names, inputs, strict=True)))

    return run


@pytest.fixture
def model_of():
    """Return a function that makes a model of nodes.

    nodes: (operator, inputs, outputs, attributes). shapes: of the inputs, by name; a text is an open length. weights:
    arrays by name. outputs: names.
    """

    def make(nodes, shapes, weights, outputs, opset=OPSET):
        helper = onnx.helper
        made = [
            helper.make_node(kind, inputs, results, name=f"{kind}_{index}", **attributes)
            for index, (kind, inputs, results, attributes) in enumerate(nodes)
        ]
        graph = helper.make_graph(
            made,
            "test",
            [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape) for name, shape in shapes.items()],
            [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in outputs],
            [onnx.numpy_helper.from_array(np.asarray(array), name) for name, array in weights.items()],
        )
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)

    return make
