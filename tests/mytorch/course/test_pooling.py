"""Pooling and resampling: PyTorch's results, ties to the first, and the input's size restored."""

import numpy as np
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from mytorch import course

drawn = settings(max_examples=60, deadline=None)
pools = given(
    st.integers(1, 3), st.integers(1, 4), st.integers(1, 4), st.integers(0, 7), st.integers(0, 7), st.integers(0, 99)
)


@drawn
@pools
def test_max_pool_and_its_gradient_are_pytorchs_even_where_values_are_equal(N, kernel, stride, down, across, seed):
    rng = np.random.default_rng(seed)
    x = rng.integers(-2, 3, (N, 2, kernel + down, kernel + across)).astype(float)  # few values: ties on purpose
    for layer, step in [(course.MaxPool2d(kernel, stride), stride), (course.MaxPool2d_stride1(kernel), 1)]:
        tx = torch.tensor(x, requires_grad=True)
        right = F.max_pool2d(tx, kernel, step)
        answer = layer(x)
        np.testing.assert_array_equal(answer, right.detach())
        gradient = rng.standard_normal(answer.shape)
        right.backward(torch.tensor(gradient))
        np.testing.assert_allclose(layer.backward(gradient), tx.grad, rtol=0, atol=1e-12)


@drawn
@pools
def test_mean_pool_and_its_gradient_are_pytorchs(N, kernel, stride, down, across, seed):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((N, 2, kernel + down, kernel + across))
    for layer, step in [(course.MeanPool2d(kernel, stride), stride), (course.MeanPool2d_stride1(kernel), 1)]:
        tx = torch.tensor(x, requires_grad=True)
        right = F.avg_pool2d(tx, kernel, step)
        answer = layer(x)
        np.testing.assert_allclose(answer, right.detach(), rtol=0, atol=1e-12)
        gradient = rng.standard_normal(answer.shape)
        right.backward(torch.tensor(gradient))
        np.testing.assert_allclose(layer.backward(gradient), tx.grad, rtol=0, atol=1e-12)


def test_a_tie_goes_to_the_first_row_by_row():
    layer = course.MaxPool2d_stride1(2)
    layer(np.array([[[[0.0, 5.0], [5.0, 5.0]]]]))
    np.testing.assert_array_equal(layer.backward(np.ones((1, 1, 1, 1))), [[[[0, 1], [0, 0]]]])


def test_negative_values_win_where_all_are_negative():
    assert course.MaxPool2d(2, 2)(np.full((1, 1, 2, 2), -3.0)) == -3.0


def test_upsampling_puts_zeros_between_and_none_after():
    np.testing.assert_array_equal(course.Upsample1d(3)(np.array([[[1.0, 2, 3]]])), [[[1, 0, 0, 2, 0, 0, 3]]])
    np.testing.assert_array_equal(
        course.Upsample2d(2)(np.array([[[[1.0, 2], [3, 4]]]])), [[[[1, 0, 2], [0, 0, 0], [3, 0, 4]]]]
    )


def test_downsampling_restores_trailing_zeros_for_every_width():
    layer = course.Downsample1d(3)
    for width in range(1, 10):
        x = np.arange(1.0, width + 1).reshape(1, 1, width)
        np.testing.assert_array_equal(layer.backward(layer(x)), np.where(np.arange(width) % 3 == 0, x, 0))


@drawn
@given(st.integers(1, 5), st.integers(1, 7), st.integers(1, 7), st.integers(0, 99))
def test_each_gradient_is_the_adjoint_of_its_forward(k, H, W, seed):
    """<forward(x), y> = <x, backward(y)> for every x and y, which only the gradient of a linear map fulfills."""
    rng = np.random.default_rng(seed)
    for layer, size in [
        (course.Upsample1d(k), (W,)),
        (course.Downsample1d(k), (W,)),
        (course.Upsample2d(k), (H, W)),
        (course.Downsample2d(k), (H, W)),
    ]:
        x = rng.standard_normal((2, 3, *size))
        Z = layer(x)
        y = rng.standard_normal(Z.shape)
        np.testing.assert_allclose(np.vdot(Z, y), np.vdot(x, layer.backward(y)), rtol=0, atol=1e-12)
