from math import sqrt

import numpy as np
import pytest

import mytorch
from mytorch import nn

LAYERS = {
    "Linear": (lambda: nn.Linear(50, 400), 50),
    "Conv2d": (lambda: nn.Conv2d(16, 128, (3, 5)), 16 * 15),
    "grouped Conv2d": (lambda: nn.Conv2d(64, 256, 3, groups=8), 8 * 9),
}


@pytest.mark.parametrize(("build", "fan_in"), LAYERS.values(), ids=LAYERS)
def test_first_values_are_distributed_as_pytorchs(build, fan_in):
    mytorch.manual_seed(0)
    layer, bound = build(), 1 / sqrt(fan_in)
    for values in (layer.weight.data, layer.bias.data):
        assert abs(values).max() <= bound * (1 + 1e-6)  # rounding to float32
        assert abs(values).max() > 0.95 * bound
        error = 5 / sqrt(values.size)  # five standard deviations of a mean, and more than that of a variance
        assert abs(values.mean()) < error * bound / sqrt(3)
        assert abs(values.var() / (bound**2 / 3) - 1) < error


@pytest.mark.parametrize(("build", "fan_in"), LAYERS.values(), ids=LAYERS)
def test_pytorchs_own_first_values_pass_the_same_bounds(build, fan_in):
    import torch

    layer = build()
    arguments = (layer.in_channels, len(layer.weight.data), layer.kernel_size) if isinstance(layer, nn.Conv2d) else None
    torch.manual_seed(0)
    theirs = torch.nn.Conv2d(*arguments, groups=layer.groups) if arguments else torch.nn.Linear(50, 400)
    assert tuple(theirs.weight.shape) == layer.weight.shape
    assert 0.95 / sqrt(fan_in) < theirs.weight.abs().max().item() <= (1 + 1e-6) / sqrt(fan_in)
    assert theirs.bias.abs().max().item() <= (1 + 1e-6) / sqrt(fan_in)


def test_seed_reproduces_and_the_generator_advances():
    mytorch.manual_seed(1)
    first, second = nn.Linear(3, 4), nn.Linear(3, 4)
    mytorch.manual_seed(1)
    np.testing.assert_array_equal(nn.Linear(3, 4).weight.data, first.weight.data)
    np.testing.assert_array_equal(nn.Linear(3, 4).weight.data, second.weight.data)
    assert not np.array_equal(first.weight.data, second.weight.data)


def test_numpys_global_stream_is_not_touched():
    np.random.seed(0)
    expected = np.random.rand()
    np.random.seed(0)
    nn.Conv2d(3, 4, 3)
    nn.Dropout()(np.ones((3, 3)))
    assert np.random.rand() == expected


def test_batch_norm_starts_as_the_identity():
    layer = nn.BatchNorm2d(3).eval()
    x = np.random.default_rng(0).standard_normal((2, 3, 2, 2)).astype("f")
    np.testing.assert_allclose(layer(x), x / np.sqrt(1 + 1e-5), rtol=1e-6)
