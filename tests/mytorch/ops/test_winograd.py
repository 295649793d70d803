from math import prod

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mytorch import allow_winograd, nn
from mytorch.ops import conv, im2col, winograd
from mytorch.threads import num_threads

ALONG = ((1, 1), (1, 1))


def pixels(shape, seed):
    """Random numbers (N, C, H, W), channels last."""
    n, c, *size = shape
    return np.moveaxis(np.random.default_rng(seed).standard_normal((n, *size, c), "f"), -1, 1)


LIMIT = {3: 2e-5, 5: 5e-5}
"""The largest error, by the longest side of a kernel: at most half of what the gradient table allows."""


def worst(ours, exact, likely=0.0):
    """The largest error, over the largest value, or how large one is `likely` to be if they happen to cancel."""
    return abs(ours - exact).max() / max(abs(exact).max(), likely)


@given(
    batch=st.integers(1, 4),
    channels=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    kernel=st.tuples(st.sampled_from([3, 5]), st.sampled_from([3, 5])),
    size=st.tuples(st.integers(5, 14), st.integers(5, 14)),
    padding=st.tuples(st.integers(0, 2), st.integers(0, 2)),
    tiles=st.sampled_from([1, 3, 128]),
)
def test_winograd_is_the_convolution_and_its_gradients(batch, channels, kernel, size, padding, tiles):
    x, weight = pixels((batch, channels[0], *size), 0), pixels((channels[1], channels[0], *kernel), 1)
    bias = np.random.default_rng(2).standard_normal(channels[1]).astype("f")
    exact = [array.astype(float) for array in (x, weight, bias)]
    geometry = (ALONG[0], padding, ALONG[1], 1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(winograd, "TILES_PER_STEP", tiles)
        y = winograd.winograd_conv(x, weight, bias, padding)
        grad = pixels(y.shape, 3)
        ours = winograd.winograd_conv_weight_grad(grad, x, kernel, padding)
        around = tuple(k - 1 - p for k, p in zip(kernel, padding, strict=True))
        back = winograd.winograd_conv_input_grad(grad, weight, around) if min(around) >= 0 else None
    expected = im2col.im2col_conv(*exact, *geometry)
    assert y.shape == expected.shape
    limit, above = LIMIT[max(kernel)], grad.astype(float)
    assert worst(y, expected, (channels[0] * prod(kernel)) ** 0.5) < limit
    if back is not None:
        expected = im2col.im2col_conv_input_grad(above, exact[1], size, *geometry)
        assert worst(back, expected, channels[1] ** 0.5) < limit
    assert worst(ours, im2col.im2col_conv_weight_grad(above, exact[0], kernel, *geometry)) < limit


@pytest.fixture
def called(monkeypatch):
    """The names of the functions of winograd.py that were called."""
    names = []
    for name in ("winograd_conv", "winograd_conv_input_grad", "winograd_conv_weight_grad"):
        function = getattr(winograd, name)
        monkeypatch.setattr(winograd, name, lambda *a, name=name, function=function: names.append(name) or function(*a))
    return names


def step(dtype, **arguments):
    layer = nn.Conv2d(32, 32, **{"kernel_size": 3, "padding": 1, "dtype": dtype, **arguments})
    y = layer(np.ones((2, 32, 24, 24), dtype))
    layer.backward(np.ones_like(y))


def test_float32_layer_uses_winograd_for_forward_and_both_gradients(called):
    step(np.float32)
    assert called == ["winograd_conv", "winograd_conv_weight_grad", "winograd_conv_input_grad"]


@pytest.mark.parametrize("arguments", [{"stride": 2}, {"dilation": 2}, {"groups": 2}, {"kernel_size": 1}])
def test_other_geometries_do_not_use_winograd(called, arguments):
    step(np.float32, **arguments)
    assert called == []


def test_float64_never_uses_winograd(called):
    step(np.float64)
    assert called == []


def test_winograd_can_be_forbidden(called):
    allow_winograd(False)
    try:
        step(np.float32)
    finally:
        allow_winograd(True)
    assert called == []


def test_a_large_batch_is_as_precise():
    x, weight = pixels((16, 32, 16, 16), 0), pixels((32, 32, 3, 3), 1)
    exact = conv.conv(x.astype(float), weight.astype(float), None, (1, 1), (1, 1), (1, 1))
    assert worst(winograd.winograd_conv(x, weight, None, (1, 1)), exact) < 2e-5


@st.composite
def strided(draw):
    """Kernel, stride and padding of one or two axes, and a size with at least one window."""
    axes = draw(st.integers(1, 2))
    along = st.sampled_from([(3, 1), (5, 1), (3, 2), (4, 2)])
    kernel, stride = zip(*(draw(along) for _ in range(axes)), strict=True)
    padding = tuple(draw(st.integers(0, k)) for k in kernel)
    return kernel, stride, padding, tuple(k + draw(st.integers(0, 12)) for k in kernel)


@given(
    geometry=strided(),
    batch=st.integers(1, 5),
    channels=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    threads=st.integers(1, 3),
    turned=st.booleans(),
)
def test_winograd_with_a_stride_and_of_sequences_is_the_convolution_and_its_gradients(
    geometry, batch, channels, threads, turned
):
    kernel, stride, padding, size = geometry
    x, weight = pixels((batch, channels[0], *size), 0), pixels((channels[1], channels[0], *kernel), 1)
    bias = np.random.default_rng(2).standard_normal(channels[1]).astype("f")
    x = np.ascontiguousarray(x.T).T if turned else x
    exact = [array.astype(float) for array in (x, weight, bias)]
    along = (stride, padding, (1,) * len(kernel), 1)
    around = tuple(k - 1 - p for k, p in zip(kernel, padding, strict=True))
    with num_threads(threads):
        y = winograd.winograd_conv(x, weight, bias, padding, stride)
        expected = im2col.im2col_conv(*exact, *along)
        assert y.shape == expected.shape
        grad = pixels(y.shape, 3)[..., ::-1] if turned else pixels(y.shape, 3)
        back = winograd.winograd_conv_input_grad(grad, weight, around, stride, size)
        ours = winograd.winograd_conv_weight_grad(grad, x, kernel, padding, stride)
    assert worst(y, expected) < 2e-5
    assert worst(back, im2col.im2col_conv_input_grad(grad.astype(float), exact[1], size, *along)) < 2e-5
    assert worst(ours, im2col.im2col_conv_weight_grad(grad.astype(float), exact[0], kernel, *along)) < 2e-5


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (lambda: nn.Conv2d(64, 64, 3, 2, 1), (6, 64, 28, 28)),
        (lambda: nn.Conv1d(64, 64, 5, 1, 2), (8, 64, 150)),
        (lambda: nn.ConvTranspose2d(64, 64, 4, 2, 1), (4, 64, 16, 16)),
    ],
)
def test_wide_layers_with_a_stride_and_of_sequences_use_winograd(called, layer, shape):
    built = layer()
    y = built(np.ones(shape, "f"))
    built.backward(np.ones_like(y))
    assert set(called) == {"winograd_conv", "winograd_conv_input_grad", "winograd_conv_weight_grad"}


@pytest.mark.parametrize(
    "arguments", [{"kernel_size": 5}, {"dilation": 2}, {"groups": 2}, {"stride": 3}, {"kernel_size": 1, "padding": 0}]
)
def test_other_transposed_convolutions_do_not_use_winograd(called, arguments):
    layer = nn.ConvTranspose2d(64, 64, **{"kernel_size": 4, "stride": 2, "padding": 1, **arguments})
    layer.backward(np.ones_like(layer(np.ones((4, 64, 16, 16), "f"))))
    assert called == []


@pytest.mark.parametrize(
    "layer", [lambda: nn.ConvTranspose1d(64, 64, 4, 2, 1), lambda: nn.Conv1d(64, 32, 5), lambda: nn.Conv1d(64, 64, 3)]
)
def test_sequences_that_save_little_do_not_use_winograd(called, layer):
    built = layer()
    built.backward(np.ones_like(built(np.ones((10, 64, 120), "f"))))
    assert called == []
