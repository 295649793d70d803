import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mytorch import nn

FLOATS = st.sampled_from([np.float64, np.float32])


def pairs(low, high):
    return st.tuples(st.integers(low, high), st.integers(low, high))


@st.composite
def windows(draw):
    kernel = draw(pairs(1, 5))
    padding = tuple(draw(st.integers(0, k // 2)) for k in kernel)
    size = tuple(k + draw(st.integers(0, 8)) for k in kernel)
    return size, (kernel, draw(st.none() | pairs(1, 6)), padding)


@settings(max_examples=100)
@given(data=st.data(), dtype=FLOATS, window=windows(), lead=pairs(1, 3), ties=st.booleans())
def test_max_pooling_is_pytorchs_on_ties_and_where_the_stride_does_not_divide(agree, data, dtype, window, lead, ties):
    size, arguments = window
    agree(data, nn.MaxPool2d(*arguments), torch.nn.MaxPool2d(*arguments), (*lead, *size), dtype, whole=ties)


@settings(max_examples=100)
@given(data=st.data(), dtype=FLOATS, window=windows(), lead=pairs(1, 3))
def test_average_pooling_is_pytorchs(agree, data, dtype, window, lead):
    size, arguments = window
    agree(data, nn.AvgPool2d(*arguments), torch.nn.AvgPool2d(*arguments), (*lead, *size), dtype)


@settings(max_examples=100)
@given(
    data=st.data(), dtype=FLOATS, window=windows(), lead=pairs(1, 3), name=st.sampled_from(["MaxPool1d", "AvgPool1d"])
)
def test_pooling_of_sequences_is_pytorchs(agree, data, dtype, window, lead, name):
    (length, _), (kernel, stride, padding) = window
    arguments = kernel[0], stride and stride[0], padding[0]
    ties = name == "MaxPool1d"
    agree(data, getattr(nn, name)(*arguments), getattr(torch.nn, name)(*arguments), (*lead, length), dtype, whole=ties)


@given(data=st.data(), dtype=FLOATS, lead=pairs(1, 4), size=pairs(1, 7))
def test_global_average_pooling_is_pytorchs(agree, data, dtype, lead, size):
    agree(data, nn.GlobalAvgPool2d(), torch.nn.AdaptiveAvgPool2d(1), (*lead, *size), dtype)


def test_max_pooling_pads_with_minus_infinity():
    assert (nn.MaxPool2d(3, 1, 1)(np.full((1, 1, 4, 5), -7.0)) == -7).all()


def test_of_several_largest_the_first_alone_gets_the_gradient():
    layer = nn.MaxPool2d(2)
    layer(np.ones((1, 1, 4, 4)))
    grad = layer.backward(np.full((1, 1, 2, 2), 5.0))
    assert np.array_equal(grad[0, 0], [[5, 0, 5, 0], [0] * 4, [5, 0, 5, 0], [0] * 4])


def test_window_of_minus_infinities_gives_no_gradient_to_the_padding():
    layer = nn.MaxPool2d(3, 2, 1)
    x = np.full((1, 1, 4, 4), -np.inf)
    layer(x)
    tensor = torch.tensor(x, requires_grad=True)
    torch.nn.functional.max_pool2d(tensor, 3, 2, 1).backward(torch.ones(1, 1, 2, 2, dtype=torch.float64))
    assert np.array_equal(layer.backward(np.ones((1, 1, 2, 2))), tensor.grad)


def test_images_split_into_many_parts_are_one_pooling(monkeypatch, threads):
    from mytorch import threads as shared

    x = np.random.default_rng(0).integers(0, 3, (5, 2, 7, 6)).astype(float)
    layer = nn.MaxPool2d(3, 2, 1)
    grad = np.random.default_rng(1).standard_normal(layer(x).shape)
    whole = layer.backward(grad)
    layer(x)
    monkeypatch.setattr(shared, "CHUNK_BYTES", 2 * 4 * 2 * 7 * 6 * 8)  # two images at a time, and one left over
    np.testing.assert_array_equal(layer.backward(grad), whole)


@pytest.mark.parametrize("layer", [nn.MaxPool2d, nn.AvgPool2d])
def test_padding_of_more_than_half_the_window_is_refused(layer):
    with pytest.raises(ValueError, match="padding=2 is more than half of kernel_size=3"):
        layer(3, padding=2)


@pytest.mark.parametrize("layer", [nn.MaxPool2d(5), nn.AvgPool2d(5)])
def test_window_larger_than_the_input_is_refused(layer):
    with pytest.raises(ValueError, match="a window of 5 does not fit an axis of 4 with padding 0"):
        layer(np.zeros((1, 1, 4, 9)))


@pytest.mark.parametrize("layer", [nn.GlobalAvgPool2d(), nn.MaxPool2d(2), nn.AdaptiveAvgPool2d(2)], ids=repr)
def test_an_image_without_pixels_is_refused(layer):
    with pytest.raises(ValueError, match="without pixels"):
        layer(np.zeros((1, 2, 0, 3)))


@pytest.mark.parametrize(("kernel", "stride", "padding"), [(2, 2, 0), (3, 2, 1), (3, 1, 1), (2, 3, 1)])
def test_the_gradient_of_a_window_with_nan_goes_to_the_last_nan(kernel, stride, padding):
    rng = np.random.default_rng(0)
    x = rng.integers(0, 4, (2, 3, 7, 6)).astype(float)
    x[rng.random(x.shape) < 0.15] = np.nan
    layer, tensor = nn.MaxPool2d(kernel, stride, padding), torch.tensor(x, requires_grad=True)
    y = layer(x)
    grad = rng.standard_normal(y.shape)
    torch.nn.functional.max_pool2d(tensor, kernel, stride, padding).backward(torch.tensor(grad))
    np.testing.assert_allclose(layer.backward(grad), tensor.grad.numpy(), rtol=1e-12)
