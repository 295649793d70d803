import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mytorch import nn

FLOATS = st.sampled_from([np.float64, np.float32])


@given(data=st.data(), dtype=FLOATS, factor=st.integers(1, 3), lead=st.lists(st.integers(1, 3), max_size=3))
def test_pixels_move_between_channels_and_positions_as_in_pytorch(agree, data, dtype, factor, lead):
    channels, h, w = data.draw(st.tuples(*[st.integers(1, 4)] * 3))
    for name, shape in [
        ("PixelShuffle", (channels * factor**2, h, w)),
        ("PixelUnshuffle", (channels, factor * h, factor * w)),
    ]:
        ours, theirs = getattr(nn, name)(factor), getattr(torch.nn, name)(factor)
        assert ours.extra_repr() == theirs.extra_repr()
        agree(data, ours, theirs, (*lead, *shape), dtype)


@given(data=st.data(), dtype=FLOATS, groups=st.integers(1, 4), each=st.integers(1, 4))
def test_channels_are_interleaved_as_in_pytorch(agree, data, dtype, groups, each):
    size = data.draw(st.lists(st.integers(1, 4), min_size=1, max_size=3))
    agree(data, nn.ChannelShuffle(groups), torch.nn.ChannelShuffle(groups), (2, groups * each, *size), dtype)


@pytest.mark.parametrize("layer", [nn.PixelShuffle(2), nn.PixelUnshuffle(2), nn.ChannelShuffle(2)], ids=repr)
def test_memory_is_channels_last(layer):
    y = layer(np.random.default_rng(0).standard_normal((2, 8, 4, 6)))
    for array in (y, layer.backward(y)):
        assert np.moveaxis(array, 1, -1).flags.c_contiguous


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (nn.PixelShuffle(3), r"PixelShuffle got 8 channels: expected a multiple of 3\^2 = 9"),
        (nn.PixelUnshuffle(3), r"PixelUnshuffle got an image of \(4, 6\): expected multiples of 3"),
        (
            nn.ChannelShuffle(3),
            r"ChannelShuffle got an input of shape \(2, 8, 4, 6\): expected \(N, C, \*\), at least",
        ),
    ],
)
def test_shapes_that_the_factor_does_not_divide_are_refused(layer, message):
    with pytest.raises(ValueError, match=message):
        layer(np.zeros((2, 8, 4, 6)))


@pytest.mark.parametrize("layer", [nn.PixelShuffle, nn.PixelUnshuffle])
def test_other_arguments_are_refused(layer):
    with pytest.raises(ValueError, match=r"scale_factor=0: give whole numbers of at least 1"):
        layer(0)
    with pytest.raises(ValueError, match=r"got an input of shape \(4, 4\): expected \(\*, C, H, W\)"):
        layer(2)(np.zeros((4, 4)))
