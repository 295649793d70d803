"""Networks as ONNX files: what onnxruntime computes for them, and that they are read back as they were."""

import numpy as np
import pytest

import mytorch
from models.scratch.face_cnn import face_cnn
from models.scratch.residual import small_resnet
from mytorch import nn
from mytorch import onnx as mytorch_onnx

onnx = pytest.importorskip("onnx")

RNG = np.random.default_rng(2)


def shaken(network, scale=0.3):
    """Give every weight and statistic another value than its first one."""
    for name, array in network.state_dict().items():
        if array.dtype.kind == "f":
            array[...] += RNG.uniform(0 if name.endswith("var") else -scale, scale, array.shape)
    return network


def of_two_branches():
    graph = nn.Graph()
    x = graph.input("image")
    shared = nn.Conv2d(4, 4, 3, padding=1)
    y = graph.add("stage.conv", nn.Conv2d(3, 8, 3, 2, 1, bias=False), x)
    y = graph.add("stage.bn", nn.BatchNorm2d(8), y)
    parts = graph.add("parts", nn.Chunk(2, 1), y)
    a = graph.add("shared", shared, parts[0])
    b = graph.add("again", shared, a)
    y = graph.add("joined", nn.Concatenate(1), b, parts[1])
    gate = graph.add("gate", nn.Sigmoid(), graph.add("mean", nn.Mean((2, 3), keepdim=True), y))
    y = graph.add("gated", nn.Multiply(), y, gate)
    y = graph.add("scaled", nn.Multiply(), y, graph.parameter("gamma", np.ones((8, 1, 1), "f")))
    y = graph.add("offset", nn.Add(), y, graph.constant("offsets", np.ones((8, 1, 1), "f")), y)
    flat = graph.add("flat", nn.Flatten(), y)
    graph.output(graph.add("fc", nn.Linear(8 * 16, 5), flat), gate)
    return graph


