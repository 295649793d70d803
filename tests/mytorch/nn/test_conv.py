import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mytorch import nn

FLOATS = st.sampled_from([np.float64, np.float32])


def pairs(low, high):
    return st.tuples(st.integers(low, high), st.integers(low, high))


def fitting(kernel, dilation, padding, extra):
    """Return the input size at which the window fits, plus `extra` positions."""
    reach = (d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True))
    return tuple(max(1, r - 2 * p) + e for r, p, e in zip(reach, padding, extra, strict=True))


@st.composite
def convolutions(draw, axes):
    """The arguments of a convolution and the shape of an input, with any padding that PyTorch takes."""

    def some(low, high):
        return tuple(draw(st.integers(low, high)) for _ in range(axes))

    most = 4 if axes < 3 else 2
    kernel, dilation, padding = (
        some(1, most),
        some(1, 3),
        draw(st.just(some(0, 3)) | st.sampled_from(["same", "valid"])),
    )
    stride, groups, channels = some(1, 1 if padding == "same" else 4), draw(st.integers(1, 3)), draw(pairs(1, 3))
    numbers = (0,) * axes if isinstance(padding, str) else padding
    size = fitting(kernel, dilation, numbers, some(0, 6 if axes < 3 else 2))
    mode = draw(st.sampled_from(["zeros", "reflect", "replicate", "circular"]))
    if mode != "zeros":
        added = [d * (k - 1) for k, d in zip(kernel, dilation, strict=True)] if padding == "same" else numbers
        size = tuple(max(n, a + 1) for n, a in zip(size, added, strict=True))
    arguments = (groups * channels[0], groups * channels[1], kernel, stride, padding, dilation, groups)
    return (*arguments, draw(st.booleans()), mode), (draw(st.integers(1, 3)), groups * channels[0], *size)


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths")
@pytest.mark.parametrize("axes", [1, 2, 3])
@settings(max_examples=150)
@given(data=st.data(), dtype=FLOATS)
def test_convolution_is_pytorchs(axes, agree, data, dtype):
    arguments, shape = data.draw(convolutions(axes))
    ours, theirs = (getattr(library, f"Conv{axes}d")(*arguments) for library in (nn, torch.nn))
    assert ours.extra_repr() == theirs.extra_repr()
    agree(data, ours, theirs, shape, dtype)


@pytest.mark.parametrize("padding", [1, "same"])
@pytest.mark.parametrize("mode", ["zeros", "reflect"])
def test_an_image_without_a_batch_axis_is_a_batch_of_one(padding, mode):
    layer = nn.Conv3d(2, 3, (2, 3, 1), padding=padding, padding_mode=mode, dtype=float)
    x = np.random.default_rng(0).standard_normal((2, 4, 5, 6))
    y = layer(x[None])
    grad = layer.backward(y)
    np.testing.assert_array_equal(layer(input=x), y[0])
    np.testing.assert_array_equal(layer.backward(y[0]), grad[0])


def test_depthwise_convolution_equals_the_matrix_product(monkeypatch, threads):
    from mytorch.ops import conv, depthwise

    rng = np.random.default_rng(0)
    x, weight, grad = (rng.standard_normal(shape) for shape in [(5, 4, 7, 6), (4, 1, 3, 2), (5, 4, 3, 7)])
    geometry = ((3, 1), (1, 1), (1, 1))

    def results():
        return (
            conv.conv(x, weight, None, *geometry, 4),
            conv.conv_input_grad(grad, weight, (7, 6), *geometry, 4),
            conv.conv_weight_grad(grad, x, (3, 2), *geometry, 4),
        )

    monkeypatch.setattr(depthwise, "CHUNK_BYTES", 3 * 2 * 4 * 7 * 8)  # two rows of outputs at a time, and one left over
    tapped = results()
    monkeypatch.setattr(conv, "_is_depthwise", lambda *arguments: False)
    for ours, matrix in zip(tapped, results(), strict=True):
        np.testing.assert_allclose(ours, matrix, rtol=1e-12, atol=1e-12)


