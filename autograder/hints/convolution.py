"""The results of common mistakes in a convolution."""

from collections.abc import Mapping

import numpy as np

from autograder.checks import oracle
from autograder.checks.case import Guess, Guesses
from autograder.wire import Array

Inputs = Mapping[str, Array]


def convolution_guesses(
    inputs: Inputs, dLdZ: Array, right: Mapping[str, Array], stride: int, padding: int
) -> Mapping[str, Guesses]:
    """For correlation of A with W, plus b; `right` holds the right gradients."""
    A, W, b = inputs["A"], inputs["W"], inputs["b"]

    def forward(A: Array, W: Array, b: Array | None, step: int = stride, around: int = padding) -> Array:
        if b is None:
            return oracle.calculate(lambda a, w: oracle.convolve(a, w, None, step, around), A, W)
        return oracle.calculate(lambda a, w, c: oracle.convolve(a, w, c, step, around), A, W, b)

    def shifted() -> Array:
        return forward(A, W, b, 1)[oracle.every(stride, A.ndim, stride - 1)]

    Z: dict[str, Guess] = {
        "kernel_flipped": lambda: forward(A, oracle.flip(W), b),
        "bias_forgotten": lambda: forward(A, W, None),
        "bias_twice": lambda: forward(A, W, 2 * b),
        "bias_subtracted": lambda: forward(A, W, -b),
        "bias_per_channel": lambda: forward(A, W, b * A.shape[1]),
        "batch_of_one_only": lambda: np.repeat(forward(A, W, b)[:1], len(A), 0),
        "first_channel_only": lambda: forward(A[:, :1], W[:, :1], b),
    }
    if A.ndim == 4:
        Z["axes_swapped"] = lambda: forward(A, W.swapaxes(2, 3), b)
    if stride > 1:
        Z |= {
            "stride_forgotten": lambda: forward(A, W, b, 1),
            "stride_twice": lambda: forward(A, W, b, stride * stride),
            "resample_offset": shifted,
            "last_window_dropped": lambda: forward(A, W, b)[:, :, :-1],
        }
    if padding:
        Z |= {
            "padding_forgotten": lambda: forward(A, W, b, stride, 0),
            "padding_twice": lambda: forward(A, W, b, stride, 2 * padding),
            "padding_one_side": lambda: forward(oracle.pad(A, 2 * padding, 0), W, b, stride, 0),
            "padding_one_side ": lambda: forward(oracle.pad(A, padding, 0), W, b, stride, 0),
            "padding_one_side  ": lambda: forward(oracle.pad(A, 0, padding), W, b, stride, 0),
            "padding_not_zero": lambda: forward(np.pad(A, _around(A, padding), mode="edge"), W, b, stride, 0),
            "padding_not_zero ": lambda: forward(np.pad(A, _around(A, padding), constant_values=1), W, b, stride, 0),
        }
    return {"Z": Z, "dLdA": _input_gradient(A, W, dLdZ, right["A"], stride, padding), **_others(right, dLdZ, A)}


