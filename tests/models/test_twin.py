"""A mytorch network and its PyTorch twin: the same logits, the same gradients, the same names."""

import numpy as np
import pytest
import torch

from models.scratch.face_cnn import face_cnn
from models.scratch.residual import small_resnet
from models.twin import copy_back, counterpart, twin
from mytorch import manual_seed, nn

TOLERANCE = 1e-10


def everything() -> nn.Sequential:
    """Every kind of layer, with settings that differ from the defaults, and a residual inside a residual."""
    inner = nn.Residual(nn.Sequential(nn.Conv2d(8, 8, 3, padding=2, dilation=2, groups=4), nn.LeakyReLU(0.3)))
    body = nn.Sequential(nn.Conv2d(8, 8, 1), nn.BatchNorm2d(8, affine=False), inner, nn.Conv2d(8, 12, 3, (2, 1), 1))
    return nn.Sequential(
        nn.Conv2d(3, 8, (3, 5), stride=(1, 2), padding=(0, 2), bias=False),
        nn.BatchNorm2d(8, eps=1e-3, momentum=0.3),
        nn.ReLU(),
        nn.Residual(body, nn.Conv2d(8, 12, 1, (2, 1))),
        nn.LeakyReLU(),
        nn.AvgPool2d((2, 3), 2, (1, 1)),
        nn.MaxPool2d(3, (2, 1), 1),
        nn.Dropout(0.0),
        nn.GlobalAvgPool2d(),
        nn.Flatten(),
        nn.Linear(12, 10, bias=False),
        nn.BatchNorm1d(10, momentum=None),
        nn.BatchNorm1d(10, affine=False),
        nn.Linear(10, 5),
    )


NETWORKS = {
    "everything": everything,
    "face_cnn": lambda: face_cnn(5, (4, 8), 2, dropout=0.0),
    "small_resnet": lambda: small_resnet(5, (4, 8, 8), 2, dropout=0.0),
    "a lone layer": lambda: nn.Sequential(nn.Flatten(), nn.Linear(3 * 11 * 14, 5)),
}


def close(ours: np.ndarray, theirs: torch.Tensor) -> None:
    expected = theirs.detach().numpy()
    assert ours.dtype == expected.dtype
    assert np.abs(ours - expected).max() <= TOLERANCE * max(np.abs(expected).max(), 1e-300)


@pytest.fixture(params=NETWORKS)
def network(request) -> nn.Sequential:
    manual_seed(7)
    network = NETWORKS[request.param]().to(np.float64)
    rng = np.random.default_rng(1)
    for name, array in network.state_dict().items():  # fresh batch norms are ones and zeros: too easily right
        if array.dtype.kind == "f" and array.ndim == 1:
            array += rng.uniform(0.1, 0.5, array.shape) * (1 if "var" in name else rng.choice([-1, 1], array.shape))
    return network


@pytest.fixture
def pixels() -> np.ndarray:
    return np.random.default_rng(2).standard_normal((6, 3, 11, 14))


@pytest.mark.parametrize("training", [True, False])
def test_logits_and_every_gradient_are_the_same(network, pixels, training):
    theirs = twin(network.train(training))
    tensor = torch.tensor(pixels, requires_grad=True)
    logits, expected = network(pixels), theirs(tensor)
    close(logits, expected)
    grad = np.random.default_rng(3).standard_normal(logits.shape)
    grad_pixels = network.backward(grad)
    expected.backward(torch.from_numpy(grad))
    close(grad_pixels, tensor.grad)
    parameters = dict(theirs.named_parameters())
    assert parameters.keys() == {name for name, _ in network.named_parameters()}
    for name, parameter in network.named_parameters():
        scale = max(np.abs(parameters[name].grad.numpy()).max(), 1e-3)  # a bias before batch norm has none but rounding
        assert np.abs(parameter.grad - parameters[name].grad.numpy()).max() <= TOLERANCE * scale, name
    for name, tensor in theirs.state_dict().items():
        np.testing.assert_allclose(network.state_dict()[name], tensor.numpy(), rtol=TOLERANCE, err_msg=name)


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_the_loss_has_a_twin_too(smoothing, reduction):
    ours = nn.CrossEntropyLoss(label_smoothing=smoothing, reduction=reduction)
    rng = np.random.default_rng(0)
    logits, labels = rng.standard_normal((6, 4)), rng.integers(0, 4, 6)
    tensor = torch.tensor(logits, requires_grad=True)
    expected = twin(ours)(tensor, torch.from_numpy(labels))
    assert ours(logits, labels) == pytest.approx(expected.item(), rel=TOLERANCE)
    expected.backward()
    close(ours.backward(), tensor.grad)


