import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mytorch import nn

FLOATS = st.sampled_from([np.float64, np.float32])


@st.composite
def transposed(draw):
    """Arguments of a transposed convolution and a size for which its output is not empty."""
    axes = draw(st.integers(1, 3))

    def some(low, high):
        return tuple(draw(st.integers(low, high)) for _ in range(axes))

    kernel, stride, dilation, size = some(1, 6 - axes), some(1, 4), some(1, 3), some(1, 6 - axes)
    grown = [(n - 1) * s + d * (k - 1) + 1 for n, s, d, k in zip(size, stride, dilation, kernel, strict=True)]
    padding = tuple(draw(st.integers(0, min(3, (length - 1) // 2))) for length in grown)
    extra = tuple(draw(st.integers(0, max(s, d) - 1)) for s, d in zip(stride, dilation, strict=True))
    groups = draw(st.integers(1, 3))
    channels = [groups * draw(st.integers(1, 3)) for _ in range(2)]
    return (*channels, kernel, stride, padding, extra, groups, draw(st.booleans()), dilation), size


@settings(max_examples=200)
@given(data=st.data(), dtype=FLOATS, batch=st.integers(1, 3), drawn=transposed())
def test_transposed_convolution_is_pytorchs(agree, data, dtype, batch, drawn):
    arguments, size = drawn
    name = f"ConvTranspose{len(size)}d"
    ours, theirs = getattr(nn, name)(*arguments), getattr(torch.nn, name)(*arguments)
    agree(data, ours, theirs, (batch, arguments[0], *size), dtype)


@pytest.mark.parametrize("axes", [1, 2, 3])
def test_an_output_size_chooses_among_those_of_the_stride(axes):
    ours, theirs = (getattr(library, f"ConvTranspose{axes}d")(2, 3, 3, 3, 1) for library in (nn, torch.nn))
    ours.load_state_dict({name: value.numpy() for name, value in theirs.state_dict().items()})
    size, x = (12, 10, 11)[:axes], np.random.default_rng(0).standard_normal((1, 2, *(4,) * axes)).astype("f")
    expected = theirs(torch.tensor(x), size)
    np.testing.assert_allclose(ours(x, output_size=size), expected.detach(), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(ours(x[0], size), expected[0].detach(), rtol=1e-4, atol=1e-6)
    assert ours.backward(np.ones((3, *size), "f")).shape == x.shape[1:]
    with pytest.raises(ValueError, match=r"output_size=\(13,.*: expected a size from \(10,.* to \(12,.*for a \(4,"):
        ours(x, (13,) * axes)


def test_transposed_convolution_is_the_convolutions_input_gradient():
    convolution = nn.Conv2d(3, 4, 3, stride=2, padding=1, bias=False, dtype=float)
    transposed = nn.ConvTranspose2d(4, 3, 3, stride=2, padding=1, bias=False, dtype=float)
    transposed.weight.data[...] = convolution.weight.data
    rng = np.random.default_rng(0)
    convolution(rng.standard_normal((2, 3, 7, 5)))
    grad = rng.standard_normal((2, 4, 4, 3))
    np.testing.assert_allclose(transposed(grad), convolution.backward(grad), rtol=1e-12)


def test_zero_insertion_and_a_convolution_make_a_transposed_convolution():
    transposed = nn.ConvTranspose1d(2, 3, 4, stride=3, bias=False, dtype=float)
    convolution = nn.Conv1d(2, 3, 4, padding=3, bias=False, dtype=float)
    convolution.weight.data[...] = transposed.weight.data.transpose(1, 0, 2)[:, :, ::-1]
    x = np.random.default_rng(0).standard_normal((2, 2, 5))
    np.testing.assert_allclose(nn.Sequential(nn.ZeroUpsample1d(3), convolution)(x), transposed(x), rtol=1e-12)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"output_padding": 2}, "output_padding=2 with stride=2 and dilation=1: expected less than the stride"),
        ({"groups": 2}, "groups=2 does not divide in_channels=3 and out_channels=4"),
        ({"output_padding": -1}, "output_padding=-1: give whole numbers"),
        ({"padding_mode": "reflect"}, "padding_mode='reflect': a transposed convolution has padding of zeros only"),
        ({"padding": "same"}, "padding='same': give whole numbers"),
    ],
)
def test_impossible_layer_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        nn.ConvTranspose2d(3, 4, 3, stride=2, **arguments)


def test_padding_that_leaves_nothing_is_refused():
    with pytest.raises(ValueError, match="padding 2 on both ends leaves nothing of an axis of 3: use less padding"):
        nn.ConvTranspose1d(1, 1, 3, padding=2)(np.zeros((1, 1, 1), "f"))


def test_bias_is_as_long_as_the_outputs_and_first_weights_are_within_pytorchs_bound():
    layer = nn.ConvTranspose2d(6, 4, 3, groups=2)
    theirs = torch.nn.ConvTranspose2d(6, 4, 3, groups=2)
    assert layer.weight.shape == tuple(theirs.weight.shape)
    assert layer.bias.shape == tuple(theirs.bias.shape)
    assert abs(layer.weight.data).max() <= 1 / np.sqrt(2 * 9)


def test_first_layer_may_skip_its_inputs_gradient():
    layer = nn.ConvTranspose1d(2, 3, 2)
    layer.needs_input_grad = False
    assert layer.backward(layer(np.ones((1, 2, 4), "f"))) is None
    assert layer.weight.grad is not None