def transposed_guesses(inputs: Inputs, dLdZ: Array, right: Mapping[str, Array], factor: int) -> Mapping[str, Guesses]:
    """For upsampling by `factor` followed by correlation."""
    A, W, b = inputs["A"], inputs["W"], inputs["b"]

    def forward(spread: Array, W: Array, b: Array) -> Array:
        return oracle.calculate(lambda a, w, c: oracle.convolve(a, w, c), spread, W, b)

    def upsampled(by: int, after: int = 0) -> Array:
        return oracle.pad(oracle.calculate(lambda a: oracle.upsample(a, by), A), 0, after)

    def repeated() -> Array:
        spread = A
        for axis in range(2, A.ndim):
            spread = np.repeat(spread, factor, axis)
        return spread

    def fits(spread: Array) -> bool:
        return min(spread.shape[2:]) >= W.shape[-1]

    Z: dict[str, Guess] = {
        "kernel_flipped": lambda: forward(upsampled(factor), oracle.flip(W), b),
        "bias_forgotten": lambda: forward(upsampled(factor), W, 0 * b),
        "bias_twice": lambda: forward(upsampled(factor), W, 2 * b),
    }
    if A.ndim == 4:
        Z["axes_swapped"] = lambda: forward(upsampled(factor), W.swapaxes(2, 3), b)
    if factor > 1:
        Z |= {
            "upsample_trailing": lambda: forward(upsampled(factor, factor - 1), W, b),
            "upsample_zeros": lambda: forward(upsampled(factor + 1), W, b),
            "upsample_repeated": lambda: forward(repeated(), W, b),
            "factor_twice": lambda: forward(upsampled(factor * factor), W, b),
            "torch_transposed": lambda: forward(oracle.pad(upsampled(factor), *(W.shape[-1] - 1,) * 2), W, b),
            "torch_transposed ": lambda: forward(
                oracle.pad(upsampled(factor), *(W.shape[-1] - 1,) * 2), oracle.flip(W), b
            ),
        }
        if fits(A):
            Z["not_resampled"] = lambda: forward(A, W, b)
    spread = upsampled(factor)
    whole = oracle.gradients(lambda t: oracle.convolve(t["A"], t["W"], None), {"A": spread, "W": W}, dLdZ)["A"]
    flipped = oracle.gradients(
        lambda t: oracle.convolve(t["A"], t["W"], None), {"A": spread, "W": oracle.flip(W)}, dLdZ
    )["A"]
    pick = oracle.every(factor, A.ndim)
    dLdA: dict[str, Guess] = {
        "gradient_kernel_not_flipped": lambda: flipped[pick],
        "upsample_not_sliced": lambda: whole,
        "upsample_cut": lambda: whole[tuple(slice(size) for size in A.shape)],
        "upsample_twice": lambda: oracle.calculate(lambda t: oracle.upsample(t, factor), whole),
        "batch_divided": lambda: right["A"] / len(A),
    }
    return {"Z": Z, "dLdA": dLdA, **_others(right, dLdZ, A)}


def _input_gradient(A: Array, W: Array, dLdZ: Array, right: Array, stride: int, padding: int) -> Guesses:
    def through(W: Array, upstream: Array, step: int = stride) -> Array:
        """The gradient at the padded input."""
        shape = tuple(step * (size - 1) + W.shape[-1] for size in upstream.shape[2:])
        padded = np.zeros((*A.shape[:2], *(max(sizes) for sizes in zip(shape, _padded(A, padding), strict=True))))
        function = lambda t: oracle.convolve(t["A"], t["W"], None, step)[_first(upstream.shape)]  # noqa: E731
        return oracle.gradients(function, {"A": padded, "W": W}, upstream)["A"]

    def cut(gradient: Array, before: int, after: int) -> Array:
        inner = (slice(None), slice(None), *(slice(before, size - after) for size in gradient.shape[2:]))
        return gradient[inner]

    def used(gradient: Array) -> Array:
        """The gradient without the rows that no window reached."""
        ends = (stride * (size - 1) + W.shape[-1] for size in dLdZ.shape[2:])
        return gradient[(slice(None), slice(None), *(slice(end) for end in ends))]

    p = padding
    guesses: dict[str, Guess] = {
        "gradient_kernel_not_flipped": lambda: cut(through(oracle.flip(W), dLdZ), p, p),
        "batch_divided": lambda: right / len(A),
    }
    if stride == 1 and not p:
        guesses["gradient_overwritten"] = lambda: _overwritten(A, W, dLdZ)
    if A.ndim == 4:
        guesses["axes_swapped"] = lambda: cut(through(W.swapaxes(2, 3), dLdZ), p, p)
    if stride > 1:
        guesses |= {
            "border_dropped": lambda: cut(used(through(W, dLdZ)), p, p),
            "stride_lost_backward": lambda: cut(through(W, dLdZ, 1)[_first((*A.shape[:2], *_padded(A, p)))], p, p),
            "stride_lost_backward ": lambda: _windowed(W, dLdZ, right.shape[:2]),
            "last_window_dropped": lambda: cut(through(W, _without_last(dLdZ)), p, p),
        }
    if p:
        guesses |= {
            "padding_kept": lambda: through(W, dLdZ),
            "padding_cut_one_side": lambda: cut(through(W, dLdZ), 2 * p, 0),
            "padding_cut_one_side ": lambda: cut(through(W, dLdZ), 0, 2 * p),
            "padding_cut_one_side  ": lambda: cut(through(W, dLdZ), p, 0),
            "padding_cut_one_side   ": lambda: cut(through(W, dLdZ), 0, p),
        }
    return guesses


