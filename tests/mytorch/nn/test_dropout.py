import numpy as np
import pytest

import mytorch
from mytorch import nn


@pytest.fixture
def x():
    return np.random.default_rng(0).standard_normal((300, 400)) + 10


@pytest.mark.parametrize("p", [0.1, 0.5, 0.8])
def test_dropped_fraction_is_p_and_the_mean_stays(x, p):
    mytorch.manual_seed(0)
    y = nn.Dropout(p)(x)
    assert abs((y == 0).mean() - p) < 5 * np.sqrt(p * (1 - p) / x.size)
    assert abs(y.mean() / x.mean() - 1) < 0.02
    np.testing.assert_allclose(y[y != 0], x[y != 0] / (1 - p))


def test_gradient_passes_where_the_forward_passed(x):
    layer = nn.Dropout(0.3)
    y = layer(x)
    np.testing.assert_allclose(layer.backward(np.ones_like(x)), y / x)


def test_same_seed_same_mask(x):
    layer = nn.Dropout()
    mytorch.manual_seed(3)
    first, second = layer(x), layer(x)
    mytorch.manual_seed(3)
    assert np.array_equal(layer(x), first)
    assert not np.array_equal(first, second)


def test_nothing_is_dropped_in_evaluation_or_at_zero(x):
    for layer in (nn.Dropout(0.5).eval(), nn.Dropout(0)):
        assert np.array_equal(layer(x), x)
        assert np.array_equal(layer.backward(x), x)


def test_all_is_dropped_at_one(x):
    layer = nn.Dropout(1)
    assert not layer(x).any()
    assert not layer.backward(x).any()


@pytest.mark.parametrize("p", [-0.1, 1.1])
def test_probability_outside_of_zero_to_one_is_refused(p):
    with pytest.raises(ValueError, match=f"p={p}: expected the probability"):
        nn.Dropout(p)
