"""Checks of Linear and Flatten."""

from collections.abc import Mapping

import numpy as np

from autograder.checks.case import BIAS, EDGES, FORWARD, INPUT, SHAPE, WEIGHT, Case, Family, Guess, Guesses
from autograder.checks.layer import Layer, Values, edges, generator, plain


def linear() -> Family:
    """Linear(in_features, out_features)."""

    def layer(batch: int, inputs: int, outputs: int) -> Layer:
        return Layer(
            "Linear",
            (inputs, outputs),
            (batch, inputs),
            lambda t: t["A"] @ t["W"].T + t["b"].T,
            {"W": (outputs, inputs), "b": (outputs, 1)},
            guesses=_linear_guesses,
        )

    def build(seed: int) -> list[Case]:
        g = generator(seed, "Linear")
        layers = [layer(*sizes) for sizes in ((1, 1, 1), (1, 2, 3), (2, 2, 2), (4, 3, 5), (5, 6, 2))]
        return [*(plain(one, one.draw(g)) for one in layers), *edges(layers[3], g)]

    return Family("Linear", (SHAPE, FORWARD, INPUT, WEIGHT, BIAS, EDGES), build)


def flatten() -> Family:
    """Flatten()."""

    def layer(*shape: int) -> Layer:
        return Layer("Flatten", (), shape, lambda t: t["A"].flatten(1), guesses=_flatten_guesses)

    def build(seed: int) -> list[Case]:
        g = generator(seed, "Flatten")
        layers = [layer(1, 2, 2), layer(2, 3, 4), layer(2, 3, 4, 5), layer(1, 2, 1, 3)]
        return [*(plain(one, one.draw(g)) for one in layers), *edges(layers[1], g)]

    return Family("Flatten", (SHAPE, FORWARD, INPUT, EDGES), build)


def _linear_guesses(values: Values) -> Mapping[str, Guesses]:
    A, W, b, dLdZ = values.A, values.inputs["W"], values.inputs["b"], values.dLdZ
    N, dLdW, dLdb = len(A), values.gradients["W"], values.gradients["b"]
    Z: dict[str, Guess] = {
        "bias_forgotten": lambda: A @ W.T,
        "bias_twice": lambda: A @ W.T + 2 * b.T,
        "bias_subtracted": lambda: A @ W.T - b.T,
    }
    if W.shape[0] == W.shape[1]:
        Z["weight_transposed"] = lambda: A @ W + b.T
    return {
        "Z": Z,
        "dLdA": {"batch_divided": lambda: values.gradients["A"] / N},
        "dLdW": {"batch_divided": lambda: dLdW / N, "weight_transposed": lambda: dLdW.T},
        "dLdb": {
            "batch_divided": lambda: dLdb / N,
            "bias_axes": lambda: dLdZ.sum(1, keepdims=True),
            "bias_axes ": lambda: dLdZ.sum(1),
            "bias_row": lambda: dLdb.T,
            "bias_row ": lambda: dLdb[:, 0],
            "bias_axes  ": lambda: dLdZ,
            "bias_axes   ": lambda: np.asarray(dLdZ.sum()),
        },
    }


def _flatten_guesses(values: Values) -> Mapping[str, Guesses]:
    A, dLdZ = values.A, values.dLdZ
    last_first = (0, *reversed(range(1, A.ndim)))
    Z: dict[str, Guess] = {
        "flatten_order": lambda: A.transpose(last_first).reshape(len(A), -1),
        "flatten_order ": lambda: np.moveaxis(A, 1, -1).reshape(len(A), -1),
        "flatten_batch": lambda: A.reshape(-1),
        "flatten_batch ": lambda: A.reshape(1, -1),
    }
    dLdA: dict[str, Guess] = {
        "flatten_order": lambda: dLdZ.reshape(len(A), *reversed(A.shape[1:])).transpose(last_first),
        "flatten_not_restored": lambda: dLdZ,
    }
    return {"Z": Z, "dLdA": dLdA}
