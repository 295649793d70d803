import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mytorch import nn

FLOATS = st.sampled_from([np.float64, np.float32])
EPS = st.sampled_from([1e-5, 1e-3, 0.1])


def shaken(theirs):
    for value in theirs.state_dict().values():
        torch.nn.init.uniform_(value, 0.5, 2)
    return theirs.double()


@settings(max_examples=100)
@given(
    data=st.data(),
    dtype=FLOATS,
    lead=st.lists(st.integers(1, 4), max_size=3),
    last=st.lists(st.integers(1, 4), max_size=2),
    features=st.integers(6, 9),
    eps=EPS,
    affine=st.booleans(),
    bias=st.booleans(),
)
def test_layer_norm_is_pytorchs(agree, data, dtype, lead, last, features, eps, affine, bias):
    shape = (*last, features)
    theirs = shaken(torch.nn.LayerNorm(shape, eps, affine, bias=bias))
    agree(data, nn.LayerNorm(shape, eps, affine, bias), theirs, (*lead, *shape), dtype)


@settings(max_examples=100)
@given(
    data=st.data(),
    dtype=FLOATS,
    batch=st.integers(1, 3),
    groups=st.integers(1, 3),
    each=st.integers(1, 3),
    size=st.lists(st.integers(1, 4), max_size=1),
    length=st.integers(6, 8),
    eps=EPS,
    affine=st.booleans(),
)
def test_group_norm_is_pytorchs(agree, data, dtype, batch, groups, each, size, length, eps, affine):
    theirs = shaken(torch.nn.GroupNorm(groups, groups * each, eps, affine))
    ours = nn.GroupNorm(groups, groups * each, eps, affine)
    agree(data, ours, theirs, (batch, groups * each, *size, length), dtype)


def test_float32_statistics_over_a_quarter_of_a_million_values_are_precise():
    x = (np.random.default_rng(0).standard_normal((1, 4, 256, 256)) + 100).astype("f")
    exact = torch.nn.functional.group_norm(torch.tensor(x, dtype=torch.float64), 1).numpy()
    assert abs(nn.GroupNorm(1, 4)(x) - exact).max() < 2e-5  # float32 has a spacing of 8e-6 at 100


def test_evaluation_and_training_are_the_same():
    x = np.random.default_rng(0).standard_normal((2, 4, 3, 3))
    for layer in (nn.GroupNorm(2, 4, dtype=float), nn.LayerNorm(3, dtype=float)):
        np.testing.assert_array_equal(layer(x), layer.eval()(x))


def test_memory_stays_channels_last():
    x = np.moveaxis(np.random.default_rng(0).standard_normal((2, 5, 4, 6)), -1, 1)
    layer = nn.GroupNorm(3, 6, dtype=float)
    y = layer(x)
    for array in (y, layer.backward(y)):
        assert np.moveaxis(array, 1, -1).flags.c_contiguous


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: nn.GroupNorm(3, 4), "num_groups=3 does not divide num_channels=4"),
        (lambda: nn.GroupNorm(0, 4), "num_groups and num_channels"),
        (lambda: nn.LayerNorm(0), "normalized_shape=0"),
        (lambda: nn.LayerNorm(()), r"normalized_shape=\(\)"),
        (
            lambda: nn.GroupNorm(2, 4)(np.zeros((2, 3, 5), "f")),
            r"shape \(2, 3, 5\): expected \(N, 4, \*",
        ),
        (lambda: nn.LayerNorm((2, 3))(np.zeros((3,), "f")), r"got an input of shape \(3,\): expected \(\*, 2, 3\)"),
    ],
)
def test_what_does_not_fit_is_refused(build, message):
    with pytest.raises(ValueError, match=message):
        build()


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_group_norm_of_large_groups_is_pytorchs(dtype):
    """256 values per group and more go another way: with random weights and biases, in both directions."""
    theirs = shaken(torch.nn.GroupNorm(2, 6))
    ours = nn.GroupNorm(2, 6).to(dtype)
    ours.load_state_dict({name: value.numpy() for name, value in theirs.state_dict().items()})
    rng = np.random.default_rng(0)
    x, grad = rng.standard_normal((2, 2, 6, 16, 16))
    tensor = torch.tensor(x, requires_grad=True)
    y = theirs(tensor)
    y.backward(torch.tensor(grad))
    tolerance = 1e-12 if dtype == np.float64 else 2e-5
    np.testing.assert_allclose(ours(x.astype(dtype)), y.detach().numpy(), rtol=tolerance, atol=tolerance)
    np.testing.assert_allclose(ours.backward(grad.astype(dtype)), tensor.grad.numpy(), rtol=tolerance, atol=tolerance)
    for name, parameter in theirs.named_parameters():
        found = dict(ours.named_parameters())[name].grad
        np.testing.assert_allclose(found, parameter.grad.numpy(), rtol=tolerance, atol=100 * tolerance, err_msg=name)


@settings(max_examples=80)
@given(
    data=st.data(),
    dtype=FLOATS,
    lead=st.lists(st.integers(1, 4), max_size=3),
    last=st.lists(st.integers(1, 4), max_size=2),
    features=st.integers(2, 9),
    eps=st.none() | EPS,
    affine=st.booleans(),
)
def test_rms_norm_is_pytorchs(agree, data, dtype, lead, last, features, eps, affine):
    shape = (*last, features)
    eps = float(np.finfo(dtype).eps) if eps is None and dtype == np.float32 else eps
    theirs = shaken(torch.nn.RMSNorm(shape, eps, affine))
    agree(data, nn.RMSNorm(shape, eps, affine), theirs, (*lead, *shape), dtype)


def test_rms_norm_uses_the_smallest_difference_of_the_inputs_dtype_by_default(close):
    x = np.array([[1e-4, -2e-4]], "f")
    close("output", nn.RMSNorm(2)(x), torch.nn.RMSNorm(2)(torch.tensor(x)))


@settings(max_examples=80)
@given(
    data=st.data(),
    dtype=FLOATS,
    batch=st.integers(1, 3),
    channels=st.integers(1, 7),
    length=st.lists(st.integers(1, 4), min_size=1, max_size=3),
    size=st.integers(1, 9),
    numbers=st.tuples(st.floats(0.1, 2), st.floats(0.2, 2), st.floats(0.5, 2)),
)
def test_local_response_norm_is_pytorchs(agree, data, dtype, batch, channels, length, size, numbers):
    ours, theirs = nn.LocalResponseNorm(size, *numbers), torch.nn.LocalResponseNorm(size, *numbers)
    agree(data, ours, theirs, (batch, channels, *length), dtype)


@settings(max_examples=40)
@given(data=st.data(), affine=st.booleans(), bias=st.booleans(), length=st.sampled_from([7, 300]))
def test_group_norm_without_bias_is_pytorchs(agree, data, affine, bias, length):
    theirs = shaken(torch.nn.GroupNorm(2, 4, 0.01, affine, bias=bias))
    agree(data, nn.GroupNorm(2, 4, 0.01, affine, bias=bias), theirs, (2, 4, length))


def test_local_response_norm_needs_positions():
    with pytest.raises(ValueError, match=r"Norm got .* \(2, 3\): expected \(N, C, \*\), of 3 axes or more"):
        nn.LocalResponseNorm(2)(np.zeros((2, 3)))
