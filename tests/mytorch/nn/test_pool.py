import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import mytorch
from mytorch import nn

FLOATS = st.sampled_from([np.float64, np.float32])


def pairs(low, high):
    return st.tuples(st.integers(low, high), st.integers(low, high))


@st.composite
def windows(draw, axes=2, dilated=False):
    """A size, and kernel, stride, padding and dilation of windows that fit it."""

    def some(low, high):
        return tuple(draw(st.integers(low, high)) for _ in range(axes))

    kernel, dilation = some(1, 5 if axes < 3 else 3), some(1, 3 if dilated else 1)
    padding = tuple(draw(st.integers(0, k // 2)) for k in kernel)
    size = tuple(d * (k - 1) + 1 + e for k, d, e in zip(kernel, dilation, some(0, 8 if axes < 3 else 4), strict=True))
    return size, kernel, draw(st.none() | st.just(some(1, 6))), padding, dilation


AXES = pytest.mark.parametrize("axes", [1, 2, 3])


@AXES
@settings(max_examples=80)
@given(data=st.data(), dtype=FLOATS, lead=pairs(1, 3), ties=st.booleans(), ceil_mode=st.booleans())
def test_max_pooling_is_pytorchs_on_ties_and_where_the_stride_does_not_divide(
    axes, agree, data, dtype, lead, ties, ceil_mode
):
    size, *arguments = data.draw(windows(axes, dilated=True))
    ours, theirs = (getattr(at, f"MaxPool{axes}d")(*arguments, ceil_mode=ceil_mode) for at in (nn, torch.nn))
    agree(data, ours, theirs, (*lead, *size), dtype, whole=ties)


@AXES
@settings(max_examples=80)
@given(data=st.data(), dtype=FLOATS, lead=pairs(1, 3), ceil_mode=st.booleans(), include=st.booleans())
def test_average_pooling_is_pytorchs(axes, agree, data, dtype, lead, ceil_mode, include):
    size, *arguments, _ = data.draw(windows(axes))
    divisor = [] if axes == 1 else [data.draw(st.none() | st.sampled_from([-3, 1, 5]))]
    layers = (getattr(at, f"AvgPool{axes}d")(*arguments, ceil_mode, include, *divisor) for at in (nn, torch.nn))
    agree(data, *layers, (*lead, *size), dtype)


@AXES
@settings(max_examples=50)
@given(data=st.data(), lead=pairs(1, 3), ceil_mode=st.booleans(), nan=st.booleans())
def test_indices_of_the_maxima_are_pytorchs(axes, array, data, lead, ceil_mode, nan):
    size, *arguments = data.draw(windows(axes, dilated=True))
    x = array(data, (*lead, *size), whole=True)
    if nan:
        x[np.random.default_rng(0).random(x.shape) < 0.2] = np.nan
    theirs = getattr(torch.nn, f"MaxPool{axes}d")(*arguments, return_indices=True, ceil_mode=ceil_mode)
    expected = theirs(torch.tensor(np.ascontiguousarray(x)))
    ours = getattr(nn, f"MaxPool{axes}d")(*arguments, return_indices=True, ceil_mode=ceil_mode)
    for result, oracle in zip(ours(x), expected, strict=True):
        np.testing.assert_array_equal(result, oracle)
    assert ours.backward(ours(x)[0]).shape == x.shape


@AXES
@pytest.mark.parametrize("name", ["MaxPool", "AvgPool", "AdaptiveAvgPool", "AdaptiveMaxPool"])
def test_an_image_without_a_batch_axis_is_pooled_as_a_batch_of_one(axes, name):
    layer, x = getattr(nn, f"{name}{axes}d")(2), np.random.default_rng(0).standard_normal((3, *(7, 5, 6)[:axes]))
    y = layer(x[None])
    grad = layer.backward(2 * y)
    np.testing.assert_array_equal(layer(input=x), y[0])
    np.testing.assert_array_equal(layer.backward(2 * y[0]), grad[0])
    layer(x)
    with pytest.raises(ValueError, match=r"a gradient of shape \(1, .*: expected \(3, .*, that of its output"):
        layer.backward(y)
    layer(x[None])
    with pytest.raises(ValueError, match=r"a gradient of shape \(3, .*: expected \(1, 3, .*, that of its output"):
        layer.backward(y[0])


def test_forwards_between_those_of_an_image_without_a_batch_axis_change_no_gradient():
    layer, x = nn.MaxPool2d(2), np.random.default_rng(0).standard_normal((3, 4, 6))
    y = layer(x)
    expected = layer.backward(y)
    with pytest.raises(RuntimeError, match="backward once after each forward"):
        layer.backward(y)
    layer(x)
    with mytorch.no_grad():
        layer(x[None] + 1)
    layer.eval()(x[None] + 2)
    np.testing.assert_array_equal(layer.train().backward(y), expected)
    graph = nn.Graph()  # which uses the layer twice
    graph.output(graph.add("second", layer, graph.add("first", layer, graph.input())))
    mytorch.gradcheck(graph, np.random.default_rng(0).standard_normal((3, 4, 8)))


@pytest.mark.parametrize("size", [(7, 5), (7,), ()])
def test_input_of_other_axes_is_refused(size):
    message = r"got an input of shape .*: expected 5 axes, \(N, C, D, H, W\), or 4, \(C, D, H, W\), for one without"
    with pytest.raises(ValueError, match=message):
        nn.MaxPool3d(2)(np.zeros(size))


def test_a_divisor_of_zero_is_refused():
    with pytest.raises(ValueError, match="divisor_override=0: give another number, or None"):
        nn.AvgPool2d(2, divisor_override=0)


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