LAYERS = {
    "Conv1d": (nn.Conv1d(3, 4, 3, 2, 1, 2), (3, 9)),
    "Conv2d, same": (nn.Conv2d(3, 6, (4, 3), padding="same", groups=3), (3, 6, 5)),
    "Conv2d, reflected": (nn.Conv2d(3, 4, 3, padding=1, padding_mode="reflect", bias=False), (3, 6, 5)),
    "Conv2d, circular": (nn.Conv2d(3, 4, 3, padding=(1, 2), padding_mode="circular"), (3, 6, 5)),
    "Conv3d": (nn.Conv3d(2, 3, 2, padding=1), (2, 3, 4, 3)),
    "ConvTranspose1d": (nn.ConvTranspose1d(3, 4, 3, 2, 1), (3, 5)),
    "ConvTranspose2d": (nn.ConvTranspose2d(4, 6, 3, 2, 1, 1, 2, dilation=2), (4, 5, 4)),
    "Linear": (nn.Linear(6, 4), (6,)),
    "Linear of sequences": (nn.Linear(6, 4), (3, 6)),
    "BatchNorm1d": (nn.BatchNorm1d(6), (6,)),
    "BatchNorm2d": (nn.BatchNorm2d(3, 1e-3, affine=False), (3, 4, 4)),
    "BatchNorm3d": (nn.BatchNorm3d(3), (3, 2, 3, 4)),
    "InstanceNorm2d": (nn.InstanceNorm2d(3, affine=True), (3, 4, 5)),
    "InstanceNorm2d of statistics": (nn.InstanceNorm2d(3, track_running_stats=True), (3, 4, 5)),
    "LayerNorm": (nn.LayerNorm((4, 5)), (3, 4, 5)),
    "LayerNorm without bias": (nn.LayerNorm(5, bias=False), (3, 5)),
    "GroupNorm": (nn.GroupNorm(2, 6), (6, 4, 5)),
    "RMSNorm": (nn.RMSNorm(5), (3, 5)),
    "LocalResponseNorm": (nn.LocalResponseNorm(3, 0.5), (6, 4, 5)),
    "MaxPool2d": (nn.MaxPool2d(3, 2, 1, ceil_mode=True), (2, 8, 7)),
    "MaxPool3d": (nn.MaxPool3d(2, dilation=(1, 2, 1)), (2, 4, 5, 4)),
    "AvgPool2d": (nn.AvgPool2d(3, 2, 1, False, False), (2, 7, 8)),
    "AvgPool1d": (nn.AvgPool1d(3, 2, 1), (2, 9)),
    "AvgPool2d, divided": (nn.AvgPool2d(2, divisor_override=3), (2, 6, 4)),
    "LPPool2d": (nn.LPPool2d(2, 2), (2, 6, 4)),
    "LPPool2d, ceil_mode": (nn.LPPool2d(2, 3, 2, ceil_mode=True), (2, 7, 5)),
    "AdaptiveAvgPool2d": (nn.AdaptiveAvgPool2d((2, None)), (2, 6, 5)),
    "AdaptiveAvgPool1d": (nn.AdaptiveAvgPool1d(1), (2, 6)),
    "AdaptiveMaxPool2d": (nn.AdaptiveMaxPool2d(3), (2, 6, 9)),
    "GlobalAvgPool2d": (nn.GlobalAvgPool2d(), (2, 6, 9)),
    "ZeroPad2d": (nn.ZeroPad2d((1, -1, 2, 0)), (2, 4, 5)),
    "ConstantPad1d": (nn.ConstantPad1d(2, 1.5), (2, 4)),
    "ReflectionPad2d": (nn.ReflectionPad2d((1, 2, 3, 1)), (2, 4, 5)),
    "ReplicationPad3d": (nn.ReplicationPad3d(1), (2, 3, 4, 2)),
    "CircularPad2d": (nn.CircularPad2d(1), (2, 4, 5)),
    "Upsample, nearest": (nn.Upsample(scale_factor=2), (2, 3, 4)),
    "Upsample, exact": (nn.Upsample((5, 7), mode="nearest-exact"), (2, 3, 4)),
    "Upsample, bilinear": (nn.Upsample(scale_factor=(2.0, 3.0), mode="bilinear"), (2, 3, 4)),
    "Upsample, corners": (nn.Upsample((5, 3), mode="bilinear", align_corners=True), (2, 3, 4)),
    "Upsample, bicubic": (nn.Upsample((5, 3), mode="bicubic"), (2, 3, 4)),
    "Upsample, area": (nn.Upsample((2, 2), mode="area"), (2, 4, 6)),
    "Upsample, antialiased": (nn.Upsample((3, 4), mode="bilinear", antialias=True), (2, 7, 9)),
    "Upsample, bicubic antialiased": (nn.Upsample((3, 4), mode="bicubic", antialias=True), (2, 7, 9)),
    "Resize": (nn.Resize((-1, 1), None, (5, 3), "linear", "half_pixel"), (2, 4)),
    "Downsample2d": (nn.Downsample2d((2, 3)), (2, 5, 7)),
    "ZeroUpsample1d": (nn.ZeroUpsample1d(3), (2, 4)),
    "Fold": (nn.Fold((5, 4), (2, 2), padding=1, stride=(2, 1)), (8, 15)),
    "Unfold": (nn.Unfold((2, 3), 1, (0, 1), (2, 1)), (2, 5, 4)),
    "PReLU": (nn.PReLU(3), (3, 4, 4)),
    "PReLU of one slope": (nn.PReLU(), (3, 4)),
    "LeakyReLU": (nn.LeakyReLU(0.2), (9,)),
    "Hardtanh": (nn.Hardtanh(-0.4, 0.6), (9,)),
    "Clamp": (nn.Clamp(max=0.5), (9,)),
    "Softplus": (nn.Softplus(2.0), (9,)),
    "Threshold": (nn.Threshold(0.3, 0.0), (9,)),
    "RReLU": (nn.RReLU(), (9,)),
    "GLU": (nn.GLU(1), (6, 3)),
    "Softmax": (nn.Softmax(), (6, 3, 2)),
    "LogSoftmax": (nn.LogSoftmax(-1), (6,)),
    "Softmin": (nn.Softmin(1), (6,)),
    "Softmax2d": (nn.Softmax2d(), (6, 3, 2)),
    "Dropout": (nn.Dropout(0.4), (6,)),
    "Scale": (nn.Scale(2.0, -0.5), (6,)),
    "Power": (nn.Power(2), (6,)),
    "Mean": (nn.Mean((1, -1)), (3, 4, 5)),
    "Sum": (nn.Sum(2, keepdim=True), (3, 4)),
    "Normalize": (nn.Normalize(), (6,)),
    "Flatten in the middle": (nn.Flatten(2, 3), (3, 4, 5, 2)),
    "Unflatten": (nn.Unflatten(1, (2, -1)), (6, 4)),
    "Reshape": (nn.Reshape((0, -1, 2)), (6, 4)),
    "Permute": (nn.Permute((0, -1, 1, 2)), (3, 4, 5)),
    "Transpose": (nn.Transpose(1, -1), (3, 4, 5)),
    "Slice": (nn.Slice(1, 1, None, 2), (6, 2)),
    "Flip": (nn.Flip((1, 2)), (6, 2)),
    "Squeeze": (nn.Squeeze(1), (1, 6)),
    "Unsqueeze": (nn.Unsqueeze((1, -1)), (6,)),
    "Expand": (nn.Expand((-1, 4, 6)), (1, 6)),
    "IndexSelect": (nn.IndexSelect(1, [2, 0, 2]), (6, 2)),
    "PixelShuffle": (nn.PixelShuffle(2), (8, 3, 2)),
    "PixelUnshuffle": (nn.PixelUnshuffle(2), (2, 4, 6)),
    "ChannelShuffle": (nn.ChannelShuffle(3), (6, 3, 2)),
    **{
        name: (getattr(nn, name)(), (9,))
        for name in (
            "ReLU", "Sigmoid", "Tanh", "SiLU", "GELU", "ELU", "CELU", "SELU", "Mish", "Hardswish", "Hardsigmoid",
            "ReLU6", "Softsign", "LogSigmoid", "Tanhshrink", "Softshrink", "Hardshrink", "Identity", "Exp", "Abs",
            "Erf",
        )
    },
    "Residual": (nn.Residual(nn.Sequential(nn.Conv2d(3, 3, 3, padding=1), nn.ReLU())), (3, 4, 5)),
    "SqueezeExcitation": (nn.SqueezeExcitation(6, 2, nn.SiLU), (6, 4, 5)),
    "the face CNN": (face_cnn(7), (3, 64, 64)),
    "a small ResNet": (small_resnet(7), (3, 32, 32)),
}  # fmt: skip


