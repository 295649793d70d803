import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mytorch import nn

FLOATS = st.sampled_from([np.float64, np.float32])


@settings(max_examples=100)
@given(
    data=st.data(),
    dtype=FLOATS,
    lead=st.lists(st.integers(1, 4), min_size=1, max_size=3),
    sizes=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    bias=st.booleans(),
)
def test_linear_is_pytorchs_over_any_leading_axes(agree, data, dtype, lead, sizes, bias):
    agree(data, nn.Linear(*sizes, bias=bias), torch.nn.Linear(*sizes, bias=bias), (*lead, sizes[0]), dtype)


@given(data=st.data(), dtype=FLOATS, shape=st.lists(st.integers(1, 4), min_size=2, max_size=5))
def test_flatten_is_pytorchs_in_any_layout(agree, data, dtype, shape):
    agree(data, nn.Flatten(), torch.nn.Flatten(), tuple(shape), dtype)


def test_flatten_takes_an_empty_batch():
    layer = nn.Flatten()
    assert layer(np.zeros((0, 3, 2))).shape == (0, 6)
    assert layer.backward(np.zeros((0, 6))).shape == (0, 3, 2)


def test_linear_without_features_is_refused():
    with pytest.raises(ValueError, match=r"in_features and out_features=\(0, 3\)"):
        nn.Linear(0, 3)
