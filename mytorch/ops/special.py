"""The error function, which NumPy does not have, and the normal distribution function."""

from functools import cache
from math import erf as exact_erf
from math import exp, pi, sqrt

import numpy as np

from mytorch.device import Array, get_array_module
from mytorch.geometry import split_by_budget

STEPS_PER_UNIT = 512
"""Points of the table of erf, per unit of x."""

MAX_ARGUMENT = 6
"""Beyond it, erf is 1 or -1 to the last digit of float64."""

BLOCK_ELEMENTS = 1 << 14
"""Elements that are computed at a time, so that all steps stay in the cache."""

NORMAL_CDF_COEFFICIENTS = (
    0.7978849414844318,
    0.03633308444924803,
    -3.2594816391943455e-05,
    -5.5306269983727915e-05,
    3.96476016920402e-06,
    -1.3226473720969513e-07,
    1.7562137531629336e-09,
)
"""The polynomial p of `normal_cdf`, from x^0 on. It approximates atanh(erf(x / sqrt(2))) / x for 0 to 5.6.

It was fitted for the smallest maximal error of the distribution function: by least squares at Chebyshev points, with
weights iterated by the effect of an error there. Beyond 5.6 the function is 0 or 1 in float32, and p only grows.
"""


def erf(x: Array) -> Array:
    """Return 2 / sqrt(pi) times the integral of exp(-t^2) from 0 to x, with an error of 3e-16 in float64.

    It is computed from the nearest point a of a table, by a Taylor series in h = x - a up to h^4. The derivatives of
    erf are the first one times Hermite polynomials (Abramowitz and Stegun 7.1.19), so the table has two columns. As h
    is below 1 / 1024, the omitted term is below 2e-16.
    """
    y = x.copy(order="K")
    flat = y.ravel(order="K")  # a view, because a copy has no gaps
    for block in split_by_budget(flat.size, 1, BLOCK_ELEMENTS):
        flat[block] = _series(flat[block])
    return y


def normal_cdf(x: Array, square: Array | None = None) -> Array:
    """Return the standard normal distribution function, (1 + erf(x / sqrt(2))) / 2. square: x * x, if available.

    In float32 it is computed as (1 + tanh(x p(x^2))) / 2 with a polynomial p, with an error of 1e-7 and in a quarter of
    the steps. NumPy's tanh is fast.
    """
    if x.dtype != np.float32:
        return (1 + erf(x * sqrt(0.5))) / 2
    with np.errstate(over="ignore"):
        square = x * x if square is None else square
        result = square * NORMAL_CDF_COEFFICIENTS[-1]
        for coefficient in NORMAL_CDF_COEFFICIENTS[-2:0:-1]:
            result += coefficient
            result *= square
        result += NORMAL_CDF_COEFFICIENTS[0]
        result *= x
    np.tanh(result, out=result)
    result += 1
    result *= 0.5
    return result


def _series(x: Array) -> Array:
    xp = get_array_module(x)
    values, derivatives = (xp.asarray(column) for column in _table(x.dtype.name))
    h = xp.clip(x, -MAX_ARGUMENT, MAX_ARGUMENT)
    index = xp.rint(xp.nan_to_num(h) * STEPS_PER_UNIT)
    a = index / x.dtype.type(STEPS_PER_UNIT)
    h -= a
    index = index.astype(np.int32)
    index += MAX_ARGUMENT * STEPS_PER_UNIT
    square = a * a
    series = h * a
    series *= (3 - 2 * square) / 6
    series += (2 * square - 1) / 3
    series *= h
    series -= a
    series *= h
    series += 1
    series *= h
    series *= derivatives.take(index)
    series += values.take(index)
    return series


@cache
def _table(dtype: str) -> tuple[np.ndarray, np.ndarray]:
    """Return erf and its derivative at the points from -MAX_ARGUMENT to MAX_ARGUMENT."""
    last = MAX_ARGUMENT * STEPS_PER_UNIT
    points = [k / STEPS_PER_UNIT for k in range(-last, last + 1)]
    values, derivatives = [exact_erf(a) for a in points], [2 / sqrt(pi) * exp(-a * a) for a in points]
    return np.array(values, dtype), np.array(derivatives, dtype)
