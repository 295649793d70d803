"""A value is right within the tolerance of the rubric, which is relative to the expected value, as in NumPy."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from autograder.compare import close
from autograder.rubric import Tolerance

VALUES = arrays(np.float64, 12, elements=st.sampled_from([0.0, 0.5, 0.8, 1.0, 1.6, -1.0, -1.6, 4.0, np.inf, -np.inf]))


@given(VALUES, VALUES, st.sampled_from([0.0, 0.3]), st.sampled_from([0.0, 0.5]))
def test_close_is_numpys(got: np.ndarray, expected: np.ndarray, absolute: float, relative: float) -> None:
    found = close(got, expected, Tolerance(absolute=absolute, relative=relative))
    np.testing.assert_array_equal(found, np.isclose(got, expected, rtol=relative, atol=absolute))


@pytest.mark.parametrize(("got", "right"), [(1.5, True), (1.51, False), (0.5, True), (0.49, False), (np.nan, False)])
def test_the_tolerance_is_relative_to_the_expected_value(got: float, right: bool) -> None:
    tolerance = Tolerance(absolute=0, relative=0.5)
    assert bool(close(np.array(got), np.array(1.0), tolerance)) == right
    assert bool(close(np.array(-got), np.array(-1.0), tolerance)) == right


def test_a_number_is_never_close_to_an_expected_nan() -> None:
    assert not close(np.array([np.nan, 1.0]), np.array([np.nan, np.nan]), Tolerance()).any()
