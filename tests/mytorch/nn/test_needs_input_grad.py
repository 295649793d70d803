import numpy as np
import pytest

from mytorch import nn


@pytest.mark.parametrize("layer", [nn.Conv2d(3, 4, 3), nn.Linear(5, 4)], ids=["Conv2d", "Linear"])
def test_a_first_layer_may_skip_its_inputs_gradient_and_keeps_its_parameters(layer):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((2, 3, 5, 5)).astype(np.float32)
    grad = rng.standard_normal(layer(x).shape).astype(np.float32)
    layer.backward(grad)
    expected = {name: parameter.grad for name, parameter in layer.named_parameters()}
    layer.zero_grad()
    layer.needs_input_grad = False
    layer(x)
    assert layer.backward(grad) is None
    for name, parameter in layer.named_parameters():
        np.testing.assert_array_equal(parameter.grad, expected[name])
