"""Networks from ONNX files: outputs against onnxruntime, gradients against differences, and files that are refused."""

import subprocess
import sys

import numpy as np
import pytest

import mytorch
from mytorch import nn
from mytorch import onnx as mytorch_onnx

onnx = pytest.importorskip("onnx")

RNG = np.random.default_rng(0)


def floats(*shape):
    return RNG.standard_normal(shape).astype("f")


def small(model_of, batch="N", **more):
    """A convolution, batch norm, PReLU, a branch, and a classifier behind shape arithmetic, as PyTorch exports it."""
    weights = {
        "stage.conv.weight": floats(6, 1, 3, 3), "stage.bn.weight": floats(6), "stage.bn.bias": floats(6),
        "mean": floats(6), "var": np.abs(floats(6)) + 0.5, "slope": floats(6, 1, 1), "fc.weight": floats(4, 96),
        "fc.bias": floats(4), "zero": np.array(0), "first": np.array([0]), "rest": np.array([-1]),
        "gamma": floats(6, 1, 1),
    }  # fmt: skip
    nodes = [
        ("Conv", ["x", "stage.conv.weight"], ["a"], {"group": 3, "pads": [1, 0, 2, 1], "strides": [2, 1]}),
        ("BatchNormalization", ["a", "stage.bn.weight", "stage.bn.bias", "mean", "var"], ["b"], {"epsilon": 1e-3}),
        ("PRelu", ["b", "slope"], ["c"], {}),
        ("Mul", ["c", "gamma"], ["d"], {}),
        ("Add", ["c", "d"], ["e"], {}),
        ("Shape", ["e"], ["shape"], {}),
        ("Gather", ["shape", "zero"], ["n"], {}),
        ("Unsqueeze", ["n", "first"], ["n1"], {}),
        ("Concat", ["n1", "rest"], ["target"], {"axis": 0}),
        ("Reshape", ["e", "target"], ["f"], {}),
        ("Gemm", ["f", "fc.weight", "fc.bias"], ["logits"], {"transB": 1}),
    ]
    return model_of(nodes, {"x": [batch, 3, 7, 5]}, weights, ["logits"], **more)


@pytest.mark.parametrize("batch", ["N", 2])
def test_a_network_computes_what_onnxruntime_does_for_any_batch(model_of, run_onnx, batch):
    model = small(model_of, batch)
    network = mytorch_onnx.load(model)
    for n in (1, 2, 5) if batch == "N" else (2,):
        x = floats(n, 3, 7, 5)
        np.testing.assert_allclose(network(x), run_onnx(model, x)[0], rtol=1e-4, atol=1e-5)
    assert network(floats(3, 3, 7, 5)).shape == (3, 4)  # a fixed batch is only that of the exported example


def test_parameters_have_the_names_of_the_model_and_constants_are_buffers(model_of):
    network = mytorch_onnx.load(small(model_of))
    assert [name for name, _ in network.named_parameters()] == [
        "gamma", "stage.conv.weight", "stage.bn.weight", "stage.bn.bias", "PRelu_2.weight", "fc.weight", "fc.bias",
    ]  # fmt: skip
    assert not network.training
    assert isinstance(network["stage.conv"], nn.Conv2d)
    assert isinstance(network["fc"], nn.Linear)


def test_the_gradients_are_the_differences_of_the_outputs(model_of):
    network = mytorch_onnx.load(small(model_of)).to(np.float64)
    errors = mytorch.gradcheck(network, RNG.standard_normal((3, 3, 7, 5)))
    assert set(errors) == {"input", *(name for name, _ in network.named_parameters())}


def test_a_path_bytes_and_a_model_give_the_same_network(model_of, tmp_path):
    model, x = small(model_of), floats(2, 3, 7, 5)
    path = tmp_path / "network.onnx"
    path.write_bytes(model.SerializeToString())
    expected = mytorch_onnx.load(model)(x)
    for source in (path, str(path), path.read_bytes()):
        np.testing.assert_array_equal(mytorch_onnx.load(source)(x), expected)


def test_it_is_saved_and_loaded_as_any_graph(model_of, tmp_path):
    network, x = mytorch_onnx.load(small(model_of)), floats(2, 3, 7, 5)
    network.save(tmp_path / "network.safetensors")
    again = nn.Graph.load(tmp_path / "network.safetensors").eval()
    np.testing.assert_array_equal(again(x), network(x))


