import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mytorch import nn

FLOATS = st.sampled_from([np.float64, np.float32])
KINDS = [f"Adaptive{kind}Pool{axes}d" for kind in ("Avg", "Max") for axes in (1, 2, 3)]


def drawn(data, name):
    """A shape and an output size."""
    axes = int(name[-2])
    most = 9 if axes < 3 else 5
    shape = data.draw(st.tuples(*[st.integers(1, 3)] * 2, *[st.integers(1, most)] * axes))
    return shape, data.draw(st.tuples(*[st.integers(1, most + 3)] * axes))


@pytest.mark.parametrize("name", KINDS)
@settings(max_examples=60)
@given(data=st.data(), dtype=FLOATS, ties=st.booleans())
def test_adaptive_pooling_is_pytorchs_at_any_output_size(agree, data, dtype, name, ties):
    shape, wanted = drawn(data, name)
    agree(data, getattr(nn, name)(wanted), getattr(torch.nn, name)(wanted), shape, dtype, whole=ties)


@pytest.mark.parametrize("name", KINDS[3:])
@settings(max_examples=40)
@given(data=st.data(), nan=st.booleans())
def test_indices_of_the_maxima_are_pytorchs(array, data, name, nan):
    shape, wanted = drawn(data, name)
    x = array(data, shape, whole=True)
    if nan:
        x[np.random.default_rng(0).random(shape) < 0.2] = np.nan
    expected = getattr(torch.nn, name)(wanted, return_indices=True)(torch.tensor(np.ascontiguousarray(x)))
    ours = getattr(nn, name)(wanted, return_indices=True)
    for result, oracle in zip(ours(x), expected, strict=True):
        np.testing.assert_array_equal(result, oracle)


def test_none_keeps_an_axis_as_it_is():
    x = np.random.default_rng(0).standard_normal((2, 3, 7, 5))
    y = nn.AdaptiveAvgPool2d((None, 2))(x)
    np.testing.assert_allclose(y, torch.nn.AdaptiveAvgPool2d((None, 2))(torch.tensor(x)), rtol=1e-12)
    assert y.shape == (2, 3, 7, 2)


def test_of_several_largest_the_first_alone_gets_the_gradient():
    layer = nn.AdaptiveMaxPool2d(1)
    layer(np.ones((1, 1, 3, 2)))
    assert np.array_equal(layer.backward(np.ones((1, 1, 1, 1)))[0, 0], [[1, 0], [0, 0], [0, 0]])


@pytest.mark.parametrize("name", KINDS)
def test_pooled_in_many_parts_and_by_two_threads_is_the_same(monkeypatch, threads, name):
    from mytorch import threads as shared

    axes = int(name[-2])
    rng = np.random.default_rng(0)
    layer, x = getattr(nn, name)(5), rng.integers(0, 3, (5, 2, *(13, 8, 6)[:axes])).astype(float)
    grad = rng.standard_normal((5, 2, *(5,) * axes))
    whole = layer(x), layer.backward(grad)
    monkeypatch.setattr(shared, "CHUNK_BYTES", 1)  # an image at a time
    np.testing.assert_array_equal(layer(x), whole[0])
    layer(x)
    np.testing.assert_array_equal(layer.backward(grad), whole[1])


def test_a_window_with_nan_is_nan_and_the_others_are_as_without():
    layer, x = nn.AdaptiveMaxPool2d((2, 3)), np.random.default_rng(0).integers(0, 2, (1, 1, 5, 7)).astype(float)
    whole = layer(x)
    grad = np.arange(1.0, 7).reshape(whole.shape)
    spread = layer.backward(grad)
    x[0, 0, 4, 6] = np.nan
    y = layer(x)
    assert np.isnan(y[0, 0, 1, 2])
    assert np.array_equal(y.flat[:-1], whole.flat[:-1])
    changed = np.argwhere(layer.backward(grad) != spread)
    assert (changed[:, 2:] >= (2, 4)).all()  # no pixel wins in the last window, from row 2 and column 4 on


@pytest.mark.parametrize("name", ["AdaptiveAvgPool2d", "AdaptiveMaxPool2d"])
def test_an_infinity_stays_in_its_windows(name):
    x = np.random.default_rng(0).standard_normal((1, 2, 7, 7))
    x[0, 0, 0, 0] = np.inf
    y = getattr(nn, name)(3)(x)
    np.testing.assert_allclose(y, getattr(torch.nn, name)(3)(torch.tensor(x)), rtol=1e-12)


@pytest.mark.parametrize("size", [0, (1, 2, 3), 1.5, (None, -1)])
def test_impossible_output_size_is_refused(size):
    with pytest.raises(ValueError, match=r"output_size=.*give whole numbers of at least 1, or None"):
        nn.AdaptiveAvgPool2d(size)