def _others(right: Mapping[str, Array], dLdZ: Array, A: Array) -> dict[str, Guesses]:
    """dLdW and dLdb."""
    N, space = len(A), tuple(range(2, A.ndim))
    dLdW = right["W"]
    weight: dict[str, Guess] = {
        "batch_divided": lambda: dLdW / N,
        "gradient_flipped": lambda: oracle.flip(dLdW),
        "gradient_overwritten": lambda: _last_window(A, dLdW, dLdZ),
        "channels_swapped": lambda: dLdW.swapaxes(0, 1),
        "gradient_averaged": lambda: dLdW / dLdZ[:, 0].size,
    }
    if A.ndim == 4:
        weight["axes_swapped"] = lambda: dLdW.swapaxes(2, 3)
    bias: dict[str, Guess] = {
        "batch_divided": lambda: right["b"] / N,
        "gradient_averaged": lambda: dLdZ.mean((0, *space)),
        "bias_axes": lambda: dLdZ.sum(0),
        "bias_axes ": lambda: dLdZ.sum(space),
        "bias_axes  ": lambda: dLdZ.sum((1, *space)),
        "bias_axes   ": lambda: dLdZ.sum((0, *space[:-1])),
        "bias_axes    ": lambda: dLdZ.sum((0, 1)),
        "bias_axes     ": lambda: np.asarray(dLdZ.sum()),
        "bias_axes      ": lambda: dLdZ.sum(space)[0],
        "bias_axes       ": lambda: dLdZ.sum(space).mean(0),
    }
    if len(space) == 2:
        bias |= {
            "bias_axes        ": lambda: dLdZ.sum((0, 3)),
            "bias_axes         ": lambda: dLdZ.sum((2,)),
        }
    return {"dLdW": weight, "dLdb": bias}


def _overwritten(A: Array, W: Array, dLdZ: Array) -> Array:
    """dLdA where each window assigns its gradient instead of adding it."""
    dLdA = np.zeros(A.shape)
    whole = (slice(None), slice(None))
    for place in np.ndindex(*dLdZ.shape[2:]):
        window = (*whole, *(slice(i, i + W.shape[-1]) for i in place))
        dLdA[window] = np.tensordot(dLdZ[(*whole, *place)], W, (1, 0))
    return dLdA


def _last_window(A: Array, W: Array, dLdZ: Array) -> Array:
    """dLdW of the last window alone, where a loop assigns it instead of adding."""
    place = tuple(size - 1 for size in dLdZ.shape[2:])
    whole = (slice(None), slice(None))
    window = (*whole, *(slice(i, i + W.shape[-1]) for i in place))
    return np.asarray(np.tensordot(dLdZ[(*whole, *place)], A[window], (0, 0)))


def _around(A: Array, padding: int) -> list[tuple[int, int]]:
    return [(0, 0), (0, 0), *[(padding, padding)] * (A.ndim - 2)]


def _padded(A: Array, padding: int) -> tuple[int, ...]:
    return tuple(size + 2 * padding for size in A.shape[2:])


def _first(shape: tuple[int, ...]) -> tuple[slice, ...]:
    return tuple(slice(size) for size in shape)


def _without_last(dLdZ: Array) -> Array:
    """The gradient with zeros for its last windows."""
    kept = dLdZ.copy()
    for axis in range(2, dLdZ.ndim):
        kept[(slice(None),) * axis + (-1,)] = 0
    return kept


def _windowed(W: Array, dLdZ: Array, outer: tuple[int, ...]) -> Array:
    """The gradient of a stride-1 convolution whose output is dLdZ's size."""
    shape = (*outer, *(size + W.shape[-1] - 1 for size in dLdZ.shape[2:]))
    return oracle.gradients(lambda t: oracle.convolve(t["A"], t["W"], None), {"A": np.zeros(shape), "W": W}, dLdZ)["A"]
