from math import erf as exact

import numpy as np
import pytest

from mytorch.ops.special import BLOCK_ELEMENTS, erf


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 4e-16), (np.float32, 2e-7)])
def test_erf_is_exact_to_the_last_digits(dtype, tolerance):
    x = np.concatenate([np.linspace(-7, 7, 20_001), 10.0 ** -np.arange(1, 300, 7)]).astype(dtype)
    expected = np.array([exact(float(value)) for value in x])
    assert abs(erf(x) - expected).max() < tolerance
    assert erf(x).dtype == dtype


def test_erf_near_zero_keeps_its_relative_precision():
    x = 10.0 ** -np.arange(0, 300, 7)
    np.testing.assert_allclose(erf(x), [exact(value) for value in x], rtol=1e-15)


def test_erf_at_the_ends_and_of_nan():
    values = erf(np.array([np.inf, -np.inf, np.nan, 0.0, -1e300]))
    np.testing.assert_array_equal(values, [1, -1, np.nan, 0, -1])


@pytest.mark.parametrize("turn", [lambda x: x, lambda x: x.T, lambda x: x[:, ::2], lambda x: x[::-1]])
def test_erf_takes_any_layout_and_any_size(turn):
    x = turn(np.random.default_rng(0).standard_normal((3, BLOCK_ELEMENTS)))
    kept = x.copy()
    np.testing.assert_allclose(erf(x)[..., :9], [[exact(v) for v in row[:9]] for row in x], atol=4e-16)
    np.testing.assert_array_equal(x, kept)
