"""The ways that the bench measures against compute what mytorch computes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.bench.convolutions import HANDWRITTEN_CONVOLUTIONS
from mytorch.ops import conv as ops


@pytest.mark.parametrize("way", HANDWRITTEN_CONVOLUTIONS)
@given(
    kernel=st.tuples(st.integers(1, 5), st.integers(1, 5)),
    stride=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    padding=st.tuples(st.integers(0, 2), st.integers(0, 2)),
    extra=st.tuples(st.integers(0, 6), st.integers(0, 6)),
    seed=st.integers(0, 2**32 - 1),
)
def test_a_hand_written_convolution_is_mytorchs(way, kernel, stride, padding, extra, seed):
    rng, padding = np.random.default_rng(seed), tuple(min(p, k - 1) for p, k in zip(padding, kernel, strict=True))
    size = tuple(k + more for k, more in zip(kernel, extra, strict=True))
    x, weight = rng.standard_normal((2, 3, *size)), rng.standard_normal((4, 3, *kernel))
    geometry = (stride, padding, (1, 1))
    y = ops.conv(x, weight, None, *geometry)
    grad = rng.standard_normal(y.shape)
    theirs = HANDWRITTEN_CONVOLUTIONS[way](x, weight, grad, stride, padding)
    ours = (
        y,
        ops.conv_input_grad(grad, weight, size, *geometry),
        ops.conv_weight_grad(grad, x, weight.shape[2:], *geometry),
    )
    for mine, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(other, mine, rtol=0, atol=1e-10)