def quantized(model_of, axis, block, shape, scales):
    values = RNG.integers(-100, 100, shape).astype(np.int8)
    weights = {
        "stored": values, "scales": np.abs(RNG.standard_normal(scales)).astype("f") + 0.1,
        "zero": RNG.integers(-5, 5, scales).astype(np.int8),
    }  # fmt: skip
    settings = {} if axis is None else {"axis": axis}
    settings |= {"block_size": block} if block else {}
    nodes = [
        ("DequantizeLinear", ["stored", "scales", "zero"], ["weight"], settings),
        ("Conv", ["x", "weight"], ["y"], {}),
    ]
    return model_of(nodes, {"x": [1, 8, 5, 4]}, weights, ["y"])


@pytest.mark.parametrize(
    ("axis", "block", "scales"), [(None, 0, ()), (0, 0, (6,)), (1, 4, (6, 2, 3, 3)), (0, 3, (2, 8, 3, 3))]
)
def test_quantized_weights_are_computed_once(model_of, run_onnx, axis, block, scales):
    model, x = quantized(model_of, axis, block, (6, 8, 3, 3), scales), floats(1, 8, 5, 4)
    network = mytorch_onnx.load(model)
    assert [node.name for node in network.nodes] == ["Conv_1"]
    assert network["Conv_1"].weight.shape == (6, 8, 3, 3)
    expected = run_onnx(model, x)[0]
    np.testing.assert_allclose(network(x), expected, rtol=0, atol=1e-5 * np.abs(expected).max())


def test_everything_that_is_not_supported_is_listed_at_once(model_of):
    nodes = [
        ("Relu", ["x"], ["a"], {}),
        ("NonMaxSuppression", ["a", "a"], ["b"], {}),
        ("Einsum", ["x"], ["c"], {"equation": "i->i"}),
        ("Conv", ["x", "a"], ["d"], {}),
        ("Concat", ["b", "c", "d"], ["y"], {"axis": 0}),
    ]
    with pytest.raises(ValueError, match="3 nodes are not supported") as error:
        mytorch_onnx.load(model_of(nodes, {"x": [1, 2, 3, 4]}, {}, ["y"]))
    for expected in ("NonMaxSuppression 'NonMaxSuppression_1'", "Einsum 'Einsum_2'", "its weight is computed from"):
        assert expected in str(error.value)


def test_operators_of_other_domains_are_named(model_of):
    model = model_of([("FusedConv", ["x"], ["y"], {"domain": "com.example"})], {"x": [1, 2]}, {}, ["y"])
    with pytest.raises(ValueError, match=r"FusedConv 'FusedConv_0': it is an operator of 'com\.example'"):
        mytorch_onnx.load(model)


@pytest.mark.parametrize("share", [0.3, 0.9, 0.999])
def test_a_truncated_file_is_refused(model_of, tmp_path, share):
    content = small(model_of).SerializeToString()
    path = tmp_path / "broken.onnx"
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(ValueError, match=r"broken\.onnx: not a(n ONNX file, or a truncated one| complete ONNX file)"):
        mytorch_onnx.load(path)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 a zip file", b"\x89PNG\r\n\x1a\n" * 9, bytes(100)])
def test_other_files_are_refused(tmp_path, content):
    path = tmp_path / "photo.onnx"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"photo\.onnx: not a"):
        mytorch_onnx.load(path)


def test_a_missing_file_and_other_types_are_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no\.onnx: no such file"):
        mytorch_onnx.load(tmp_path / "no.onnx")
    with pytest.raises(TypeError, match="got 3: expected a path"):
        mytorch_onnx.load(3)


def test_opsets_that_are_too_new_or_too_old_are_refused(model_of):
    model = small(model_of)
    for opset, message in ((999, "opset 999 is newer than"), (6, "opset 6 is too old, expected at least 7")):
        model.opset_import[0].version = opset
        with pytest.raises(ValueError, match=message):
            mytorch_onnx.load(model)


def test_weights_that_are_nan_are_named(model_of):
    weights = {"offset": np.array([1, np.nan, 2], "f")}
    model = model_of([("Add", ["x", "offset"], ["y"], {})], {"x": [1, 3]}, weights, ["y"])
    with pytest.raises(ValueError, match=r"weights are NaN: offset \(1 of 3\)"):
        mytorch_onnx.load(model)


def test_weights_in_other_files_are_read_and_missed(model_of, tmp_path, run_onnx):
    model, x = small(model_of), floats(2, 3, 7, 5)
    expected = run_onnx(model, x)[0]
    path = tmp_path / "network.onnx"
    onnx.save(model, path, save_as_external_data=True, location="weights.bin", size_threshold=64)
    np.testing.assert_allclose(mytorch_onnx.load(path)(x), expected, rtol=1e-4, atol=1e-5)
    with pytest.raises(ValueError, match=r"in other files \(weights\.bin\): give the path"):
        mytorch_onnx.load(path.read_bytes())
    (tmp_path / "weights.bin").rename(tmp_path / "elsewhere.bin")
    with pytest.raises(ValueError, match=r"weights\.bin, missing in .*: copy all files"):
        mytorch_onnx.load(path)