@pytest.mark.parametrize("name", LAYERS)
def test_onnxruntime_and_the_network_read_back_compute_the_same(name, tmp_path, run_onnx):
    network, shape = LAYERS[name]
    network = shaken(network, 0.05 if len(network.state_dict()) > 10 else 0.3).eval()
    path = tmp_path / "network.onnx"
    mytorch_onnx.save(network, path, (2, *shape))
    again = mytorch_onnx.load(path)
    for batch in (1, 3):
        x = RNG.standard_normal((batch, *shape)).astype("f")
        expected = network(x)
        found = run_onnx(path.read_bytes(), x)[0]
        assert found.shape == expected.shape
        largest = max(np.abs(expected).max(), 1)
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5 * largest)
        np.testing.assert_allclose(again(x), expected, rtol=0, atol=1e-5 * largest)


def test_a_graph_with_shared_layers_and_two_outputs(tmp_path, run_onnx):
    network, path = shaken(of_two_branches()).eval(), tmp_path / "graph.onnx"
    mytorch_onnx.save(network, path, (1, 3, 8, 8), output_names=["logits", "gate"], metadata={"classes": "a, b"})
    model = onnx.load(path)
    assert [one.name for one in model.graph.output] == ["logits", "gate"]
    assert {one.key: one.value for one in model.metadata_props}["classes"] == "a, b"
    assert model.producer_name == "mytorch"
    stored = {tensor.name for tensor in model.graph.initializer}
    assert stored >= {name for name, _ in network.named_parameters()}
    x = RNG.standard_normal((3, 3, 8, 8)).astype("f")
    for found in (run_onnx(model, x), mytorch_onnx.load(path)(x)):
        for one, expected in zip(found, network(x), strict=True):
            np.testing.assert_allclose(one, expected, rtol=0, atol=1e-5 * np.abs(expected).max())


def test_parameters_keep_their_names(tmp_path):
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(16, 2))
    mytorch_onnx.save(network, tmp_path / "network.onnx", (1, 3, 4, 4))
    again = mytorch_onnx.load(tmp_path / "network.onnx")
    assert again.state_dict().keys() == network.state_dict().keys()
    for name, array in network.state_dict().items():
        np.testing.assert_array_equal(again.state_dict()[name], array)


def test_float64_networks_stay_float64(tmp_path, run_onnx):
    network = nn.Sequential(nn.Linear(4, 3), nn.Tanh()).to(np.float64)
    mytorch_onnx.save(network, tmp_path / "network.onnx", (1, 4))
    x = RNG.standard_normal((2, 4))
    np.testing.assert_allclose(run_onnx((tmp_path / "network.onnx").read_bytes(), x)[0], network(x), rtol=1e-12)
    np.testing.assert_allclose(mytorch_onnx.load(tmp_path / "network.onnx")(x), network(x), rtol=1e-12)


