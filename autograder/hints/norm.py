"""The results of common mistakes in batch normalization."""

from collections.abc import Mapping

import numpy as np

from autograder.checks.case import Guess, Guesses
from autograder.wire import Array

EPS = 1e-8


def norm_guesses(inputs: Mapping[str, Array], dLdBZ: Array, right: Mapping[str, Array]) -> Mapping[str, Guesses]:
    """For a training forward and its backward."""
    Z, BW, Bb = inputs["A"], inputs["BW"], inputs["Bb"]
    space = tuple(axis for axis in range(Z.ndim) if axis != 1)
    m = Z.size // Z.shape[1]
    M, V = Z.mean(space, keepdims=True), Z.var(space, keepdims=True)
    D = np.sqrt(V + EPS)
    NZ = (Z - M) / D
    dLdNZ = dLdBZ * BW

    def mean(X: Array) -> Array:
        return np.asarray(X.mean(space, keepdims=True))

    forward: dict[str, Guess] = {
        "variance_unbiased": lambda: BW * (Z - M) / np.sqrt(V * m / max(m - 1, 1) + EPS) + Bb,
        "eps_large": lambda: BW * (Z - M) / np.sqrt(V + 1e-5) + Bb,
        "eps_sign": lambda: BW * (Z - M) / np.sqrt(np.maximum(V - EPS, EPS)) + Bb,
        "eps_outside": lambda: BW * (Z - M) / (np.sqrt(V) + EPS) + Bb,
        "variance_not_rooted": lambda: BW * (Z - M) / (V + EPS) + Bb,
        "scale_forgotten": lambda: NZ,
        "bias_forgotten": lambda: BW * NZ,
        "norm_axis_batch": lambda: _normalised(Z, (0,)) * BW + Bb,
        "norm_axis_sample": lambda: _normalised(Z, tuple(range(1, Z.ndim))) * BW + Bb,
        "norm_axis_batch ": lambda: _normalised(Z, tuple(range(Z.ndim))) * BW + Bb,
    }
    if Z.ndim == 4:
        forward["norm_axis_space"] = lambda: _normalised(Z, (2, 3)) * BW + Bb
    backward: dict[str, Guess] = {
        "norm_statistics_constant": lambda: dLdNZ / D,
        "eps_sign": lambda: (dLdNZ - mean(dLdNZ)) / D - NZ * mean(dLdNZ * NZ) * (V + EPS) * (V - EPS) ** -1.5,
        "eps_forgotten": lambda: (dLdNZ - mean(dLdNZ)) / D - NZ * mean(dLdNZ * NZ) * (V + EPS) * V**-1.5,
        "eps_forgotten ": lambda: (dLdNZ - mean(dLdNZ) - NZ * mean(dLdNZ * NZ)) / np.sqrt(V),
        "norm_mean_path": lambda: (dLdNZ - NZ * mean(dLdNZ * NZ)) / D,
        "norm_variance_path": lambda: (dLdNZ - mean(dLdNZ)) / D,
        "scale_forgotten": lambda: right["A"] / np.where(BW == 0, 1, BW),
        "norm_count": lambda: (dLdNZ - mean(dLdNZ) * m / len(Z) - NZ * mean(dLdNZ * NZ) * m / len(Z)) / D,
        "batch_divided": lambda: right["A"] / len(Z),
    }
    weight: dict[str, Guess] = {
        "batch_divided": lambda: right["BW"] / len(Z),
        "gradient_averaged": lambda: mean(dLdBZ * NZ),
        "norm_weight_of_input": lambda: (dLdBZ * Z).sum(space, keepdims=True),
        "bias_axes": lambda: (dLdBZ * NZ).sum(0),
        "dimensions_lost": lambda: right["BW"].reshape(-1),
    }
    bias: dict[str, Guess] = {
        "batch_divided": lambda: right["Bb"] / len(Z),
        "gradient_averaged": lambda: mean(dLdBZ),
        "bias_axes": lambda: dLdBZ.sum(0),
        "bias_axes ": lambda: dLdBZ.sum(0, keepdims=True),
        "dimensions_lost": lambda: right["Bb"].reshape(-1),
    }
    return {"Z": forward, "dLdA": backward, "dLdBW": weight, "dLdBb": bias}


def running_guesses(Z: Array, M: Array, V: Array, alpha: float) -> Mapping[str, Guesses]:
    """For the running statistics after a batch."""
    space = tuple(axis for axis in range(Z.ndim) if axis != 1)
    m = Z.size // Z.shape[1]
    batch_M, batch_V = Z.mean(space, keepdims=True), Z.var(space, keepdims=True)
    return {
        "M": {
            "running_swapped": lambda: (1 - alpha) * M + alpha * batch_M,
            "running_not_moved": lambda: M,
            "running_replaced": lambda: batch_M,
        },
        "V": {
            "running_swapped": lambda: (1 - alpha) * V + alpha * batch_V,
            "running_not_moved": lambda: V,
            "running_replaced": lambda: batch_V,
            "running_unbiased": lambda: alpha * V + (1 - alpha) * batch_V * m / max(m - 1, 1),
            "running_deviation": lambda: alpha * V + (1 - alpha) * np.sqrt(batch_V),
        },
    }


def _normalised(Z: Array, axes: tuple[int, ...]) -> Array:
    return np.asarray((Z - Z.mean(axes, keepdims=True)) / np.sqrt(Z.var(axes, keepdims=True) + EPS))
