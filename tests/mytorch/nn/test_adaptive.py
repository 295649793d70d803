import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mytorch import nn

FLOATS = st.sampled_from([np.float64, np.float32])
KINDS = ["AdaptiveAvgPool1d", "AdaptiveAvgPool2d", "AdaptiveMaxPool2d"]


@settings(max_examples=200)
@given(data=st.data(), dtype=FLOATS, name=st.sampled_from(KINDS), ties=st.booleans())
def test_adaptive_pooling_is_pytorchs_at_any_output_size(agree, data, dtype, name, ties):
    axes = int(name[-2])
    lead, size = (data.draw(st.tuples(*[st.integers(1, 9)] * count)) for count in (2, axes))
    wanted = data.draw(st.tuples(*[st.integers(1, 12)] * axes))
    shape = (*lead, *size)
    agree(data, getattr(nn, name)(wanted), getattr(torch.nn, name)(wanted), shape, dtype, whole=ties)


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
    layer, x = getattr(nn, name)(5), rng.integers(0, 3, (5, 2, *(13, 8)[:axes])).astype(float)
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
