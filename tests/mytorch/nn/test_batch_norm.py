import copy

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mytorch import nn

FLOATS = st.sampled_from([np.float64, np.float32])


def trained(channels, rank, **options):
    """The same layer here and in PyTorch, with weights and running statistics that differ from the initial ones."""
    name = "BatchNorm2d" if rank == 4 else "BatchNorm1d"
    theirs = getattr(torch.nn, name)(channels, **options, dtype=torch.float64)
    for value in theirs.state_dict().values():
        if value.dtype == torch.float64:
            torch.nn.init.uniform_(value, 0.5, 2)
    return getattr(nn, name)(channels, **options), theirs


@settings(max_examples=150)
@given(
    data=st.data(),
    dtype=FLOATS,
    batch=st.integers(5, 9),
    channels=st.integers(1, 4),
    size=st.lists(st.integers(1, 5), max_size=2),
    momentum=st.none() | st.floats(0, 1),
    eps=st.sampled_from([1e-5, 1e-3, 0.1]),
    affine=st.booleans(),
    training=st.booleans(),
)
def test_batch_norm_is_pytorchs_statistics_included(
    agree, data, dtype, batch, channels, size, momentum, eps, affine, training
):
    ours, theirs = trained(channels, 2 + len(size), momentum=momentum, eps=eps, affine=affine)
    agree(data, ours.train(training), theirs.train(training), (batch, channels, *size), dtype)


@pytest.mark.parametrize("momentum", [0.1, None])
def test_running_statistics_are_pytorchs_after_many_batches(close, momentum):
    ours, theirs = trained(3, 4, momentum=momentum)
    ours.to(float).load_state_dict({name: value.numpy() for name, value in theirs.state_dict().items()})
    rng = np.random.default_rng(0)
    for size in range(2, 12):
        x = rng.standard_normal((size, 3, 2, 4)) * size + 1
        ours(x), theirs(torch.tensor(x))
    for name, value in theirs.state_dict().items():
        close(name, ours.state_dict()[name], value)
    assert ours.num_batches_tracked == 10


def test_statistics_do_not_move_in_evaluation_and_are_not_shared_with_what_is_saved():
    layer = nn.BatchNorm2d(3, dtype=float)
    x = np.random.default_rng(0).standard_normal((4, 3, 2, 2))
    layer(x)
    before = copy.deepcopy(layer.state_dict())
    layer.eval()
    layer(x + 5)
    layer.backward(np.ones_like(x))
    for name, value in layer.state_dict().items():
        assert np.array_equal(value, before[name]), name


def test_evaluation_gradient_is_that_of_the_statistics_its_forward_saw():
    x = np.random.default_rng(0).standard_normal((4, 3, 2, 2))
    layer = nn.BatchNorm2d(3, dtype=float).eval()
    layer(x)
    expected = layer.backward(np.ones_like(x))
    layer(x)
    layer.train()(x * 7 + 3)  # moves the running statistics
    assert np.array_equal(layer.eval().backward(np.ones_like(x)), expected)


def test_variance_of_values_far_from_zero_is_precise():
    x = (1e4 + np.random.default_rng(0).standard_normal((64, 2, 16, 16))).astype("f")
    layer = nn.BatchNorm2d(2)
    y = layer(x)
    exact = x.astype(float)
    exact = (exact - exact.mean((0, 2, 3), keepdims=True)) / exact.std((0, 2, 3), keepdims=True)
    assert abs(y - exact).max() < 2e-3  # float32 has a spacing of 1e-3 at 1e4


def test_single_value_a_channel_is_refused_in_training_alone():
    layer = nn.BatchNorm1d(3)
    x = np.ones((1, 3), "f")
    with pytest.raises(
        ValueError, match=r"BatchNorm1d in training got an input of shape \(1, 3\), one value per channel"
    ):
        layer(x)
    assert layer.num_batches_tracked == 0
    assert layer.eval()(x).shape == (1, 3)
