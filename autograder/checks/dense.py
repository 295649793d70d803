"""Checks of Linear and Flatten."""

import dataclasses
from collections.abc import Mapping

import numpy as np

from autograder.checks.case import (
    BIAS,
    DEBUG,
    EDGES,
    FORWARD,
    INITIALIZERS,
    INPUT,
    SHAPE,
    WEIGHT,
    Case,
    Dialect,
    Expectation,
    Family,
    Guess,
    Guesses,
)
from autograder.checks.layer import Layer, Values, edges, generator, plain
from autograder.script import Script
from autograder.wire import Array


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
            affine=True,
        )

    def build(seed: int, dialect: Dialect = "contract") -> list[Case]:
        g = generator(seed, "Linear")
        layers = [layer(*sizes) for sizes in ((1, 1, 1), (1, 2, 3), (2, 2, 2), (4, 3, 5), (5, 6, 2))]
        if dialect == "hw1p1-old":
            layers = [dataclasses.replace(one, batch_mean=True, guesses=_mean_guesses) for one in layers]
        cases = [*(plain(one, one.draw(g)) for one in layers), *edges(layers[3], g)]
        if dialect == "hw1p1":
            cases += [_debugged(layers[3], g), _zeros(layers[3])]
        return cases

    return Family("Linear", (SHAPE, FORWARD, INPUT, WEIGHT, BIAS, DEBUG, INITIALIZERS, EDGES), build)


def _debugged(layer: Layer, g: np.random.Generator) -> Case:
    """Linear(in, out, debug=True) keeps dLdA."""
    values = layer.draw(g)
    script = Script().new("layer", layer.name, *layer.args, debug=True)
    layer.give(script, "layer", values)
    script.call("layer", "forward", values.A).call("layer", "backward", values.dLdZ).get("layer", "dLdA", "dLdA")
    expected = {"dLdA": Expectation("layer.dLdA", DEBUG, values.gradients["A"], needs=(INPUT,))}
    return Case(f"{layer} with debug=True", script, expected, values.A.size)


def _zeros(layer: Layer) -> Case:
    """A new layer starts from zeros."""
    script = Script().new("layer", layer.name, *layer.args).get("layer", "W", "W").get("layer", "b", "b")
    expected = {
        name: Expectation(f"{name} of a new layer", INITIALIZERS, np.zeros(shape))
        for name, shape in layer.parameters.items()
    }
    return Case(f"Linear{layer.args}, not used yet", script, expected, 1)


def flatten() -> Family:
    """Flatten()."""

    def layer(*shape: int) -> Layer:
        return Layer(
            "Flatten", (), shape, lambda t: t["A"].reshape(len(t["A"]), -1), guesses=_flatten_guesses, affine=True
        )

    def build(seed: int, dialect: Dialect = "contract") -> list[Case]:
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
            "bias_axes  ": lambda: dLdZ,
            "bias_axes   ": lambda: np.asarray(dLdZ.sum()),
        },
    }


def _mean_guesses(values: Values) -> Mapping[str, Guesses]:
    """For the old dialect, where the parameters' gradients are means over the batch."""
    found = dict(_linear_guesses(values))
    for name in ("W", "b"):
        right = values.gradients[name]
        kept = {key: guess for key, guess in found[f"dLd{name}"].items() if key != "batch_divided"}
        found[f"dLd{name}"] = {**kept, "batch_not_divided": _times(right, len(values.A))}
    return found


def _times(array: Array, factor: int) -> Guess:
    return lambda: array * factor


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
