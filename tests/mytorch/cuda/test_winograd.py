"""Winograd convolution: PyTorch's except for rounding, in any grid, and its rounding in float32."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mytorch.ops.cuda import winograd as cuda

FLOATS = st.sampled_from([np.float64, np.float32])
ROUNDING = {np.float64: 1e-12, np.float32: 1e-4}
"""Largest |ours - exact| / largest |exact|: for float64 that of every kernel, for float32 what Winograd may lose."""


def close(what, ours, exact, dtype):
    assert ours.dtype == dtype, what
    assert ours.shape == exact.shape, what
    assert np.abs(ours - exact).max() <= ROUNDING[dtype] * np.abs(exact).max(), what


@pytest.mark.kernels(
    "input_transform",
    "input_transform_transposed",
    "gradient_transform",
    "output_transform",
    "kernel_transform",
    "kernel_gradient_transform",
)
@settings(max_examples=60)
@given(
    data=st.data(), dtype=FLOATS, batch=st.integers(1, 3), channels=st.integers(1, 10), filters=st.integers(1, 5),
    size=st.tuples(st.integers(3, 11), st.integers(3, 11)), padding=st.tuples(st.integers(0, 2), st.integers(0, 2)),
    biased=st.booleans(), block=st.sampled_from([1, 1 << 27]),
)  # fmt: skip
def test_winograd_convolution_and_its_gradients_are_pytorchs(
    grid, array, data, dtype, batch, channels, filters, size, padding, biased, block
):
    grid(data)
    x = array(data, (batch, channels, *size), dtype)
    weight = array(data, (filters, channels, 3, 3), dtype, stream=1)
    bias = array(data, (filters,), dtype, stream=2) if biased else None
    tensors = [None if a is None else torch.tensor(a.astype(float), requires_grad=True) for a in (x, weight, bias)]
    expected = torch.nn.functional.conv2d(*tensors, padding=padding)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cuda, "MAX_TRANSFORMED_ELEMENTS", block)
        y = cuda.winograd_conv(x, weight, bias, padding)
        close("output", y, expected.detach().numpy(), dtype)
        grad = array(data, y.shape, dtype, stream=3)
        expected.backward(torch.tensor(grad.astype(float)))
        close("input", cuda.winograd_conv_input_grad(grad, weight, padding), tensors[0].grad.numpy(), dtype)
        close("weight", cuda.winograd_conv_weight_grad(grad, x, padding), tensors[1].grad.numpy(), dtype)


@pytest.mark.kernels(
    "input_transform",
    "input_transform_transposed",
    "gradient_transform",
    "output_transform",
    "kernel_transform",
    "kernel_gradient_transform",
)
def test_rounding_over_many_channels_stays_below_a_ten_thousandth(launcher):
    launcher.blocks, launcher.threads = 4, 32
    rng = np.random.default_rng(0)
    x, weight = rng.standard_normal((2, 64, 10, 10)), rng.standard_normal((16, 64, 3, 3)) / 24
    grad = rng.standard_normal((2, 16, 10, 10))
    results = {}
    for dtype in (np.float64, np.float32):
        a, w, g = (value.astype(dtype) for value in (x, weight, grad))
        results[dtype] = (
            cuda.winograd_conv(a, w, None, (1, 1)),
            cuda.winograd_conv_input_grad(g, w, (1, 1)),
            cuda.winograd_conv_weight_grad(g, a, (1, 1)),
        )
    for exact, rounded in zip(*results.values(), strict=True):
        close("float32", rounded, exact, np.float32)
