import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mytorch.ops import resample as ops
from mytorch.ops.cuda import resample as cuda

FLOATS = st.sampled_from([np.float64, np.float32])


def sizes(data, axes, low=1, high=6):
    return tuple(data.draw(st.integers(low, high)) for _ in range(axes))


@pytest.mark.kernels("nearest", "nearest_grad")
@pytest.mark.parametrize("axes", [1, 2, 3])
@settings(max_examples=60)
@given(data=st.data(), dtype=FLOATS, batch=st.integers(1, 2), channels=st.integers(1, 3))
def test_nearest_is_that_of_numpy(axes, grid, array, same, data, dtype, batch, channels):
    grid(data)
    size, out = sizes(data, axes), sizes(data, axes, high=9)
    x, grad = array(data, (batch, channels, *size), dtype), array(data, (batch, channels, *out), dtype, stream=1)
    tables = tuple(map(ops.nearest_indices, size, out))
    same("output", cuda.nearest(x, tables), ops.nearest(x.astype(float), tables), dtype)
    same("gradient", cuda.nearest_grad(grad, size, tables), ops.nearest_grad(grad.astype(float), size, tables), dtype)


@pytest.mark.kernels("linear", "linear_grad")
@pytest.mark.parametrize("axes", [1, 2, 3])
@settings(max_examples=60)
@given(data=st.data(), dtype=FLOATS, batch=st.integers(1, 2), channels=st.integers(1, 3), align=st.booleans())
def test_linear_is_that_of_numpy(axes, grid, array, same, data, dtype, batch, channels, align):
    grid(data)
    size, out = sizes(data, axes), sizes(data, axes, high=9)
    x, grad = array(data, (batch, channels, *size), dtype), array(data, (batch, channels, *out), dtype, stream=1)
    rows = (ops.linear_neighbors(n, m, align_corners=align) for n, m in zip(size, out, strict=True))
    tables = tuple(zip(*rows, strict=True))
    same("output", cuda.linear(x, *tables), ops.linear(x.astype(float), *tables), dtype)
    expected = ops.linear_grad(grad.astype(float), size, *tables)
    same("gradient", cuda.linear_grad(grad, size, *tables), expected, dtype)


@pytest.mark.kernels("insert_zeros", "subsample")
@pytest.mark.parametrize("axes", [1, 2, 3])
@settings(max_examples=60)
@given(data=st.data(), dtype=FLOATS, batch=st.integers(1, 2), channels=st.integers(1, 3))
def test_zero_insertion_and_subsampling_are_slices(axes, grid, array, same, data, dtype, batch, channels):
    grid(data)
    size, factor = sizes(data, axes), sizes(data, axes, high=3)
    wide = tuple((n - 1) * f + 1 + data.draw(st.integers(0, 3)) for n, f in zip(size, factor, strict=True))
    x = array(data, (batch, channels, *size), dtype)
    every = (..., *(slice(0, n * f, f) for n, f in zip(size, factor, strict=True)))
    expected = np.zeros((batch, channels, *wide))
    expected[every] = x
    same("zeros between", cuda.insert_zeros(x, factor, wide), expected, dtype)
    grad = array(data, expected.shape, dtype, stream=1)
    same("picked", cuda.subsample(grad, factor, size), grad[every], dtype)
