"""The results of common mistakes in an optimizer."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from autograder.wire import Array

Update = Callable[[Array, Array, int], Array]  # parameter, gradient, number of the step -> parameter
Settings = Mapping[str, Any]


def mistaken(name: str) -> dict[str, Callable[[Settings], Update]]:
    """By the mistake's key, a function that makes an optimizer with it from the settings."""
    if name == "SGD":
        return {key: _sgd(key) for key in ("sign_wrong", "lr_forgotten", "momentum_missing", "momentum_averaged",
                                           "momentum_reset", "momentum_nesterov", "momentum_sign")}  # fmt: skip
    keys = ["sign_wrong", "lr_forgotten", "bias_correction_missing", "bias_correction_first", "bias_correction_second",
            "eps_inside", "t_not_counted", "t_from_zero", "betas_swapped", "square_missing"]  # fmt: skip
    if name == "AdamW":
        keys += ["decay_coupled", "decay_unscaled", "decay_missing", "decay_after", "decay_sign"]
    return {key: _adam(key, decay=name == "AdamW") for key in keys}


def _sgd(mistake: str) -> Callable[[Settings], Update]:
    def start(settings: Settings) -> Update:
        lr, mu = settings["lr"], settings.get("momentum", 0)
        v: Any = 0.0

        def update(W: Array, g: Array, t: int) -> Array:
            nonlocal v
            if mistake == "momentum_averaged":
                v = mu * v + (1 - mu) * g
            elif mistake in ("momentum_missing", "momentum_reset"):
                v = g
            elif mistake == "momentum_sign":
                v = mu * v - g
                return np.asarray(W - lr * v)
            else:
                v = mu * v + g
            move = g + mu * v if mistake == "momentum_nesterov" else v
            return np.asarray(W - (1 if mistake == "lr_forgotten" else -lr if mistake == "sign_wrong" else lr) * move)

        return update

    return start


def _adam(mistake: str, decay: bool) -> Callable[[Settings], Update]:
    def start(settings: Settings) -> Update:
        lr, eps, rate = settings["lr"], settings.get("eps", 1e-8), settings.get("weight_decay", 0.01)
        beta1, beta2 = settings.get("beta1", 0.9), settings.get("beta2", 0.999)
        if mistake == "betas_swapped":
            beta1, beta2 = beta2, beta1
        m: Any = 0.0
        v: Any = 0.0

        def update(W: Array, g: Array, t: int) -> Array:
            nonlocal m, v
            if decay:
                match mistake:
                    case "decay_coupled":
                        g = g + rate * W
                    case "decay_unscaled":
                        W = W - rate * W
                    case "decay_sign":
                        W = W + lr * rate * W
                    case "decay_missing" | "decay_after":
                        pass
                    case _:
                        W = W - lr * rate * W
            count = {"t_not_counted": 1, "t_from_zero": t + 1}.get(mistake, t)
            m = beta1 * m + (1 - beta1) * g
            v = beta2 * v + (1 - beta2) * (np.abs(g) if mistake == "square_missing" else g**2)
            first = 1 if mistake in ("bias_correction_missing", "bias_correction_first") else 1 - beta1**count
            second = 1 if mistake in ("bias_correction_missing", "bias_correction_second") else 1 - beta2**count
            root = np.sqrt(v / second + eps) if mistake == "eps_inside" else np.sqrt(v / second) + eps
            W = W - (1 if mistake == "lr_forgotten" else -lr if mistake == "sign_wrong" else lr) * (m / first) / root
            return np.asarray(W - lr * rate * W if mistake == "decay_after" else W)

        return update

    return start
