"""Checks of the small MLPs of the first assignment: MLP0, MLP1 and MLP4."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from autograder.checks import oracle
from autograder.checks.case import (
    BIAS,
    DEBUG,
    FORWARD,
    INPUT,
    SHAPE,
    WEIGHT,
    Case,
    Dialect,
    Expectation,
    Family,
    Guess,
)
from autograder.checks.layer import generator
from autograder.script import Script
from autograder.wire import Array

if TYPE_CHECKING:
    import torch

_WIDTHS: Mapping[str, tuple[int, ...]] = {"MLP0": (2, 3), "MLP1": (2, 3, 2), "MLP4": (2, 4, 8, 8, 4, 2)}


def mlp(name: str) -> Family:
    """One of the MLPs: Linear and ReLU, alternating. The old dialect lists the Linear layers alone."""
    widths = _WIDTHS[name]

    def build(seed: int, dialect: Dialect = "contract") -> list[Case]:
        g, old = generator(seed, name), dialect == "hw1p1-old"
        return [_once(name, widths, batch, old, g) for batch in (1, 4)]

    debug = (DEBUG,) if name == "MLP4" else ()
    return Family(name, (SHAPE, FORWARD, INPUT, WEIGHT, BIAS, *debug), build)


def _once(name: str, widths: tuple[int, ...], batch: int, old: bool, g: np.random.Generator) -> Case:
    """Forward and backward, with parameters set from outside."""
    inputs, upstream = _draw(widths, batch, g)
    script = Script().new("model", name, debug=True)
    for i in range(len(widths) - 1):
        for parameter in ("W", "b"):
            script.set("model", f"layers.{i if old else 2 * i}.{parameter}", inputs[f"{parameter}{i}"])
    script.call("model", "forward", inputs["A"], out="Z").call("model", "backward", upstream, out="dLdA")
    expected = _expected(widths, inputs, upstream, old)
    for i in range(len(widths) - 1):
        for parameter in ("W", "b"):
            script.get("model", f"layers.{i if old else 2 * i}.dLd{parameter}", f"dLd{parameter}{i}")
    if name == "MLP4" and not old:
        kept = _intermediate(inputs)
        last = len(kept) - 1
        script.get("model", "A.0", "A0").get("model", "A.1", "A1").get("model", f"A.{last}", "A_last")
        script.get("model", "dLdA.0", "dLdA0").get("model", f"dLdA.{last}", "dLdA_last")
        expected |= {
            "A0": Expectation("model.A[0]", DEBUG, inputs["A"], needs=(FORWARD,)),
            "A1": Expectation("model.A[1]", DEBUG, kept[1], needs=(FORWARD,)),
            "A_last": Expectation(f"model.A[{last}]", DEBUG, kept[-1], needs=(FORWARD,)),
            "dLdA0": Expectation("model.dLdA[0]", DEBUG, expected["dLdA"].value, needs=(INPUT,)),
            "dLdA_last": Expectation(f"model.dLdA[{last}]", DEBUG, upstream, needs=(INPUT,)),
        }
    return Case(f"{name}(debug=True) on {batch}×{widths[0]}", script, expected, inputs["A"].size, batch=batch)


def _draw(widths: tuple[int, ...], batch: int, g: np.random.Generator) -> tuple[dict[str, Array], Array]:
    """Draw input, parameters and upstream gradient, again until no gradient is all zeros.

    With few neurons a ReLU may stop all of them. Zeros would then be right, and an empty backward would earn points.
    """
    while True:
        inputs = {"A": oracle.draw(g, batch, widths[0])}
        for i, (before, after) in enumerate(pairwise(widths)):
            inputs |= {f"W{i}": oracle.draw(g, after, before), f"b{i}": oracle.draw(g, after, 1)}
        upstream = oracle.draw(g, batch, widths[-1])
        gradients = oracle.gradients(lambda t: _layers(t)[-1], inputs, upstream)
        if all(gradient.any() for gradient in gradients.values()):
            return inputs, upstream


def _layers(t: oracle.Tensors, mistake: str = "") -> list[torch.Tensor]:
    """The input, and what each Linear and each ReLU returns."""
    import torch

    found = [t["A"]]
    count = (len(t) - 1) // 2
    for i in range(count):
        found.append(found[-1] @ t[f"W{i}"].T + t[f"b{i}"].T)
        last = i == count - 1
        missing = mistake == "activations_missing" or (last and mistake == "last_activation_missing")
        found.append(found[-1] if missing else torch.relu(found[-1]))
    return found


def _intermediate(inputs: dict[str, Array]) -> list[Array]:
    import torch

    tensors = {name: torch.from_numpy(array) for name, array in inputs.items()}
    return [tensor.numpy() for tensor in _layers(tensors)]


def _expected(widths: tuple[int, ...], inputs: dict[str, Array], upstream: Array, old: bool) -> dict[str, Expectation]:
    batch = len(upstream)

    def output(mistake: str = "") -> Array:
        return oracle.value(lambda t: _layers(t, mistake)[-1], inputs)

    def gradients(mistake: str = "") -> dict[str, Array]:
        return oracle.gradients(lambda t: _layers(t, mistake)[-1], inputs, upstream)

    def guess(name: str, mistake: str) -> Guess:
        return lambda: gradients(mistake)[name] / (batch if old and name != "A" else 1)

    mistakes = ("activations_missing", "last_activation_missing")
    right = gradients()
    forward: dict[str, Guess] = {"activations_missing": lambda: output("activations_missing")}
    forward["last_activation_missing"] = lambda: output("last_activation_missing")
    expected = {
        "Z": Expectation("the output", FORWARD, output(), forward),
        "dLdA": Expectation(
            "dLdA", INPUT, right["A"], {mistake: guess("A", mistake) for mistake in mistakes}, needs=(FORWARD,)
        ),
    }
    for i in range(len(widths) - 1):
        for parameter, part in (("W", WEIGHT), ("b", BIAS)):
            name = f"{parameter}{i}"
            value = right[name] / (batch if old else 1)
            what = f"layers[{i if old else 2 * i}].dLd{parameter}"
            guesses = {mistake: guess(name, mistake) for mistake in mistakes}
            expected[f"dLd{name}"] = Expectation(what, part, value, guesses, needs=(FORWARD,))
    return expected