def test_saving_changes_nothing_in_the_network(tmp_path):
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Dropout(0.5))
    network[1].eval()
    before = {name: array.copy() for name, array in network.state_dict().items()}
    mytorch_onnx.save(network, tmp_path / "network.onnx", (1, 3, 4, 4))
    assert [module.training for module in network.modules()] == [True, True, False, True]
    for name, array in network.state_dict().items():
        np.testing.assert_array_equal(array, before[name])
    with pytest.raises(RuntimeError, match="found nothing saved by a forward"):
        network[0].backward(np.ones((1, 4, 2, 2), "f"))


class Doubled(nn.Module):
    """A layer that ONNX does not know."""

    def forward(self, x):
        return 2 * x


class DoubledConv(nn.Conv2d):
    """A subclass that computes something else than its base."""

    def forward(self, x):
        return 2 * super().forward(x)


def test_all_layers_that_cannot_be_written_are_listed_and_nothing_is_left(tmp_path):
    network = nn.Sequential(
        Doubled(), nn.Sequential(nn.AdaptiveAvgPool2d(3), nn.MaxPool2d(3, 1, 1)), DoubledConv(3, 2, 1), nn.Squeeze()
    )
    path = tmp_path / "network.onnx"
    path.write_bytes(b"old")
    with pytest.raises(ValueError, match="4 layers cannot be written") as error:
        mytorch_onnx.save(network, path, (2, 3, 7, 7))
    for expected in (
        "0 (Doubled): ONNX has no operator",
        r"1.0 (AdaptiveAvgPool2d): its windows",
        "2 (DoubledConv)",
        "3 (S",
    ):
        assert expected in str(error.value)
    assert path.read_bytes() == b"old"
    assert [one.name for one in tmp_path.iterdir()] == ["network.onnx"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"example_shape": (0, 3)}, r"example_shape=\(0, 3\): expected lengths of at least 1"),
        ({"example_shape": [(1, 3), (1, 3)]}, "got 2 shapes and the inputs images: give one shape for each"),
        ({"example_shape": (1, 3), "output_names": ["a", "b"]}, "expected 1 different names"),
        ({"example_shape": (1, 3), "output_names": ["images"]}, "expected 1 different names, other than the inputs"),
    ],
)
def test_wrong_arguments_are_named(tmp_path, arguments, message):
    with pytest.raises(ValueError, match=message):
        mytorch_onnx.save(nn.Linear(3, 2), tmp_path / "network.onnx", **arguments)


def test_a_folder_that_does_not_exist_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="no such folder"):
        mytorch_onnx.save(nn.Linear(3, 2), tmp_path / "absent" / "network.onnx", (1, 3))


def test_a_network_that_was_read_trains_on_as_the_original(tmp_path):
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(16, 2))
    mytorch_onnx.save(network, tmp_path / "network.onnx", (1, 3, 4, 4))
    again, x = mytorch_onnx.load(tmp_path / "network.onnx").train(), RNG.standard_normal((5, 3, 4, 4)).astype("f")
    labels = np.arange(5) % 2
    losses = []
    for one in (network.train(), again):
        optimizer, loss = mytorch.optim.SGD(one.parameters(), 0.1), nn.CrossEntropyLoss()
        for _ in range(3):
            losses.append(loss(one(x), labels))
            one.zero_grad()
            one.backward(loss.backward())
            optimizer.step()
    np.testing.assert_allclose(losses[:3], losses[3:], rtol=1e-6)


@pytest.mark.parametrize("momentum", [0.1, 0.3, None])
def test_the_momentum_of_batch_norm_is_pytorchs_complement_and_read_back(tmp_path, momentum):
    """ONNX counts how much of the old average is kept, PyTorch how much of the new one is taken."""
    layer = nn.BatchNorm2d(3, momentum=momentum).eval()
    path = tmp_path / "n.onnx"
    mytorch_onnx.save(layer, path, (1, 3, 4, 4))
    (node,) = [one for one in onnx.load(path).graph.node if one.op_type == "BatchNormalization"]
    (kept,) = [one.f for one in node.attribute if one.name == "momentum"]
    assert kept == pytest.approx(1 - (0.1 if momentum is None else momentum))
    (again,) = [one for _, one in mytorch_onnx.load(path).named_modules() if isinstance(one, nn.BatchNorm2d)]
    assert again.momentum == pytest.approx(0.1 if momentum is None else momentum)
