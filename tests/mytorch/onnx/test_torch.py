"""PyTorch's networks through ONNX files: read with their gradients, and written after `models.from_torch`."""

import io
import warnings

import numpy as np
import pytest
import torch
import torchvision
from torch.nn import functional

from models.from_torch import from_torch
from mytorch import onnx as mytorch_onnx

onnx = pytest.importorskip("onnx")


class Small(torch.nn.Module):
    """A stem, a gated branch that is concatenated, and a classifier, as modules and as functions."""

    def __init__(self):
        super().__init__()
        self.stem = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3, 2, 1), torch.nn.SiLU(), torch.nn.MaxPool2d(3, 2, 1))
        self.down = torch.nn.ConvTranspose2d(8, 8, 2, 2, groups=2)
        self.gate = torch.nn.Conv2d(8, 8, 1)
        self.slope = torch.nn.PReLU(16)
        self.norm = torch.nn.LayerNorm(16)
        self.fc = torch.nn.Linear(16, 5)

    def forward(self, x):
        x = self.stem(x)
        gate = functional.hardsigmoid(self.gate(x.mean((2, 3), keepdim=True)))
        y = self.slope(torch.cat([functional.gelu(x * gate), functional.hardswish(x)], 1))
        y = functional.interpolate(y, scale_factor=2, mode="bilinear", align_corners=False)
        y = y + functional.pad(self.down(x), (0, 0, 0, 0, 4, 4))
        return self.fc(self.norm(functional.adaptive_avg_pool2d(y, 1).flatten(1)))


def exported(module, x):
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module, (x,), buffer, input_names=["images"], dynamic_axes={"images": {0: "n"}}, dynamo=False,
            opset_version=18, training=torch.onnx.TrainingMode.PRESERVE, do_constant_folding=False,
        )  # fmt: skip
    return buffer.getvalue()


def test_outputs_and_every_gradient_are_those_of_pytorch():
    torch.manual_seed(0)
    module = Small().double().eval()
    network = mytorch_onnx.load(exported(module, torch.zeros(2, 3, 16, 16, dtype=torch.float64)))
    x = torch.randn(3, 3, 16, 16, dtype=torch.float64, requires_grad=True)
    y, grad = module(x), np.random.default_rng(0).standard_normal((3, 5))
    y.backward(torch.from_numpy(grad))
    np.testing.assert_allclose(network(x.detach().numpy()), y.detach().numpy(), rtol=1e-7, atol=1e-8)
    np.testing.assert_allclose(network.backward(grad), x.grad.numpy(), rtol=1e-6, atol=1e-8)
    theirs = {name: parameter.grad.numpy() for name, parameter in module.named_parameters()}
    ours = {name: parameter.grad for name, parameter in network.named_parameters()}
    assert ours.keys() == theirs.keys()
    for name, one in theirs.items():
        np.testing.assert_allclose(ours[name], one.reshape(ours[name].shape), rtol=1e-6, atol=1e-8, err_msg=name)


@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v2"])
def test_networks_from_pytorch_are_written_for_onnxruntime(name, tmp_path, run_onnx):
    torch.manual_seed(0)
    module = getattr(torchvision.models, name)(weights=None).eval()
    network = from_torch(module).eval()
    path = tmp_path / "network.onnx"
    mytorch_onnx.save(network, path, (1, 3, 64, 64), ["images"], ["logits"])
    stored = {tensor.name for tensor in onnx.load(path).graph.initializer}
    assert stored >= {key for key, _ in module.named_parameters()}
    x = np.random.default_rng(0).standard_normal((2, 3, 64, 64)).astype("f")
    with torch.no_grad():
        expected = module(torch.from_numpy(x)).numpy()
    largest = np.abs(expected).max()
    np.testing.assert_allclose(run_onnx(path.read_bytes(), x)[0], expected, rtol=0, atol=1e-5 * largest)
    np.testing.assert_allclose(mytorch_onnx.load(path)(x), expected, rtol=0, atol=1e-5 * largest)