def test_settings_that_depend_on_an_open_length_name_the_input(model_of):
    nodes = [("AveragePool", ["x"], ["y"], {"kernel_shape": [3, 3], "strides": [2, 2], "auto_pad": "SAME_UPPER"})]
    model = model_of(nodes, {"x": ["N", 3, "H", "W"]}, {}, ["y"])
    with pytest.raises(ValueError, match=r"the size of 'x' depends on the dynamic shape of the input 'x'"):
        mytorch_onnx.load(model)
    assert mytorch_onnx.load(model, shapes={"x": (1, 3, 8, 7)})(floats(1, 3, 8, 7)).shape == (1, 3, 4, 4)
    with pytest.raises(ValueError, match=r"shapes has 'z', expected inputs: x"):
        mytorch_onnx.load(model, shapes={"z": (1, 3, 8, 7)})
    with pytest.raises(ValueError, match=r"shapes\['x'\]=\(3, 8\): expected 4 lengths"):
        mytorch_onnx.load(model, shapes={"x": (3, 8)})


def test_open_heights_and_widths_that_nothing_depends_on_are_fine(model_of, run_onnx):
    nodes = [
        ("Conv", ["x", "w"], ["a"], {"auto_pad": "SAME_LOWER"}),
        ("GlobalAveragePool", ["a"], ["b"], {}),
        ("Flatten", ["b"], ["y"], {}),
    ]
    model = model_of(nodes, {"x": ["N", 3, "H", "W"]}, {"w": floats(4, 3, 2, 2)}, ["y"])
    network = mytorch_onnx.load(model)
    for size in ((5, 6), (9, 4)):
        x = floats(2, 3, *size)
        np.testing.assert_allclose(network(x), run_onnx(model, x)[0], rtol=1e-4, atol=1e-6)


def test_an_output_without_an_input_is_refused(model_of):
    nodes = [("Identity", ["w"], ["y"], {}), ("Relu", ["x"], ["z"], {})]
    with pytest.raises(ValueError, match="the output 'y' does not depend on the input"):
        mytorch_onnx.load(model_of(nodes, {"x": [1]}, {"w": floats(3)}, ["y", "z"]))


def test_loading_leaves_the_random_generator_where_it_is(model_of):
    model, drawn = small(model_of), []
    for load in (False, True):
        mytorch.manual_seed(3)
        if load:
            mytorch_onnx.load(model)
        drawn.append(nn.Linear(3, 2).weight.data)
    np.testing.assert_array_equal(*drawn)


def test_import_mytorch_does_not_import_onnx():
    code = "import sys, mytorch; sys.exit('onnx' in sys.modules or 'mytorch.onnx' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_without_the_package_the_remedy_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ImportError, match=r"pip install -e '\.\[export\]'"):
        mytorch_onnx.load(b"")


@pytest.mark.real
def test_sface_computes_what_onnxruntime_does(shared_data, run_onnx):
    path = shared_data.parent / "weights" / "face_recognition_sface_2021dec_int8bq.onnx"
    if not path.is_file():
        pytest.skip(f"{path} is absent")
    model = onnx.load(path)
    images = [value for value in model.graph.input if value.name == "data"]
    del model.graph.input[:]
    model.graph.input.extend(images)
    x = RNG.uniform(0, 255, (1, 3, 112, 112)).astype("f")
    network = mytorch_onnx.load(path)
    expected = run_onnx(model, x)[0]
    np.testing.assert_allclose(network(x), expected, rtol=0, atol=1e-4 * np.abs(expected).max())
    np.testing.assert_allclose(network(np.concatenate([x, x]))[1:], network(x), rtol=0, atol=1e-5)


@pytest.mark.real
def test_yunet_computes_what_onnxruntime_does(shared_data, run_onnx):
    path = shared_data.parent / "weights" / "face_detection_yunet_2023mar_int8bq.onnx"
    if not path.is_file():
        pytest.skip(f"{path} is absent")
    model = onnx.load(path)
    shapes = {tensor.name: list(tensor.dims) for tensor in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type == "DequantizeLinear" and shapes[node.input[1]] == [1]:
            del node.attribute[:]  # one block, which onnxruntime does not take for a block
    x = RNG.uniform(0, 255, (1, 3, 640, 640)).astype("f")
    outputs = mytorch_onnx.load(path)(x)
    for mine, expected in zip(outputs, run_onnx(model, x), strict=True):
        np.testing.assert_allclose(mine, expected, rtol=0, atol=1e-4 * np.abs(expected).max())
