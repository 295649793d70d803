import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mytorch import nn

FLOATS = st.sampled_from([np.float64, np.float32])
KINDS = ["AdaptiveAvgPool1d", "AdaptiveAvgPool2d", "AdaptiveMaxPool2d"]


@settings(max_examples=200)
@given(data=st.data(), dtype=FLOATS, name=st.sampled_from(KINDS), ties=st.booleans())
def test_adaptive_pooling_is_pytorchs_at_any_output_size(agree, data, dtype, name, ties):
    axes = int(name[-2])
    lead, size = (data.draw(st.tuples(*[st.integers(1, 9)] * count)) for count in (2, axes))
    wanted = data.draw(st.tuples(*[st.integers(1, 12)] * axes))
    shape = (*lead, *size)
    agree(data, getattr(nn, name)(wanted), getattr(torch.nn, name)(wanted), shape, dtype, whole=ties)


def test_none_keeps_an_axis_as_it_is():
    x = np.random.default_rng(0).standard_normal((2, 3, 7, 5))
    y = nn.AdaptiveAvgPool2d((None, 2))(x)
    np.testing.assert_allclose(y, torch.nn.AdaptiveAvgPool2d((None, 2))(torch.tensor(x)), rtol=1e-12)
    assert y.shape == (2, 3, 7, 2)


def test_of_several_largest_the_first_alone_gets_the_gradient():
    layer = nn.AdaptiveMaxPool2d(1)
    layer(np.ones((1, 1, 3, 2)))
    assert np.array_equal(layer.backward(np.ones((1, 1, 1, 1)))[0, 0], [[1, 0], [0, 0], [0, 0]])


@pytest.mark.parametrize("size", [0, (1, 2, 3), 1.5, (None, -1)])
def test_impossible_output_size_is_refused(size):
    with pytest.raises(ValueError, match=r"output_size=.*give whole numbers of at least 1, or None"):
        nn.AdaptiveAvgPool2d(size)
