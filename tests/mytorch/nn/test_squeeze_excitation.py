import numpy as np
import pytest
import torch
import torchvision
from hypothesis import given
from hypothesis import strategies as st

from mytorch import nn


@given(
    data=st.data(),
    dtype=st.sampled_from([np.float64, np.float32]),
    channels=st.integers(1, 6),
    squeezed=st.integers(1, 4),
    size=st.tuples(st.integers(1, 6), st.integers(1, 6)),
    activation=st.sampled_from(["ReLU", "SiLU", "Tanh"]),
)
def test_squeeze_and_excitation_is_torchvisions(agree, data, dtype, channels, squeezed, size, activation):
    ours = nn.SqueezeExcitation(channels, squeezed, getattr(nn, activation))
    theirs = torchvision.ops.SqueezeExcitation(channels, squeezed, getattr(torch.nn, activation))
    agree(data, ours, theirs, (2, channels, *size), dtype)


def test_names_and_shapes_of_the_weights_are_torchvisions():
    ours, theirs = nn.SqueezeExcitation(6, 2).state_dict(), torchvision.ops.SqueezeExcitation(6, 2).state_dict()
    assert [(name, value.shape) for name, value in ours.items()] == [(n, tuple(v.shape)) for n, v in theirs.items()]


def test_other_channels_are_refused():
    with pytest.raises(ValueError, match=r"SqueezeExcitation got .* expected \(N, 6, H, W\)"):
        nn.SqueezeExcitation(6, 2)(np.zeros((1, 5, 3, 3), "f"))
