import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mytorch.ops import toom_cook

KNOWN = [(kernel, stride) for kernel, stride in toom_cook.TILE_OUTPUTS if kernel > 1]


@given(st.integers(2, len(toom_cook.POINTS)))
def test_basis_polynomials_interpolate(count):
    """They are Lagrange's polynomials up to a factor: with it, 1 at their own point and 0 at all others."""
    points = toom_cook.POINTS[:count]
    rows, scale = toom_cook.lagrange_basis(points)
    values = np.vander(np.array(points, float), count + 1, increasing=True) @ rows.T
    np.testing.assert_allclose(values * scale, np.eye(count, count + 1), atol=1e-12)


@pytest.mark.parametrize(("kernel", "stride"), KNOWN)
def test_a_tile_is_the_correlation(kernel, stride):
    axis = toom_cook.forward_transform(kernel, stride, 0)
    rng = np.random.default_rng(0)
    x, weight = rng.standard_normal(axis.inputs.shape[1]), rng.standard_normal(kernel)
    expected = [x[i : i + kernel] @ weight for i in range(0, len(x) - kernel + 1, stride)]
    np.testing.assert_allclose(axis.outputs @ ((axis.kernel @ weight) * (axis.inputs @ x)), expected, rtol=1e-10)


@pytest.mark.parametrize(("kernel", "stride"), KNOWN)
@given(padding=st.integers(0, 6))
def test_a_tile_is_the_gradient_at_the_input(kernel, stride, padding):
    axis, tiles = toom_cook.input_grad_transform(kernel, stride, padding), 3
    rng = np.random.default_rng(0)
    grad, weight = rng.standard_normal(12), rng.standard_normal(kernel)
    full = np.zeros(stride * (len(grad) - 1) + kernel + 100)
    for position, value in enumerate(grad):
        full[position * stride : position * stride + kernel] += value * weight
    around = np.pad(grad, 50)
    seen = [around[50 + axis.start + tile * axis.step :][: axis.inputs.shape[1]] for tile in range(tiles)]
    found = np.concatenate([axis.outputs @ ((axis.kernel @ weight) * (axis.inputs @ part)) for part in seen])
    np.testing.assert_allclose(found, full[padding : padding + len(found)], atol=1e-10)


@pytest.mark.parametrize(("kernel", "stride", "size"), [(3, 1, 8), (5, 1, 8), (3, 2, 8), (4, 2, 8)])
def test_multiplication_ratio_is_relative_to_direct_convolution(kernel, stride, size):
    axis = toom_cook.forward_transform(kernel, stride, 0)
    outputs, products = axis.outputs.shape
    assert toom_cook.multiplication_ratio((kernel,), (stride,), (size,)) == products * (size / outputs) / (
        kernel * size
    )
    assert toom_cook.multiplication_ratio((kernel, kernel), (stride, stride), (size, 1)) > products / (kernel * outputs)


def test_multiplication_ratio_without_an_algorithm_is_one():
    assert toom_cook.multiplication_ratio((3, 7), (1, 1), (8, 8)) == 1
    assert toom_cook.multiplication_ratio((1, 1), (1, 1), (8, 8)) == 1
