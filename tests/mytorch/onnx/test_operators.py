"""Operators with settings that ONNX's own node tests lack: outputs as onnxruntime's, gradients as differences."""

import numpy as np
import pytest

import mytorch
from mytorch import onnx as mytorch_onnx

pytest.importorskip("onnx")

RNG = np.random.default_rng(1)


def floats(*shape):
    return RNG.standard_normal(shape).astype("f")


SAME = {"auto_pad": "SAME_UPPER", "strides": [2, 3]}
LOWER = {"auto_pad": "SAME_LOWER", "strides": [2, 1]}
UNEVEN = {"pads": [1, 0, 0, 2], "strides": [2, 2]}
TWO = {"strides": [2, 2]}
WINDOW = {"kernel_shape": [3, 3]}
CASES = {
    "Conv, same": ("Conv", [floats(4, 1, 3, 2), floats(4)], SAME, (1, 7, 8)),
    "Conv, same lower": ("Conv", [floats(6, 1, 2, 4)], {"group": 3} | LOWER, (3, 7, 8)),
    "Conv, valid": ("Conv", [floats(4, 3, 3)], {"auto_pad": "VALID", "dilations": [2]}, (3, 9)),
    "Conv 3d": ("Conv", [floats(2, 3, 1, 2, 2)], {"pads": [0, 1, 0, 0, 0, 1]}, (3, 3, 4, 3)),
    "ConvTranspose, uneven": ("ConvTranspose", [floats(3, 2, 3, 3)], UNEVEN, (3, 4, 5)),
    "ConvTranspose, size": ("ConvTranspose", [floats(3, 2, 3, 3)], {"output_shape": [9, 9]} | TWO, (3, 4, 4)),
    "ConvTranspose, groups": (
        "ConvTranspose", [floats(4, 1, 2, 2)], {"group": 2, "output_padding": [1, 0]} | TWO, (4, 3, 4),
    ),
    "MaxPool, uneven": ("MaxPool", [], WINDOW | UNEVEN, (2, 7, 6)),
    "MaxPool, uneven ceil": ("MaxPool", [], WINDOW | UNEVEN | {"ceil_mode": 1}, (2, 8, 6)),
    "MaxPool, dilated": ("MaxPool", [], WINDOW | {"dilations": [2, 1], "strides": [1, 2]}, (2, 7, 6)),
    "AveragePool, uneven": ("AveragePool", [], WINDOW | UNEVEN, (2, 7, 6)),
    "AveragePool, counted": ("AveragePool", [], WINDOW | UNEVEN | {"count_include_pad": 1}, (2, 7, 6)),
    "AveragePool, ceil": ("AveragePool", [], WINDOW | {"pads": [1] * 4, "strides": [2, 2], "ceil_mode": 1}, (2, 6, 8)),
    "LpPool, ceil": ("LpPool", [], WINDOW | {"strides": [2, 2], "ceil_mode": 1, "p": 2}, (2, 8, 6)),
    "LpPool, uneven": ("LpPool", [], WINDOW | UNEVEN | {"p": 3}, (2, 7, 6)),
    "GlobalAveragePool 1d": ("GlobalAveragePool", [], {}, (3, 5)),
    "GlobalMaxPool 3d": ("GlobalMaxPool", [], {}, (3, 2, 3, 2)),
    "InstanceNormalization": ("InstanceNormalization", [floats(3), floats(3)], {"epsilon": 0.01}, (3, 4, 5)),
    "LayerNormalization": ("LayerNormalization", [floats(4, 5), floats(4, 5)], {"axis": -2}, (3, 4, 5)),
    "LRN": ("LRN", [], {"size": 3, "alpha": 0.5, "beta": 0.6, "bias": 1.5}, (5, 3, 3)),
    "Gemm, scaled": ("Gemm", [floats(6, 4), floats(4)], {"alpha": 0.5, "beta": 2.0}, (6,)),
    "MatMul": ("MatMul", [floats(6, 4)], {}, (3, 6)),
    "MatMul of two": ("MatMul", [floats(2, 3, 6, 4)], {}, (3, 5, 6)),
    "PRelu of one slope": ("PRelu", [floats(1)], {}, (3, 4, 4)),
    "PRelu of the last axis": ("PRelu", [floats(4)], {}, (3, 4, 4)),
    "Clip to 6": ("Clip", [np.float32(0), np.float32(6)], {}, (3, 4)),
    "Clip below": ("Clip", [np.float32(-0.3)], {}, (3, 4)),
    "HardSigmoid of PyTorch": ("HardSigmoid", [], {"alpha": 1 / 6, "beta": 0.5}, (3, 4)),
    "HardSigmoid": ("HardSigmoid", [], {"alpha": 0.3, "beta": 0.4}, (3, 4)),
    "Add": ("Add", [floats(3, 1, 1)], {}, (3, 4, 5)),
    "Add a number": ("Add", [np.float32(1.5)], {}, (3, 4)),
    "Sub": ("Sub", [floats(4)], {}, (3, 4)),
    "Mul": ("Mul", [np.float32(-2)], {}, (3, 4)),
    "Div by a number": ("Div", [np.float32(3)], {}, (3, 4)),
    "Div": ("Div", [np.abs(floats(3, 1)) + 1], {}, (3, 4)),
    "Pow": ("Pow", [np.float32(2)], {}, (3, 4)),
    "ReduceMean": ("ReduceMean", [np.array([2, 3])], {"keepdims": 0}, (3, 4, 5)),
    "ReduceSum": ("ReduceSum", [np.array([-1])], {}, (3, 4)),
    "ReduceL2": ("ReduceL2", [np.array([1])], {}, (6,)),
    "Flatten at 2": ("Flatten", [], {"axis": 2}, (3, 4, 5)),
    "Reshape": ("Reshape", [np.array([0, 2, -1])], {}, (4, 3)),
    "Transpose": ("Transpose", [], {"perm": [0, 2, 3, 1]}, (3, 4, 5)),
    "Squeeze": ("Squeeze", [np.array([-1])], {}, (3, 1)),
    "Unsqueeze": ("Unsqueeze", [np.array([1, -1])], {}, (3,)),
    "Slice": ("Slice", [np.array([1, 4]), np.array([2**31, 0]), np.array([1, 2]), np.array([1, -2])], {}, (3, 5)),
    "Gather": ("Gather", [np.array([2, 0, 2])], {"axis": 1}, (3, 4)),
    "Gather one": ("Gather", [np.array(-1)], {"axis": 2}, (3, 4)),
    "Expand": ("Expand", [np.array([2, 1, 3, 4])], {}, (3, 1)),
    "DepthToSpace": ("DepthToSpace", [], {"blocksize": 2, "mode": "CRD"}, (8, 2, 3)),
    "SpaceToDepth": ("SpaceToDepth", [], {"blocksize": 2}, (2, 4, 6)),
    "Pad, reflected": ("Pad", [np.array([0, 0, 1, 2, 0, 0, 0, -1])], {"mode": "reflect"}, (2, 4, 5)),
    "Pad, constant": ("Pad", [np.array([0, 1, 0, 0, 2, 1]), np.float32(0.5)], {}, (3, 4)),
    "Softmax": ("Softmax", [], {"axis": 1}, (3, 4)),
    "Resize, PyTorch's bilinear": (
        "Resize", ["", np.array([1, 1, 2, 3], "f")], {"mode": "linear", "coordinate_transformation_mode": "half_pixel"},
        (2, 3, 4),
    ),
    "Resize, nearest": (
        "Resize", ["", np.array([1, 1, 2, 2], "f")],
        {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}, (2, 3, 4),
    ),
    "Resize, corners": (
        "Resize", ["", "", np.array([2, 2, 5, 3])],
        {"mode": "linear", "coordinate_transformation_mode": "align_corners"}, (2, 3, 4),
    ),
    "Resize, bicubic": (
        "Resize", ["", "", np.array([2, 2, 5, 3])], {"mode": "cubic", "cubic_coeff_a": -0.75}, (2, 3, 4),
    ),
}  # fmt: skip


