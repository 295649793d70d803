"""The results of common mistakes in pooling."""

from collections.abc import Callable, Iterator, Mapping

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from autograder.checks import oracle
from autograder.checks.case import Guess, Guesses
from autograder.wire import Array

Index = tuple[int, int, int, int]


def max_guesses(A: Array, dLdZ: Array, kernel: int, stride: int) -> Mapping[str, Guesses]:
    """For max pooling."""
    windows = _windows(A, kernel, stride)

    def share(window: Array, upstream: float, rule: str) -> Array:
        ties = window == (window.min() if rule == "minimum" else window.max())
        if rule == "all":
            return ties * upstream
        if rule == "split":
            return ties * upstream / ties.sum()
        places = np.flatnonzero(ties)
        given = np.zeros(window.size)
        given[places[-1 if rule == "last" else 0]] = upstream
        return given.reshape(window.shape)

    def gradient(rule: str, wins: str = "") -> Guess:
        return lambda: _spread(A, dLdZ, kernel, stride, lambda window, u: share(window, u, rule), wins)

    Z: dict[str, Guess] = {
        "pool_minimum": lambda: windows.min((-2, -1)),
        "pool_mean": lambda: windows.mean((-2, -1)),
        "pool_from_zero": lambda: np.maximum(windows.max((-2, -1)), 0),
        "pool_absolute": lambda: np.abs(windows).max((-2, -1)),
        **_sizes(lambda A, s: _windows(A, kernel, s).max((-2, -1)), A, stride),
    }
    dLdA: dict[str, Guess] = {
        "pool_minimum": gradient("minimum"),
        "overlap_overwritten": gradient("first", "last"),
        "overlap_overwritten ": gradient("first", "first"),
        "pool_ties": gradient("all"),
        "pool_ties_last": gradient("last"),
        "pool_ties_split": gradient("split"),
        **_borders(A, dLdZ, kernel, stride, lambda window, u: share(window, u, "first")),
    }
    return {"Z": Z, "dLdA": dLdA}


def mean_guesses(A: Array, dLdZ: Array, kernel: int, stride: int) -> Mapping[str, Guesses]:
    """For mean pooling."""
    windows = _windows(A, kernel, stride)

    def even(divisor: float) -> Callable[[Array, float], Array]:
        return lambda window, upstream: np.full(window.shape, upstream / divisor)

    def gradient(divisor: float, wins: str = "") -> Guess:
        return lambda: _spread(A, dLdZ, kernel, stride, even(divisor), wins)

    Z: dict[str, Guess] = {
        "mean_not_divided": lambda: windows.sum((-2, -1)),
        "mean_divided_by_k": lambda: windows.sum((-2, -1)) / kernel,
        "pool_maximum": lambda: windows.max((-2, -1)),
        **_sizes(lambda A, s: _windows(A, kernel, s).mean((-2, -1)), A, stride),
    }
    dLdA: dict[str, Guess] = {
        "mean_gradient_not_divided": gradient(1),
        "mean_divided_by_k": gradient(kernel),
        "overlap_overwritten": gradient(kernel**2, "last"),
        "overlap_overwritten ": gradient(kernel**2, "first"),
        **_borders(A, dLdZ, kernel, stride, even(kernel**2)),
    }
    return {"Z": Z, "dLdA": dLdA}


def _sizes(pool: Callable[[Array, int], Array], A: Array, stride: int) -> dict[str, Guess]:
    """Mistakes of forward in the positions of the windows."""
    if stride == 1:
        return {"last_window_dropped": lambda: pool(A, 1)[:, :, :-1, :-1]}
    return {
        "stride_forgotten": lambda: pool(A, 1),
        "stride_twice": lambda: pool(A, stride * stride),
        "resample_offset": lambda: pool(A, 1)[oracle.every(stride, 4, stride - 1)],
        "last_window_dropped": lambda: pool(A, stride)[:, :, :-1, :-1],
    }


def _borders(
    A: Array, dLdZ: Array, kernel: int, stride: int, share: Callable[[Array, float], Array]
) -> dict[str, Guess]:
    """Mistakes of backward in the positions of the windows."""
    reach = [stride * (size - 1) + kernel for size in dLdZ.shape[2:]]

    def forgotten() -> Array:
        return _spread(A, dLdZ, kernel, 1, share)

    return {
        "border_dropped": lambda: _spread(A, dLdZ, kernel, stride, share)[:, :, : reach[0], : reach[1]],
        "stride_lost_backward": forgotten,
    }


def _windows(A: Array, kernel: int, stride: int) -> Array:
    """(N, C, H_out, W_out, kernel, kernel)."""
    return sliding_window_view(A, (kernel, kernel), axis=(2, 3))[:, :, ::stride, ::stride]


def _spread(
    A: Array, dLdZ: Array, kernel: int, stride: int, share: Callable[[Array, float], Array], wins: str = ""
) -> Array:
    """The input's gradient, where each window takes share(its values, its gradient).

    wins: whether the first or the last window overwrites the others where they overlap; "" adds them, which is right.
    """
    dLdA = np.zeros_like(A)
    indices = list(_indices(dLdZ.shape))
    for n, c, h, w in reversed(indices) if wins == "first" else indices:
        place = (n, c, slice(h * stride, h * stride + kernel), slice(w * stride, w * stride + kernel))
        given = share(A[place], float(dLdZ[n, c, h, w]))
        if not wins:
            dLdA[place] += given
        else:
            dLdA[place] = np.where(given != 0, given, dLdA[place])
    return dLdA


def _indices(shape: tuple[int, ...]) -> Iterator[Index]:
    yield from np.ndindex(*shape)