def test_names_and_shapes_of_the_weights_are_the_same(network):
    ours, theirs = network.state_dict(), twin(network).state_dict()
    assert list(ours) == list(theirs)
    assert all(ours[name].shape == tuple(theirs[name].shape) for name in ours)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_dtype_is_kept(network, dtype):
    theirs = twin(network.to(dtype))
    assert {p.dtype for p in theirs.parameters()} == {torch.from_numpy(np.zeros(1, dtype)).dtype}


def test_weights_are_copied_and_not_shared(network, pixels):
    theirs = twin(network.eval())
    before = theirs(torch.from_numpy(pixels)).detach()
    for array in network.state_dict().values():
        array += 1
    assert torch.equal(theirs(torch.from_numpy(pixels)), before)


def test_weights_come_back_from_a_twin_that_learned(network, pixels):
    theirs = twin(network)
    optimizer = torch.optim.SGD(theirs.parameters(), lr=0.1)
    theirs(torch.from_numpy(pixels)).square().sum().backward()
    optimizer.step()
    first = next(network.parameters())
    before = first.data.copy()
    copy_back(theirs, network)
    assert not np.array_equal(before, first.data)
    close(network.eval()(pixels), theirs.eval()(torch.from_numpy(pixels)))


def test_each_layer_keeps_its_own_mode():
    network = nn.Sequential(nn.BatchNorm2d(3), nn.Residual(nn.Sequential(nn.Dropout(0.5))))
    network[0].eval()
    modes = {name: layer.training for name, layer in twin(network).named_modules()}
    assert modes == {"": True, "0": False, "1": True, "1.body": True, "1.body.0": True}


def test_a_dropout_has_the_same_probability():
    assert twin(nn.Dropout(0.3)).p == 0.3


class Double(nn.Module):
    def forward(self, x):
        return 2 * x

    def backward(self, grad):
        return 2 * grad


def test_a_layer_without_a_counterpart_says_how_to_give_it_one():
    with pytest.raises(TypeError, match=r"Double has no PyTorch counterpart.*@models\.twin\.counterpart\(Double\)"):
        twin(nn.Sequential(nn.ReLU(), Double()))


def test_a_counterpart_can_be_registered(pixels):
    class Triple(Double):
        pass

    class TheirTriple(torch.nn.Module):
        def forward(self, x):
            return 3 * x

    @counterpart(Triple)
    def build(layer: Triple) -> torch.nn.Module:
        return TheirTriple()

    assert torch.equal(twin(nn.Sequential(Triple()))(torch.ones(2)), 3 * torch.ones(2))


def test_a_layer_that_computes_something_else_than_its_base_has_no_twin():
    class Loud(nn.ReLU):
        def forward(self, x):
            return 2 * super().forward(x)

    with pytest.raises(TypeError, match="Loud has no PyTorch counterpart"):
        twin(Loud())


def test_a_layer_that_computes_what_its_base_does_has_its_bases_twin():
    class Narrow(nn.Linear):
        def __init__(self):
            super().__init__(3, 2)

    assert isinstance(twin(Narrow()), torch.nn.Linear)
