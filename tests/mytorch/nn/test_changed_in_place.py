"""An array that a layer saved and somebody changed in place: the gradient is right, or backward is refused."""

import numpy as np
import pytest

import mytorch
from mytorch import nn
from tests.mytorch.nn.every_layer import IMAGES, LAYERS


def make(name):
    mytorch.manual_seed(0)
    return LAYERS[name]().to(float)


def gradient(layer, x, change=None):
    """The gradient at the input where `change` gets input and output between forward and backward."""
    mytorch.manual_seed(1)
    y = layer(x)
    grad = np.cos(np.arange(y.size, dtype=x.dtype)).reshape(y.shape)
    if change:
        change(x, y)
    return layer.backward(grad)


def change_output(x, y):
    y *= 2
    y += 1


def change_input(x, y):
    x *= -3
    x += 1


@pytest.mark.parametrize("change", [change_output, change_input])
@pytest.mark.parametrize("name", LAYERS)
def test_the_gradient_is_right_or_backward_is_refused(name, change):
    expected = gradient(make(name), IMAGES.copy())
    try:
        found = gradient(make(name), IMAGES.copy(), change)
    except RuntimeError as error:
        found = None
        message = str(error)
    if found is None:
        assert "changed in place" in message
    else:
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("name", ["ReLU", "MaxPool2d", "MaxPool1d", "AdaptiveMaxPool2d"])
def test_layers_that_do_not_need_their_output(name):
    expected = gradient(make(name), IMAGES.copy())
    np.testing.assert_array_equal(gradient(make(name), IMAGES.copy(), change_output), expected)


@pytest.mark.parametrize("dtype", ["f", "d"])
@pytest.mark.parametrize("shape", [(1,), (3, 5), (2, 40, 33, 31)])
@pytest.mark.parametrize("last", [False, True])
def test_a_change_of_a_part_is_seen(dtype, shape, last):
    layer = nn.Sigmoid()
    x = np.random.default_rng(0).standard_normal(shape).astype(dtype)
    if last and len(shape) == 4:
        x = np.ascontiguousarray(x.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
    y = layer(x)
    y[..., : (y.shape[-1] + 1) // 2] += 1
    with pytest.raises(RuntimeError, match=r"Sigmoid\.backward needs .* changed in place"):
        layer.backward(np.ones_like(y))


def test_what_is_changed_after_backward_does_not_matter():
    layer = nn.Sigmoid()
    for _ in range(2):
        y = layer(IMAGES)
        layer.backward(np.ones_like(y))
        y *= 2


def test_a_network_whose_output_is_changed():
    network = nn.Sequential(nn.Linear(5, 5), nn.ReLU(), nn.Linear(5, 5), nn.ReLU()).to(float)
    expected = gradient(network, IMAGES.copy())
    np.testing.assert_array_equal(gradient(network, IMAGES.copy(), change_output), expected)
