import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mytorch.ops import pool as ops
from mytorch.ops.cuda import pool as cuda

FLOATS = st.sampled_from([np.float64, np.float32])


@st.composite
def windows(draw, axes):
    def numbers(low, high):
        return tuple(draw(st.integers(low, high)) for _ in range(axes))

    kernel, stride = numbers(1, 4), numbers(1, 4)
    padding = tuple(draw(st.integers(0, k // 2)) for k in kernel)
    return tuple(k + e for k, e in zip(kernel, numbers(0, 5), strict=True)), (kernel, stride, padding)


def widened(size, window, data):
    """A window's geometry with a dilation, and a size that it fits."""
    kernel, stride, padding = window
    dilation = tuple(data.draw(st.integers(1, 3)) for _ in kernel)
    size = tuple(n + (d - 1) * (k - 1) for n, k, d in zip(size, kernel, dilation, strict=True))
    return size, (kernel, stride, padding, dilation)


def with_extremes(x, data):
    """`x` with some values NaN or infinite, or with all values minus infinity."""
    special = data.draw(st.sampled_from([None, np.nan, np.inf, -np.inf]))
    if special is not None:
        share = data.draw(st.sampled_from([0.1, 1.0]))
        x[np.random.default_rng(0).random(x.shape) < share] = special
    return x


@pytest.mark.kernels("max_pool", "max_pool_winner", "max_pool_grad")
@pytest.mark.parametrize("axes", [1, 2, 3])
@settings(max_examples=100)
@given(data=st.data(), dtype=FLOATS, batch=st.integers(1, 2), channels=st.integers(1, 3))
def test_max_pooling_is_that_of_numpy_ties_and_nan_included(axes, grid, array, same, data, dtype, batch, channels):
    grid(data)
    size, window = widened(*data.draw(windows(axes)), data)
    x, ceil_mode = (
        with_extremes(array(data, (batch, channels, *size), dtype, whole=True), data),
        data.draw(st.booleans()),
    )
    y = cuda.max_pool(x, *window, ceil_mode)
    np.testing.assert_array_equal(y, ops.max_pool(x, *window, ceil_mode))
    grad = array(data, y.shape, dtype, stream=1)
    expected = ops.max_pool_grad(grad.astype(float), x.astype(float), y.astype(float), *window)
    same("gradient", cuda.max_pool_grad(grad, x, y, *window), expected, dtype)


@pytest.mark.kernels("avg_pool", "avg_pool_grad")
@pytest.mark.parametrize("axes", [1, 2, 3])
@settings(max_examples=60)
@given(data=st.data(), dtype=FLOATS, batch=st.integers(1, 2), channels=st.integers(1, 3))
def test_average_pooling_is_that_of_numpy(axes, grid, array, same, data, dtype, batch, channels):
    grid(data)
    size, window = data.draw(windows(axes))
    x, ceil_mode = array(data, (batch, channels, *size), dtype), data.draw(st.booleans())
    divisor = data.draw(st.booleans()), data.draw(st.sampled_from([None, -3, 5]))
    y = cuda.avg_pool(x, *window, ceil_mode, *divisor)
    same("output", y, ops.avg_pool(x.astype(float), *window, ceil_mode, *divisor), dtype)
    grad = array(data, y.shape, dtype, stream=1)
    expected = ops.avg_pool_grad(grad.astype(float), size, *window, *divisor)
    same("gradient", cuda.avg_pool_grad(grad, size, *window, *divisor), expected, dtype)
