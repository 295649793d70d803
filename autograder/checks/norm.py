"""Checks of batch normalization."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from autograder.checks import oracle
from autograder.checks.case import (
    BIAS,
    EDGES,
    EVALUATION,
    FORWARD,
    INPUT,
    NON_SQUARE,
    RUNNING,
    SHAPE,
    WEIGHT,
    Case,
    Dialect,
    Expectation,
    Family,
    Guess,
)
from autograder.checks.layer import Layer, Values, edges, generator, plain
from autograder.hints.norm import EPS, norm_guesses, running_guesses
from autograder.script import Script
from autograder.wire import Array

if TYPE_CHECKING:
    import torch

_SIZES: Mapping[int, list[tuple[int, ...]]] = {
    1: [(3, 1), (3, 2), (6, 4), (9, 3)],
    2: [(3, 1, 1, 1), (2, 2, 2, 2), (4, 3, 3, 3), (2, 1, 1, 2), (2, 2, 2, 3), (3, 4, 5, 2)],
}


def normalization(axes: int) -> Family:
    """BatchNorm1d or BatchNorm2d."""
    name = f"BatchNorm{axes}d"

    def build(seed: int, dialect: Dialect = "contract") -> list[Case]:
        g = generator(seed, name)
        layers = [_layer(name, shape) for shape in _SIZES[axes]]
        cases = [plain(layer, layer.draw(g)) for layer in layers]
        cases += [_running(layer, g) for layer in layers[1:3]]
        cases += [_evaluated(layers[2], g), _evaluated_between(layers[2], g)]
        return [*cases, *edges(layers[2], g)]

    parts = (SHAPE, FORWARD, INPUT, WEIGHT, BIAS, RUNNING, EVALUATION, *([NON_SQUARE] if axes == 2 else []), EDGES)
    return Family(name, parts, build)


def _layer(name: str, shape: tuple[int, ...], alpha: float = 0.8) -> Layer:
    space = tuple(axis for axis in range(len(shape)) if axis != 1)
    inner = tuple(size if axis == 1 else 1 for axis, size in enumerate(shape))

    def function(t: oracle.Tensors) -> torch.Tensor:
        Z = t["A"]
        M, V = Z.mean(space, keepdim=True), Z.var(space, correction=0, keepdim=True)
        return t["BW"] * (Z - M) / (V + EPS).sqrt() + t["Bb"]

    def guesses(values: Values) -> Mapping[str, Any]:
        return norm_guesses(values.inputs, values.dLdZ, values.gradients)

    def sample(g: np.random.Generator, shape: tuple[int, ...]) -> Array:
        return np.asarray(2 * g.standard_normal(shape) + 1)

    return Layer(name, (shape[1], alpha), shape, function, {"BW": inner, "Bb": inner}, "", guesses, sample)


def _statistics(A: Array) -> tuple[Array, Array]:
    space = tuple(axis for axis in range(A.ndim) if axis != 1)
    return A.mean(space, keepdims=True), A.var(space, keepdims=True)


def _running(layer: Layer, g: np.random.Generator) -> Case:
    """The running statistics after one batch and after two."""
    first, second = layer.draw(g), layer.draw(g)
    alpha = layer.args[1]
    script = Script().new("layer", layer.name, *layer.args)
    layer.give(script, "layer", first)
    M, V = np.zeros(layer.parameters["BW"]), np.ones(layer.parameters["BW"])
    expected, batches = {}, list[Array]()
    for values, suffix in ((first, "_1"), (second, "_2")):
        script.call("layer", "forward", values.A)
        script.get("layer", "running_M", f"M{suffix}").get("layer", "running_V", f"V{suffix}")
        batches.append(values.A)
        guesses = running_guesses(list(batches), M, V, alpha)
        batch_M, batch_V = _statistics(values.A)
        M, V = alpha * M + (1 - alpha) * batch_M, alpha * V + (1 - alpha) * batch_V
        expected[f"M{suffix}"] = Expectation(f"running_M after batch {suffix[1]}", RUNNING, M, guesses["M"])
        expected[f"V{suffix}"] = Expectation(f"running_V after batch {suffix[1]}", RUNNING, V, guesses["V"])
    return Case(f"{layer}, its running statistics", script, expected, first.A.size, batch=layer.shape[0])


def _evaluated(layer: Layer, g: np.random.Generator) -> Case:
    """An evaluation forward uses the running statistics, here set from outside, and does not update them."""
    first, second = layer.draw(g), layer.draw(g)
    alpha, shape = layer.args[1], layer.parameters["BW"]
    BW, Bb = first.inputs["BW"], first.inputs["Bb"]
    M, V = oracle.draw(g, *shape), np.abs(oracle.draw(g, *shape)) + 0.5
    batch_M, batch_V = _statistics(second.A)
    training_M, training_V = _statistics(first.A)
    Z = BW * (second.A - M) / np.sqrt(V + EPS) + Bb
    guesses: dict[str, Guess] = {
        "eval_uses_batch": lambda: BW * (second.A - batch_M) / np.sqrt(batch_V + EPS) + Bb,
        "eval_stale_input": lambda: BW * (first.A - training_M) / np.sqrt(training_V + EPS) + Bb,
        "eval_stale_input ": lambda: BW * (first.A - M) / np.sqrt(V + EPS) + Bb,
        "eps_large": lambda: BW * (second.A - M) / np.sqrt(V + 1e-5) + Bb,
        "eval_not_scaled": lambda: (second.A - M) / np.sqrt(V + EPS),
        "variance_not_rooted": lambda: BW * (second.A - M) / (V + EPS) + Bb,
    }
    script = Script().new("layer", layer.name, *layer.args)
    layer.give(script, "layer", first)
    script.call("layer", "forward", first.A).set("layer", "running_M", M).set("layer", "running_V", V)
    script.evaluate("layer", second.A, out="Z").get("layer", "running_M", "M").get("layer", "running_V", "V")
    expected = {
        "Z": Expectation("Z in evaluation", EVALUATION, Z, guesses, needs=(RUNNING,)),
        "M": Expectation(
            "running_M after evaluation", RUNNING, M, {"eval_updates": lambda: alpha * M + (1 - alpha) * batch_M}
        ),
        "V": Expectation(
            "running_V after evaluation", RUNNING, V, {"eval_updates": lambda: alpha * V + (1 - alpha) * batch_V}
        ),
    }
    return Case(f"{layer}, then forward with eval=True", script, expected, first.A.size, batch=layer.shape[0])


def _evaluated_between(layer: Layer, g: np.random.Generator) -> Case:
    """An evaluation forward between a training forward and its backward changes no gradient."""
    values, other = layer.draw(g), layer.with_batch(layer.shape[0] + 1).draw(g)
    script = Script().new("layer", layer.name, *layer.args)
    layer.give(script, "layer", values)
    script.call("layer", "forward", values.A).evaluate("layer", other.A)
    script.call("layer", "backward", values.dLdZ, out="dLdA")
    layer.read(script, "layer")
    expected = dataclasses.replace(layer, guesses=None).expectations(values, EDGES)
    del expected["Z"]
    words = f"{layer}, an evaluation forward between forward and backward"
    return Case(words, script, expected, values.A.size, "state_overwritten", layer.shape[0])
