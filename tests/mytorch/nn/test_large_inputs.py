"""Large inputs are computed in chunks, by several threads; the small inputs of other tests are not."""

import numpy as np
import pytest
import torch

import mytorch
from models.twin import twin
from mytorch import nn
from mytorch.threads import num_threads

IMAGES, TOLERANCE = (5, 24, 61, 47), 1e-5
LAYERS = {
    "GroupNorm": lambda: nn.GroupNorm(6, 24),
    "ReLU": nn.ReLU,
    "LeakyReLU": lambda: nn.LeakyReLU(0.1),
    "LeakyReLU turned": lambda: nn.LeakyReLU(-1.5),
    "GELU": nn.GELU,
    "SiLU": nn.SiLU,
    "Sigmoid": nn.Sigmoid,
    "Tanh": nn.Tanh,
    "Softmax": lambda: nn.Softmax(1),
    "LogSoftmax": lambda: nn.LogSoftmax(1),
    "GlobalAvgPool2d": nn.GlobalAvgPool2d,
    "AdaptiveAvgPool2d": lambda: nn.AdaptiveAvgPool2d((7, 60)),
    "AdaptiveMaxPool2d": lambda: nn.AdaptiveMaxPool2d((7, 60)),
    "Upsample nearest": lambda: nn.Upsample(scale_factor=2),
    "Upsample bilinear": lambda: nn.Upsample((70, 33), mode="bilinear"),
    "SqueezeExcitation": lambda: nn.SqueezeExcitation(24, 8),
    "Linear": lambda: nn.Linear(47, 5000),
}
LAYOUTS = {
    "C order": np.ascontiguousarray,
    "channels last": lambda x: np.moveaxis(np.ascontiguousarray(np.moveaxis(x, 1, -1)), -1, 1),
    "turned": lambda x: np.ascontiguousarray(x.T).T,
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", LAYERS)
def test_layers_are_pytorchs_on_large_inputs_in_any_layout(name, layout):
    mytorch.manual_seed(0)
    ours, rng = LAYERS[name](), np.random.default_rng(0)
    theirs = twin(ours).double()
    shape = (3, 47) if name == "Linear" else IMAGES
    x = rng.standard_normal(shape, np.float32)
    tensor = torch.tensor(x, dtype=torch.float64, requires_grad=True)
    expected = theirs(tensor)
    grad = rng.standard_normal(expected.shape, np.float32)
    expected.backward(torch.tensor(grad).double())
    with num_threads(2):
        y = ours(LAYOUTS[layout](x) if x.ndim > 2 else x)
        grad_x = ours.backward(LAYOUTS[layout](grad) if grad.ndim > 2 else grad)
    found = [y, grad_x, *(parameter.grad for parameter in ours.parameters())]
    wanted = [expected, tensor.grad, *(parameter.grad for parameter in theirs.parameters())]
    for one, other in zip(found, wanted, strict=True):
        other = other.detach().numpy()
        assert one.dtype == np.float32
        assert abs(one - other).max() <= TOLERANCE * abs(other).max()


@pytest.mark.parametrize("build", [nn.MSELoss, nn.L1Loss, nn.SmoothL1Loss, nn.BCEWithLogitsLoss, nn.CrossEntropyLoss])
def test_losses_are_pytorchs_on_large_inputs(build):
    ours, rng = build(), np.random.default_rng(0)
    x, target = rng.standard_normal((61, 7000), np.float32), rng.random((61, 7000), np.float32)
    tensor = torch.tensor(x, dtype=torch.float64, requires_grad=True)
    expected = twin(ours)(tensor, torch.tensor(target).double())
    expected.backward()
    with num_threads(2):
        assert ours(x, target) == pytest.approx(expected.item(), rel=1e-6)
        assert abs(ours.backward() - tensor.grad.numpy()).max() <= TOLERANCE * abs(tensor.grad.numpy()).max()


def test_dropped_channels_are_whole_and_their_gradient_is_dropped_alike():
    layer = nn.Dropout2d(0.5)
    x = np.ones(IMAGES, np.float32)
    with num_threads(2):
        y = layer(x)
        assert set(np.unique(y)) == {0, 2}
        assert (y == y[:, :, :1, :1]).all()
        np.testing.assert_array_equal(layer.backward(x), y)
