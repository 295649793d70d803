"""The results of common mistakes in batch normalization."""

import math
from collections.abc import Mapping, Sequence

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
        "eps_sign": lambda: BW * (Z - M) / np.sqrt(np.maximum(V - EPS, EPS)) + Bb,
        "eps_outside": lambda: BW * (Z - M) / (np.sqrt(V) + EPS) + Bb,
        "variance_not_rooted": lambda: BW * (Z - M) / (V + EPS) + Bb,
        "scale_forgotten": lambda: NZ,
        "bias_forgotten": lambda: BW * NZ,
    }
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
    for mistake, axes, extra, eps in _statistics_mistakes(Z):
        whole = _Pass(Z, BW, Bb, dLdBZ, axes, extra, eps)
        forward[mistake] = whole.output
        backward[mistake] = whole.input_gradient
        weight[mistake] = whole.weight_gradient
        if set(axes) != set(space):
            weight[mistake + "  "], bias[mistake + "  "] = whole.own_weight_gradient, whole.own_bias_gradient
    return {"Z": forward, "dLdA": backward, "dLdBW": weight, "dLdBb": bias}


def _statistics_mistakes(Z: Array) -> list[tuple[str, tuple[int, ...], int, float]]:
    """Mistakes in mean and variance: the key, the axes, what is subtracted from the count, and epsilon."""
    right = tuple(axis for axis in range(Z.ndim) if axis != 1)
    found = [
        ("variance_unbiased", right, 1, EPS),
        ("eps_large", right, 0, 1e-5),
        ("norm_axis_sample", tuple(range(1, Z.ndim)), 0, EPS),
        ("norm_axis_batch", (0,), 0, EPS),
        ("norm_axis_batch ", tuple(range(Z.ndim)), 0, EPS),
    ]
    return found if Z.ndim == 2 else [*found, ("norm_axis_space", (2, 3), 0, EPS)]


class _Pass:
    """Forward and backward with these axes, count and epsilon, each consistent with the other."""

    def __init__(
        self, Z: Array, BW: Array, Bb: Array, dLdBZ: Array, axes: tuple[int, ...], extra: int, eps: float
    ) -> None:
        self.Z, self.BW, self.Bb, self.dLdBZ, self.axes, self.extra, self.eps = Z, BW, Bb, dLdBZ, axes, extra, eps

    def _normalized(self) -> tuple[Array, Array]:
        count = math.prod(self.Z.shape[axis] for axis in self.axes)
        V = self.Z.var(self.axes, keepdims=True) * count / max(count - self.extra, 1)
        D = np.sqrt(V + self.eps)
        return (self.Z - self.Z.mean(self.axes, keepdims=True)) / D, D

    def output(self) -> Array:
        """The output."""
        return np.asarray(self.BW * self._normalized()[0] + self.Bb)

    def input_gradient(self) -> Array:
        """dLdA."""
        NZ, D = self._normalized()
        dLdNZ = self.dLdBZ * self.BW
        mean = dLdNZ.mean(self.axes, keepdims=True)
        return np.asarray((dLdNZ - mean - NZ * (dLdNZ * NZ).mean(self.axes, keepdims=True)) / D)

    def weight_gradient(self) -> Array:
        """dLdBW."""
        channels = tuple(axis for axis in range(self.Z.ndim) if axis != 1)
        return np.asarray((self.dLdBZ * self._normalized()[0]).sum(channels, keepdims=True))

    def own_weight_gradient(self) -> Array:
        """dLdBW, summed over these axes too."""
        return np.asarray((self.dLdBZ * self._normalized()[0]).sum(self.axes, keepdims=True))

    def own_bias_gradient(self) -> Array:
        """dLdBb, summed over these axes."""
        return np.asarray(self.dLdBZ.sum(self.axes, keepdims=True))


def running_guesses(batches: Sequence[Array], M: Array, V: Array, alpha: float) -> Mapping[str, Guesses]:
    """For the running statistics after the last of these batches; M and V are right before it."""
    Z = batches[-1]
    space = tuple(axis for axis in range(Z.ndim) if axis != 1)
    m = Z.size // Z.shape[1]
    batch_M, batch_V = Z.mean(space, keepdims=True), Z.var(space, keepdims=True)

    def after(axes: tuple[int, ...], extra: int, variance: bool) -> Guess:
        """Every update with wrong axes or a wrong count."""

        def guess() -> Array:
            running = np.ones_like(V) if variance else np.zeros_like(M)
            for batch in batches:
                count = math.prod(batch.shape[axis] for axis in axes)
                own = batch.mean(axes, keepdims=True)
                if variance:
                    own = batch.var(axes, keepdims=True) * count / max(count - extra, 1)
                running = alpha * running + (1 - alpha) * own
            return np.asarray(running)

        return guess

    shared = _statistics_mistakes(Z)
    return {
        "M": {
            "running_swapped": lambda: (1 - alpha) * M + alpha * batch_M,
            "running_not_moved": lambda: M,
            "running_replaced": lambda: batch_M,
            **{key: after(axes, extra, False) for key, axes, extra, _ in shared},
        },
        "V": {
            "running_swapped": lambda: (1 - alpha) * V + alpha * batch_V,
            "running_not_moved": lambda: V,
            "running_replaced": lambda: batch_V,
            "running_unbiased": lambda: alpha * V + (1 - alpha) * batch_V * m / max(m - 1, 1),
            "running_deviation": lambda: alpha * V + (1 - alpha) * np.sqrt(batch_V),
            **{key: after(axes, extra, True) for key, axes, extra, _ in shared},
        },
    }
