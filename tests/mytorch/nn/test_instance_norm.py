"""Instance norm, and the arguments that it shares with batch norm."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mytorch import nn

FLOATS = st.sampled_from([np.float64, np.float32])


def both(name, channels, *arguments, **options):
    """The same layer here and in PyTorch, with random weights and statistics."""
    theirs = getattr(torch.nn, name)(channels, *arguments, **options)
    for value in theirs.state_dict().values():
        if value.is_floating_point():
            torch.nn.init.uniform_(value, 0.5, 2)
    return getattr(nn, name)(channels, *arguments, **options), theirs


@settings(max_examples=120)
@given(
    data=st.data(),
    dtype=FLOATS,
    batch=st.integers(0, 3),
    channels=st.integers(1, 4),
    size=st.lists(st.integers(1, 3), max_size=2),
    momentum=st.none() | st.floats(0, 1),
    affine=st.booleans(),
    bias=st.booleans(),
    tracked=st.booleans(),
    training=st.booleans(),
)
def test_instance_norm_is_pytorchs_with_and_without_a_batch_axis(
    agree, data, dtype, batch, channels, size, momentum, affine, bias, tracked, training
):
    name = f"InstanceNorm{1 + len(size)}d"
    ours, theirs = both(name, channels, 0.01, momentum, affine, tracked, bias=bias)
    shape = (*([batch] if batch else []), channels, *size, 6)
    agree(data, ours.train(training), theirs.train(training), shape, dtype)


@pytest.mark.parametrize("training", [False, True])
def test_large_images_are_pytorchs(agree, training):
    ours, theirs = both("InstanceNorm2d", 3, affine=True, track_running_stats=True)
    x = np.random.default_rng(0).standard_normal((2, 3, 20, 21)) + 3
    ours.to(float).load_state_dict({name: value.numpy() for name, value in theirs.double().state_dict().items()})
    tensor = torch.tensor(x, requires_grad=True)
    y, expected = ours.train(training)(x), theirs.train(training)(tensor)
    expected.backward(torch.tensor(np.cos(x)))
    np.testing.assert_allclose(y, expected.detach(), rtol=1e-11, atol=1e-12)
    np.testing.assert_allclose(ours.backward(np.cos(x)), tensor.grad, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(ours.weight.grad, theirs.weight.grad, rtol=1e-10)
    np.testing.assert_allclose(ours.running_var, theirs.running_var, rtol=1e-12)


@settings(max_examples=60)
@given(
    data=st.data(),
    size=st.lists(st.integers(1, 4), max_size=3),
    affine=st.booleans(),
    bias=st.booleans(),
    tracked=st.booleans(),
    training=st.booleans(),
    momentum=st.none() | st.floats(0, 1),
)
def test_batch_norm_without_bias_or_statistics_is_pytorchs(
    agree, data, size, affine, bias, tracked, training, momentum
):
    name = f"BatchNorm{max(1, len(size))}d"
    ours, theirs = both(name, 3, 0.01, momentum, affine, tracked, bias=bias)
    agree(data, ours.train(training), theirs.train(training), (5, 3, *size))


def test_without_statistics_there_is_nothing_to_save():
    layer = nn.BatchNorm2d(3, track_running_stats=False, affine=False)
    assert layer.state_dict() == {}
    assert layer.running_mean is layer.num_batches_tracked is None
    assert "track_running_stats=False" in repr(layer)


def test_an_empty_batch_in_training_is_counted_and_moves_no_statistics():
    ours, theirs = nn.BatchNorm2d(3, dtype=float), torch.nn.BatchNorm2d(3).double()
    x = np.zeros((0, 3, 2, 2))
    assert ours(x).shape == theirs(torch.tensor(x)).shape
    assert ours.backward(x).shape == x.shape
    assert not ours.weight.grad.any()
    for key, value in theirs.state_dict().items():
        np.testing.assert_array_equal(ours.state_dict()[key], value)


@pytest.mark.parametrize(
    ("build", "shape", "message"),
    [
        (lambda: nn.InstanceNorm2d(3), (2, 3, 1, 1), "one value per channel of an image: its variance is zero"),
        (lambda: nn.InstanceNorm1d(3), (2, 4, 5), r"expected \(N, 3, L\); give it 3 channels"),
        (lambda: nn.InstanceNorm3d(3), (3, 5), r"InstanceNorm3d got an input of shape \(3, 5\): expected 5 axes"),
        (lambda: nn.BatchNorm1d(3, track_running_stats=False).eval(), (1, 3), "one value per channel: its variance"),
        (lambda: nn.BatchNorm3d(3), (2, 3, 4, 4), r"expected 5 axes, \(N, C, D, H, W\)"),
    ],
)
def test_what_does_not_fit_is_refused(build, shape, message):
    with pytest.raises(ValueError, match=message):
        build()(np.zeros(shape, "f"))


def test_dtype_and_device_are_keywords_and_checked():
    assert nn.BatchNorm2d(3, device="cpu", dtype=None).running_mean.dtype == np.float32
    with pytest.raises(TypeError, match="positional"):
        nn.BatchNorm2d(3, 1e-5, 0.1, True, True, "cpu")
    with pytest.raises(TypeError, match="networks compute in float32 or float64"):
        nn.BatchNorm2d(3, dtype=np.float16)
    with pytest.raises(ValueError, match="device='gpu': expected 'cpu' or 'cuda'"):
        nn.Linear(3, 4, device="gpu")
