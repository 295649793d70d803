import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mytorch import nn

FLOATS = st.sampled_from([np.float64, np.float32])
KINDS = ["Circular", "Constant", "Reflection", "Replication", "Zero"]


@pytest.mark.parametrize("axes", [1, 2, 3])
@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=60)
@given(data=st.data(), dtype=FLOATS)
def test_padding_is_pytorchs_and_negative_numbers_crop(axes, kind, agree, data, dtype):
    size = data.draw(st.tuples(*[st.integers(3, 6)] * axes))
    ends = []
    for n in reversed(size):  # PyTorch counts the last axis first
        before, after = data.draw(st.integers(-1, n - 1)), data.draw(st.integers(-1, n - 1))
        left = n + min(before, 0) + min(after, 0) - (kind == "Reflection")
        ends += [min(before, left), min(after, left)]
    arguments = (tuple(ends), 1.5) if kind == "Constant" else (tuple(ends),)
    ours, theirs = (getattr(library, f"{kind}Pad{axes}d")(*arguments) for library in (nn, torch.nn))
    assert ours.extra_repr() == theirs.extra_repr()
    agree(data, ours, theirs, (*data.draw(st.tuples(st.integers(1, 2), st.integers(1, 3))), *size), dtype)


@pytest.mark.parametrize("kind", KINDS)
def test_one_number_pads_every_end_of_an_image_without_a_batch(kind):
    x = np.random.default_rng(0).standard_normal((2, 4, 5, 3))
    arguments = (2, -1.0) if kind == "Constant" else (2,)
    ours, theirs = (getattr(library, f"{kind}Pad3d")(*arguments) for library in (nn, torch.nn))
    np.testing.assert_array_equal(ours(x), theirs(torch.tensor(x)))
    assert ours.backward(np.ones((2, 8, 9, 7))).shape == x.shape


@pytest.mark.parametrize("kind", KINDS)
def test_padded_in_many_parts_and_by_two_threads_is_the_same(monkeypatch, threads, kind):
    from mytorch import threads as shared

    layer = getattr(nn, f"{kind}Pad2d")((1, 2, 0, 3), *[0.5] * (kind == "Constant"))
    x = np.random.default_rng(0).standard_normal((5, 2, 7, 6))
    y = layer(x)
    whole = y, layer.backward(y)
    monkeypatch.setattr(shared, "CHUNK_BYTES", 1)  # an image at a time
    np.testing.assert_array_equal(layer(x), whole[0])
    np.testing.assert_array_equal(layer.backward(y), whole[1])


@pytest.mark.parametrize("padding", [(1, 2), (1, 2, 3), 1.5, (1, 2, 3, True)])
def test_other_than_a_number_or_two_per_axis_is_refused(padding):
    with pytest.raises(
        ValueError, match="give a whole number, or 4 of them, before and after each axis, the last axis"
    ):
        nn.ZeroPad2d(padding)


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (
            nn.ReflectionPad1d(4),
            "reflect padding of 4 is too much for an axis of 4: expected at most 3; use less padding",
        ),
        (nn.CircularPad1d((5, 0)), "circular padding of 5 is too much for an axis of 4: expected at most 4"),
        (
            nn.ZeroPad1d((-3, -1)),
            r"padding \(\(-3, -1\),\) leaves nothing of \(4,\): remove less, or use a larger input",
        ),
    ],
)
def test_padding_that_does_not_fit_the_image_is_refused(layer, message):
    with pytest.raises(ValueError, match=message):
        layer(np.zeros((1, 2, 4)))


@pytest.mark.parametrize("padding", [(-4, 5), (-6, 7), (5, -4), (7, -6), (-3, 1), (-4, 9)])
def test_replication_has_a_pixel_left_when_all_of_them_are_cropped(padding):
    x = np.random.default_rng(0).standard_normal((2, 3, 4))
    tensor = torch.tensor(x, requires_grad=True)
    expected = torch.nn.ReplicationPad1d(padding)(tensor)
    layer = nn.ReplicationPad1d(padding)
    np.testing.assert_array_equal(layer(x), expected.detach().numpy())
    grad = np.random.default_rng(1).standard_normal(expected.shape)
    expected.backward(torch.tensor(grad))
    np.testing.assert_allclose(layer.backward(grad), tensor.grad.numpy(), rtol=1e-12)
