import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mytorch.ops import batch_norm as ops
from mytorch.ops.cuda import batch_norm as cuda
from mytorch.ops.cuda import reduce

FLOATS = st.sampled_from([np.float64, np.float32])


@pytest.fixture(scope="module", params=[1, 40, 1 << 15])
def chunk(request):
    """How many elements a block sums; at least one row."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reduce, "MIN_CHUNK_ELEMENTS", request.param)
        yield


@pytest.mark.kernels("row_sums", "combine_sums")
@settings(max_examples=60)
@given(data=st.data(), dtype=FLOATS, rows=st.integers(0, 70), channels=st.integers(1, 40))
def test_sums_of_columns_are_exact_for_any_grid(chunk, grid, array, same, data, dtype, rows, channels):
    grid(data)
    matrix = array(data, (rows, channels), dtype)
    same("sums", reduce.column_sums(matrix), matrix.sum(0, dtype=float), dtype)


@pytest.mark.kernels("moment_sums", "combine_moments")
@settings(max_examples=60)
@given(
    data=st.data(),
    dtype=FLOATS,
    batch=st.integers(1, 5),
    channels=st.integers(1, 20),
    size=st.lists(st.integers(1, 4), max_size=3),
)
def test_moments_are_those_of_numpy_far_from_zero_too(chunk, grid, array, same, data, dtype, batch, channels, size):
    grid(data)
    x = array(data, (batch, channels, *size), dtype) + dtype(100)
    mean, var = cuda.moments(x)
    expected = ops.moments(x.astype(float))
    same("mean", mean, expected[0], dtype)
    same("variance", var, expected[1], dtype)


@pytest.mark.kernels("batch_norm", "batch_norm_grad", "gradient_sums", "combine_gradients", "relu_grad")
@settings(max_examples=100)
@given(
    data=st.data(),
    dtype=FLOATS,
    batch=st.integers(1, 5),
    channels=st.integers(1, 20),
    size=st.lists(st.integers(1, 4), max_size=3),
    affine=st.booleans(),
    training=st.booleans(),
    relu=st.booleans(),
    eps=st.sampled_from([1e-5, 0.1]),
)
def test_batch_norm_and_its_gradients_are_those_of_numpy(
    grid, array, same, data, dtype, batch, channels, size, affine, training, relu, eps
):
    grid(data)
    x, grad = (array(data, (batch, channels, *size), dtype, stream=stream) for stream in (0, 1))
    vectors = [array(data, (channels,), dtype, stream=stream) for stream in (2, 3, 4, 5)]
    mean, var = vectors[0], vectors[1] ** 2 + dtype(0.1)
    weight, bias = vectors[2:] if affine else (None, None)
    exact = [None if a is None else a.astype(float) for a in (x, mean, var, weight, bias, grad)]
    y = cuda.batch_norm(x, mean, var, weight, bias, eps, relu)
    same("output", y, ops.batch_norm(*exact[:5], eps, relu), dtype)
    output = y if relu else None
    ours = cuda.batch_norm_grad(grad, x, mean, var, weight, eps, training, output)
    expected = ops.batch_norm_grad(exact[5], *exact[:4], eps, training, output)
    for what, one, other in zip(("input", "weight", "bias"), ours, expected, strict=True):
        same(f"gradient at {what}", one, other, dtype)


@pytest.mark.kernels("moment_sums", "combine_moments")
def test_sums_are_bitwise_equal_for_any_number_of_blocks_and_order_of_threads(launcher):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reduce, "MIN_CHUNK_ELEMENTS", 50)
        for dtype in (np.float64, np.float32):
            x = np.random.default_rng(0).standard_normal((20, 5, 3, 4)).astype(dtype)
            results = []
            for launcher.blocks, launcher.backwards in [(1, False), (3, True), (1000, False)]:
                launcher.threads = 16
                results.append(np.concatenate(cuda.moments(x)))
            np.testing.assert_array_equal(results[0], results[1])
            np.testing.assert_array_equal(results[0], results[2])
