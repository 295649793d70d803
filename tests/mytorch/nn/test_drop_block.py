import numpy as np
import pytest
import torch
import torchvision
from hypothesis import given
from hypothesis import strategies as st

import mytorch
from mytorch import nn
from mytorch.ops.drop_block import block_mask, block_start_probability


@given(
    seed=st.integers(0, 2**32 - 1),
    size=st.tuples(st.integers(3, 9), st.integers(3, 9)),
    half=st.integers(0, 1),
    share=st.floats(0.05, 0.6),
)
def test_the_same_starts_drop_the_same_blocks_as_torchvisions(seed, size, half, share):
    block = 2 * half + 1
    starts = (2, 3, *(n - block + 1 for n in size))
    anchors = np.random.default_rng(seed).random(starts) < share
    noise = torch.nn.functional.pad(torch.tensor(anchors, dtype=torch.float64), [half] * 4)
    noise = torch.nn.functional.max_pool2d(noise, block, 1, half)  # torchvision.ops.drop_block2d's own lines
    np.testing.assert_array_equal(block_mask(anchors, size), 1 - noise.numpy())


@pytest.mark.parametrize(("p", "block"), [(0.1, 3), (0.3, 1), (0.2, 7), (0.1, 4)])
def test_dropped_fraction_is_torchvisions(p, block):
    mytorch.manual_seed(0)
    torch.manual_seed(0)
    shape = (40, 30, 13, 16)
    y = nn.DropBlock2d(p, block)(np.ones(shape))
    if block % 2:
        theirs = torchvision.ops.drop_block2d(torch.ones(shape, dtype=torch.float64), p, block)
        assert abs((y == 0).mean() - (theirs == 0).double().mean().item()) < 0.01
    assert abs(y.mean() - 1) < 1e-6
    assert 0.7 * p < (y == 0).mean() <= p + 0.02  # overlaps drop a little less


def test_blocks_are_whole_even_at_the_border():
    for block in (2, 3, 4):
        anchors = np.zeros((1, 1, 7 - block + 1, 8 - block + 1), bool)
        anchors[..., -1, 0] = True
        kept = block_mask(anchors, (7, 8))
        assert (~kept).sum() == block**2
        assert not kept[0, 0, -block:, :block].any()


def test_block_larger_than_the_image_is_the_image():
    assert block_start_probability(0.3, (2, 3), 2) == 0.3 * 6 / (4 * 2)
    y = nn.DropBlock2d(1.0, 9)(np.ones((2, 3, 4, 4)))
    assert not y.any()


def test_nothing_is_dropped_in_evaluation():
    x = np.random.default_rng(0).standard_normal((2, 3, 5, 4))
    layer = nn.DropBlock2d(0.9, 3).eval()
    np.testing.assert_array_equal(layer(x), x)


def test_channels_are_dropped_whole():
    mytorch.manual_seed(0)
    y = nn.Dropout2d(0.3)(np.ones((200, 50, 3, 2)))
    assert set(np.unique(y)) == {0, 1 / 0.7}
    assert (y == y[:, :, :1, :1]).all()
    assert abs((y == 0).mean() - 0.3) < 5 * np.sqrt(0.3 * 0.7 / 10_000)


def test_block_size_of_zero_is_refused():
    with pytest.raises(ValueError, match="block_size=0"):
        nn.DropBlock2d(0.1, 0)
