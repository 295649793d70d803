"""Layers that a Sequential computes together give the same results as one by one."""

import copy

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mytorch import nn
from mytorch.nn.fusion import fuse

NETWORKS = {
    "norm and ReLU": lambda window: [nn.BatchNorm2d(3), nn.ReLU()],
    "ReLU and pooling": lambda window: [nn.ReLU(), nn.MaxPool2d(*window)],
    "all three": lambda window: [nn.BatchNorm2d(3), nn.ReLU(), nn.MaxPool2d(*window)],
    "residual and ReLU": lambda window: [
        nn.Residual(nn.Sequential(nn.BatchNorm2d(3), nn.ReLU()), nn.BatchNorm2d(3)),
        nn.ReLU(),
    ],
    "none before": lambda window: [nn.ReLU(), nn.ReLU(), nn.MaxPool2d(*window), nn.MaxPool2d(1), nn.BatchNorm2d(3)],
}


def one_by_one(layers, x, grad):
    """Output and gradient, with each layer's forward and backward called separately."""
    for layer in layers:
        x = layer(x)
    for layer in reversed(layers):
        grad = layer.backward(grad)
    return x, grad


@pytest.mark.parametrize("name", NETWORKS)
@given(
    batch=st.integers(2, 4),
    size=st.tuples(st.integers(3, 9), st.integers(3, 9)),
    window=st.sampled_from([(2,), (3, 2, 1), (3, 1, 1), (2, 3)]),
    dtype=st.sampled_from([np.float64, np.float32]),
    training=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
)
def test_fused_layers_equal_single_layers_on_ties_too(name, batch, size, window, dtype, training, seed):
    rng = np.random.default_rng(seed)
    network = nn.Sequential(*NETWORKS[name](window)).to(dtype).train(training)
    for parameter in network.parameters():
        parameter.data[...] = rng.choice([-2, -1, 0, 1, 2], parameter.shape)
    alone = [copy.deepcopy(layer) for layer in network]
    x = rng.integers(-2, 3, (batch, 3, *size)).astype(dtype)  # few values: ties on purpose
    y = network(x)
    grad = rng.standard_normal(y.shape).astype(dtype)
    expected, expected_grad = one_by_one(alone, x, grad)
    np.testing.assert_array_equal(y, expected)
    close = {"rtol": 0, "atol": 1e-12 if dtype == np.float64 else 1e-5}
    np.testing.assert_allclose(network.backward(grad), expected_grad, **close)
    for ours, other in zip(network.parameters(), nn.Sequential(*alone).parameters(), strict=True):
        np.testing.assert_allclose(ours.grad, other.grad, **close)
    for name, array in network.state_dict().items():
        np.testing.assert_array_equal(array, nn.Sequential(*alone).state_dict()[name])


@pytest.mark.parametrize("layer", [nn.BatchNorm1d(3), nn.BatchNorm2d(3), nn.Residual(nn.ReLU())])
def test_layers_that_can_are_fused_with_relu(layer):
    assert [step.forward for step in fuse([layer, nn.ReLU()])] == [layer.forward_relu]


@pytest.mark.parametrize("kind", [nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d])
def test_pooling_goes_before_relu_unless_it_returns_indices(kind):
    relu, pool = nn.ReLU(), kind(2, return_indices=True)
    assert [step.forward for step in fuse([relu, pool])][1] is pool
    pool.return_indices = False
    assert [step.forward for step in fuse([relu, pool])] == [pool.forward_internal, relu]
    assert [step.forward for step in fuse([pool])] == [pool]


def test_an_output_of_pooling_that_a_user_sees_may_be_changed():
    network, x = nn.Sequential(nn.MaxPool2d(2)), np.arange(16.0).reshape(1, 1, 4, 4)
    y = network(x)
    y *= 2
    assert network.backward(np.ones((1, 1, 2, 2))).sum() == 4


class Doubled(nn.BatchNorm2d):
    def forward(self, x):
        return 2 * super().forward(x)


@pytest.mark.parametrize("layers", [[Doubled(3), nn.ReLU()], [nn.BatchNorm2d(3), type("Other", (nn.ReLU,), {})()]])
def test_a_subclass_is_not_fused(layers):
    assert [step.forward for step in fuse(layers)] == layers


def test_a_layer_with_a_replaced_forward_is_called():
    network, seen = nn.Sequential(nn.BatchNorm2d(3), nn.ReLU()), []
    forward = network[1].forward
    network[1].forward = lambda x: seen.append(x.shape) or forward(x)
    network(np.ones((2, 3, 4, 4), "f"))
    assert seen == [(2, 3, 4, 4)]


def test_backward_without_forward_is_refused_by_name():
    with pytest.raises(RuntimeError, match=r"BatchNorm2d\.backward found nothing saved by a forward in training mode"):
        nn.Sequential(nn.BatchNorm2d(3), nn.ReLU()).backward(np.ones((2, 3, 4, 4), "f"))
