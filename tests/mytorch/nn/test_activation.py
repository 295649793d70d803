import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mytorch import nn

FLOATS = st.sampled_from([np.float64, np.float32])
SHAPES = st.lists(st.integers(1, 5), min_size=2, max_size=4).map(tuple)


@given(data=st.data(), dtype=FLOATS, shape=SHAPES, zeros=st.booleans())
def test_relu_is_pytorchs_at_zero_too(agree, data, dtype, shape, zeros):
    agree(data, nn.ReLU(), torch.nn.ReLU(), shape, dtype, whole=zeros)


@given(data=st.data(), dtype=FLOATS, shape=SHAPES, zeros=st.booleans(), slope=st.floats(-1, 2))
def test_leaky_relu_is_pytorchs_at_zero_too(agree, data, dtype, shape, zeros, slope):
    agree(data, nn.LeakyReLU(slope), torch.nn.LeakyReLU(slope), shape, dtype, whole=zeros)


@pytest.mark.parametrize("slope", [0, 0.01, 0.2, 1 / 3, 0.7, 1])
def test_leaky_relu_leaves_positive_values_exactly_as_they_are(slope):
    x = np.random.default_rng(0).random(1000, "f")
    np.testing.assert_array_equal(nn.LeakyReLU(slope)(x), x)


def test_relu_hides_no_nan():
    assert np.isnan(nn.ReLU()(np.array([np.nan, -1.0, 1.0]))).tolist() == [True, False, False]
