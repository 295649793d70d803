"""Convolutions equal PyTorch's, forward and all three gradients, to 1e-12 in float64."""

import numpy as np
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from mytorch import course

small = st.integers(1, 4)
drawn = settings(max_examples=60, deadline=None)


def agree(layer, holder, expected, shape, seed):
    """Compare a layer with expected(x, W, b) in torch. `holder` is the layer that has the parameters."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal(shape)
    holder.W, holder.b = rng.standard_normal(holder.W.shape), rng.standard_normal(holder.b.shape)  # from outside
    tx, tW, tb = (torch.tensor(array, requires_grad=True) for array in (x, holder.W, holder.b))
    right = expected(tx, tW, tb)
    answer = layer(x)
    np.testing.assert_allclose(answer, right.detach(), rtol=0, atol=1e-12)
    gradient = rng.standard_normal(answer.shape)
    right.backward(torch.tensor(gradient))
    np.testing.assert_allclose(layer.backward(gradient), tx.grad, rtol=0, atol=1e-12)
    np.testing.assert_allclose(holder.dLdW, tW.grad, rtol=0, atol=1e-12)
    np.testing.assert_allclose(holder.dLdb, tb.grad, rtol=0, atol=1e-12)


@drawn
@given(st.integers(1, 3), small, small, small, small, st.integers(0, 2), st.integers(0, 9), st.integers(0, 99))
def test_conv1d(N, C, out, K, stride, padding, extra, seed):
    layer = course.Conv1d(C, out, K, stride, padding)
    shape = (N, C, K + extra)
    agree(layer, layer.conv1d_stride1, lambda x, W, b: F.conv1d(x, W, b, stride, padding), shape, seed)
    layer = course.Conv1d_stride1(C, out, K)
    agree(layer, layer, F.conv1d, shape, seed)


@drawn
@given(st.integers(1, 3), small, small, small, small, st.integers(0, 2), st.integers(0, 7), st.integers(0, 7), small)
def test_conv2d(N, C, out, K, stride, padding, down, across, seed):
    layer = course.Conv2d(C, out, K, stride, padding)
    shape = (N, C, K + down, K + across)
    agree(layer, layer.conv2d_stride1, lambda x, W, b: F.conv2d(x, W, b, stride, padding), shape, seed)
    layer = course.Conv2d_stride1(C, out, K)
    agree(layer, layer, F.conv2d, shape, seed)


@drawn
@given(st.integers(1, 3), small, small, small, small, st.integers(0, 5), st.integers(0, 5), small)
def test_transposed_is_pytorchs_with_its_weight_rotated_swapped_and_padded(N, C, out, K, factor, down, across, seed):
    layer = course.ConvTranspose2d(C, out, K, factor)
    agree(
        layer,
        layer.conv2d_stride1,
        lambda x, W, b: F.conv_transpose2d(x, W.flip(2, 3).transpose(0, 1), b, factor, K - 1),
        (N, C, K + down, K + across),
        seed,
    )
    line = course.ConvTranspose1d(C, out, K, factor)
    agree(
        line,
        line.conv1d_stride1,
        lambda x, W, b: F.conv_transpose1d(x, W.flip(2).transpose(0, 1), b, factor, K - 1),
        (N, C, K + down),
        seed,
    )


def test_padding_makes_room_for_a_kernel_larger_than_the_input():
    layer = course.Conv1d(2, 3, 5, 1, 2)
    agree(layer, layer.conv1d_stride1, lambda x, W, b: F.conv1d(x, W, b, 1, 2), (1, 2, 3), 0)


def test_float32_is_pytorchs_to_its_own_precision():
    layer, rng = course.Conv2d(3, 4, 3, 2, 1), np.random.default_rng(0)
    x = rng.standard_normal((2, 3, 9, 8)).astype(np.float32)
    W = torch.tensor(layer.conv2d_stride1.W, dtype=torch.float32)
    np.testing.assert_allclose(layer(x), F.conv2d(torch.tensor(x), W, None, 2, 1), rtol=0, atol=1e-4)