@given(
    data=st.data(),
    dtype=FLOATS,
    channels=st.integers(1, 6),
    factor=st.integers(1, 3),
    size=pairs(3, 9),
    stride=pairs(1, 3),
)
def test_depthwise_convolution_is_pytorchs(agree, data, dtype, channels, factor, size, stride):
    arguments = {"kernel_size": 3, "stride": stride, "padding": 1, "groups": channels}
    ours, theirs = (library.Conv2d(channels, factor * channels, **arguments) for library in (nn, torch.nn))
    agree(data, ours, theirs, (2, channels, *size), dtype)


@pytest.mark.parametrize("size", [(7, 5), (8, 6), (9, 10)])
def test_border_that_a_stride_leaves_out_gets_a_gradient_of_zero(size):
    layer = nn.Conv2d(1, 1, 2, stride=3, dtype=float)
    y = layer(np.ones((1, 1, *size)))
    grad = layer.backward(np.ones(y.shape))
    assert grad.shape == (1, 1, *size)
    seen = np.zeros(size, bool)
    for top in range(0, size[0] - 1, 3):
        for left in range(0, size[1] - 1, 3):
            seen[top : top + 2, left : left + 2] = True
    assert np.array_equal(grad[0, 0] != 0, seen)


@pytest.mark.parametrize("part", [2 * 4 * 9 * 30 * 8, 2 * 4 * 9 * 5 * 8])
def test_images_split_into_many_parts_are_one_convolution(monkeypatch, threads, part):
    from mytorch.ops import im2col

    x = np.random.default_rng(0).standard_normal((7, 4, 6, 5))
    layer = nn.Conv2d(4, 6, 3, padding=1, groups=2, dtype=float)
    grad = np.random.default_rng(1).standard_normal((7, 6, 6, 5))
    whole = layer(x), layer.backward(grad), layer.weight.grad.copy()
    layer.zero_grad()
    monkeypatch.setattr(im2col, "CHUNK_BYTES", part)  # two images, or two rows of one, at a time, and some left over
    split = layer(x), layer.backward(grad), layer.weight.grad
    for a, b in zip(whole, split, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12)


def test_empty_batch_passes_through():
    layer = nn.Conv2d(3, 4, 3)
    y = layer(np.zeros((0, 3, 5, 6), "f"))
    assert y.shape == (0, 4, 3, 4)
    assert layer.backward(y).shape == (0, 3, 5, 6)
    assert not layer.weight.grad.any()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"groups": 2}, "groups=2 does not divide in_channels=3 and out_channels=4"),
        ({"groups": 0}, "groups=0"),
        ({"kernel_size": 0}, "kernel_size=0: give whole numbers of at least 1"),
        ({"kernel_size": 1.5}, "kernel_size=1.5"),
        ({"kernel_size": (3, 3, 3)}, r"kernel_size=\(3, 3, 3\)"),
        ({"stride": 0}, "stride=0"),
        ({"padding": -1}, "padding=-1: give whole numbers of at least 0"),
        ({"padding": "full"}, "padding='full': give numbers of pixels, 'same' or 'valid'"),
        ({"padding": "same", "stride": 2}, "padding='same' with stride=2: a stride changes the size"),
        ({"padding_mode": "mirror"}, "padding_mode='mirror': expected one of zeros, reflect, replicate, circular"),
        ({"dilation": (1, 0)}, r"dilation=\(1, 0\)"),
        ({"in_channels": 0}, r"in_channels and out_channels=\(0, 4\)"),
    ],
)
def test_impossible_layer_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        nn.Conv2d(**{"in_channels": 3, "out_channels": 4, "kernel_size": 3, **arguments})


def test_whole_numbers_of_numpy_and_lists_do_for_sizes():
    assert nn.Conv2d(3, 4, np.int64(3), stride=[1, 2]).stride == (1, 2)


def test_kernel_larger_than_the_padded_input_is_refused():
    with pytest.raises(
        ValueError, match="a window of 9 does not fit an axis of 5 with padding 1: use a smaller kernel"
    ):
        nn.Conv2d(3, 4, 5, padding=1, dilation=2)(np.zeros((1, 3, 9, 5), "f"))
