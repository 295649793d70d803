import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mytorch.ops import batch_norm, conv, linear, reduce

BATCH = (np.random.default_rng(0).standard_normal((64, 32, 64, 64)) + 1).astype("f")


def relative_error(ours, exact):
    assert ours.dtype == np.float32
    return abs(ours - exact).max() / abs(exact).max()


@given(data=st.data(), rows=st.integers(0, 40), columns=st.integers(1, 5), block=st.integers(1, 12))
def test_columns_are_summed_for_any_block_size(array, data, rows, columns, block):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reduce, "SUM_BLOCK", block)
        matrix = array(data, (rows, columns))
        np.testing.assert_allclose(reduce.column_sums(matrix), matrix.sum(0), rtol=1e-12, atol=1e-12)


def test_float32_sums_over_a_quarter_of_a_million_positions_are_precise():
    exact = BATCH.sum((0, 2, 3), dtype=float)
    rows = np.moveaxis(BATCH, 1, -1).reshape(-1, 32)
    assert relative_error(conv.conv_bias_grad(BATCH), exact) < 2e-7
    assert relative_error(linear.linear_bias_grad(rows), exact) < 2e-7
    mean, var = batch_norm.moments(BATCH)
    assert relative_error(mean, BATCH.mean((0, 2, 3), dtype=float)) < 2e-7
    assert relative_error(var, BATCH.var((0, 2, 3), dtype=float)) < 2e-7


def test_float32_batch_norm_gradients_are_as_exact_as_pytorchs():
    rng = np.random.default_rng(1)
    grad, weight = (rng.standard_normal(BATCH.shape) + 1).astype("f"), rng.random(32).astype("f")
    mean, var = batch_norm.moments(BATCH)
    ours = batch_norm.batch_norm_grad(grad, BATCH, mean, var, weight, 1e-5, batch_statistics=True)

    def theirs(dtype):
        tensors = [torch.tensor(a, dtype=dtype, requires_grad=True) for a in (BATCH, weight, np.zeros(32))]
        torch.nn.functional.batch_norm(tensors[0], None, None, *tensors[1:], training=True).backward(
            torch.tensor(grad, dtype=dtype)
        )
        return [tensor.grad.numpy() for tensor in tensors]

    exact = theirs(torch.float64)
    for name, a, b, c in zip(("input", "weight", "bias"), ours, theirs(torch.float32), exact, strict=True):
        assert relative_error(a, c) < max(1e-5, 2 * relative_error(b, c)), name
