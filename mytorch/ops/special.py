"""The error function, which NumPy does not have, and the normal distribution."""

from functools import cache
from math import erf as exact
from math import exp, pi, sqrt

import numpy as np

from mytorch.device import Array, get_array_module
from mytorch.geometry import split_by_budget

STEPS = 512
"""Points a unit of the table."""
REACH = 6
"""Beyond it, erf is 1 or -1 to the last digit of float64."""
BLOCK = 1 << 14
"""Elements computed at a time, whose steps stay in the cache."""
NORMAL = (
    0.7978849414844318,
    0.03633308444924803,
    -3.2594816391943455e-05,
    -5.5306269983727915e-05,
    3.96476016920402e-06,
    -1.3226473720969513e-07,
    1.7562137531629336e-09,
)
"""p in normal_cdf, from x^0 on: atanh(erf(x / sqrt(2))) / x, fitted from 0 to 5.6 for the least error of the share.

By least squares at Chebyshev points, weighted by what an error there does to the share, until the largest was least.
Beyond 5.6 the share is 0 or 1 to the last digit of float32's 1, and p only grows.
"""


def erf(x: Array) -> Array:
    """2 / sqrt(pi) times the integral of exp(-t^2) from 0 to x, to 3e-16 in float64.

    From the nearest point a of a table, where erf is known, in a Taylor series of h = x - a up to h^4. Derivatives of
    erf are its first one times Hermite polynomials (Abramowitz and Stegun 7.1.19), so a table of two columns does; as
    h is below 1 / 1024, the term left out is below 2e-16.
    """
    y = x.copy(order="K")
    flat = y.ravel(order="K")  # a view, as a copy has no gaps
    for block in split_by_budget(flat.size, 1, BLOCK):
        flat[block] = _series(flat[block])
    return y


def normal_cdf(x: Array, square: Array | None = None) -> Array:
    """The share of the normal distribution below x, (1 + erf(x / sqrt(2))) / 2. square: x * x, where it is at hand.

    In float32 as (1 + tanh(x p(x^2))) / 2, p being a polynomial: to 1e-7, in a quarter of the steps. NumPy's tanh is
    quick.
    """
    if x.dtype != np.float32:
        return (1 + erf(x * sqrt(0.5))) / 2
    with np.errstate(over="ignore"):
        square = x * x if square is None else square
        share = square * NORMAL[-1]
        for coefficient in NORMAL[-2:0:-1]:
            share += coefficient
            share *= square
        share += NORMAL[0]
        share *= x
    np.tanh(share, out=share)
    share += 1
    share *= 0.5
    return share


def _series(x: Array) -> Array:
    xp = get_array_module(x)
    values, slopes = (xp.asarray(column) for column in _table(x.dtype.name))
    h = xp.clip(x, -REACH, REACH)
    index = xp.rint(xp.nan_to_num(h) * STEPS)
    a = index / x.dtype.type(STEPS)
    h -= a
    index = index.astype(np.int32)
    index += REACH * STEPS
    square = a * a
    series = h * a
    series *= (3 - 2 * square) / 6
    series += (2 * square - 1) / 3
    series *= h
    series -= a
    series *= h
    series += 1
    series *= h
    series *= slopes.take(index)
    series += values.take(index)
    return series


@cache
def _table(dtype: str) -> tuple[np.ndarray, np.ndarray]:
    """erf and its derivative at the points from -REACH to REACH."""
    points = [k / STEPS for k in range(-REACH * STEPS, REACH * STEPS + 1)]
    values, slopes = [exact(a) for a in points], [2 / sqrt(pi) * exp(-a * a) for a in points]
    return np.array(values, dtype), np.array(slopes, dtype)