def build(model_of, name):
    kind, others, settings, shape = CASES[name]
    weights = {f"w{i}": one for i, one in enumerate(others) if not isinstance(one, str)}
    names = [one if isinstance(one, str) else f"w{i}" for i, one in enumerate(others)]
    return model_of([(kind, ["x", *names], ["y"], settings)], {"x": [2, *shape]}, weights, ["y"], opset=18), (2, *shape)


@pytest.mark.parametrize("name", CASES)
def test_outputs_are_those_of_onnxruntime(model_of, run_onnx, name):
    model, shape = build(model_of, name)
    x = floats(*shape)
    expected = run_onnx(model, x)[0]
    np.testing.assert_allclose(mytorch_onnx.load(model)(x), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", [name for name in CASES if name not in ("Clip to 6", "PRelu of one slope")])
def test_gradients_are_differences_of_the_outputs(model_of, name):
    model, shape = build(model_of, name)
    network = mytorch_onnx.load(model).to(np.float64)
    mytorch.gradcheck(network, np.random.default_rng(3).permutation(np.prod(shape)).reshape(shape) / 17 + 0.013)


OLD = [
    ("Upsample", 9, [np.array([1, 1, 2, 3], "f")], {"mode": "nearest"}),
    ("Upsample", 7, [], {"mode": "nearest", "scales": [1.0, 1.0, 2.0, 2.0]}),
    ("Slice", 9, [], {"starts": [1], "ends": [100], "axes": [2]}),
    ("Squeeze", 11, [], {"axes": [3]}),
    ("Unsqueeze", 11, [], {"axes": [0, 2]}),
    ("Clip", 7, [], {"min": -0.5, "max": 0.5}),
    ("Softmax", 11, [], {"axis": 1}),
    ("LogSoftmax", 11, [], {"axis": 3}),
    ("Pad", 10, [], {"pads": [0, 0, 1, 1, 0, 0, 0, 0], "value": 2.0}),
    ("ReduceMean", 13, [], {"axes": [2, 3]}),
    ("Resize", 10, [np.array([1, 1, 2, 2], "f")], {"mode": "nearest"}),
    ("Dropout", 10, [], {"ratio": 0.3}),
    ("Split", 11, [], {"axis": 1, "split": [3]}),
]


@pytest.mark.parametrize(("kind", "opset", "others", "settings"), OLD, ids=[f"{one[0]} {one[1]}" for one in OLD])
def test_older_opsets_have_the_same_meaning(model_of, run_onnx, kind, opset, others, settings):
    weights = {f"w{i}": one for i, one in enumerate(others)}
    shape = (2, 3, 4, 1) if kind == "Squeeze" else (2, 3, 4, 5)
    model = model_of([(kind, ["x", *weights], ["y"], settings)], {"x": list(shape)}, weights, ["y"], opset=opset)
    x = floats(*shape)
    np.testing.assert_allclose(mytorch_onnx.load(model)(x), run_onnx(model, x)[0], rtol=1e-5, atol=1e-6)
