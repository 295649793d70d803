"""Checks of the activations."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np

from autograder.checks import oracle
from autograder.checks.case import (
    EDGES,
    FORWARD,
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

if TYPE_CHECKING:
    import torch

_PARTS = (SHAPE, FORWARD, INPUT, EDGES)


def _activate(name: str, Z: torch.Tensor) -> torch.Tensor:
    """The activation, in PyTorch."""
    import torch
    from torch.nn import functional as F

    match name:
        case "GELU":
            return F.gelu(Z)
        case "Softmax":
            return torch.softmax(Z, 1)
    activate: Callable[[torch.Tensor], torch.Tensor] = getattr(torch, name.lower())
    return activate(Z)


def _gelu_by_tanh(t: oracle.Tensors) -> torch.Tensor:
    from torch.nn import functional as F

    return F.gelu(t["A"], approximate="tanh")


def activation(name: str) -> Family:
    """An activation without parameters, by its class name."""

    def layer(*shape: int, sample: Callable[[np.random.Generator, tuple[int, ...]], Array] | None = None) -> Layer:
        def guesses(values: Values) -> Mapping[str, Guesses]:
            return _guesses(name, values)

        return _layer(name, shape, guesses, sample)

    def build(seed: int, dialect: Dialect = "contract") -> list[Case]:
        g = generator(seed, name)
        layers = [layer(1, 2), layer(2, 3), layer(4, 5), layer(7, 2)]
        if dialect == "hw1p1-old":
            layers = [dataclasses.replace(one, derivative=True) for one in layers]
            return [*(plain(one, one.draw(g)) for one in layers), *edges(layers[2], g)]
        if name != "Softmax":
            layers.append(layer(2, 3, 4, 5))
        cases = [plain(one, one.draw(g)) for one in layers]
        return [*cases, *edges(layers[2], g), _far_out(name)]

    return Family(name, _PARTS, build)


def _layer(
    name: str,
    shape: tuple[int, ...],
    guesses: Callable[[Values], Mapping[str, Guesses]] | None = None,
    sample: Callable[[np.random.Generator, tuple[int, ...]], Array] | None = None,
) -> Layer:
    if name == "Identity":
        return Layer(name, (), shape, lambda t: t["A"] * 1, guesses=guesses, sample=sample, affine=True)
    return Layer(name, (), shape, lambda t: _activate(name, t["A"]), guesses=guesses, sample=sample)


def swish() -> Family:
    """Swish(), with a learned beta."""

    def layer(*shape: int) -> Layer:
        return Layer(
            "Swish", (), shape, lambda t: t["A"] * (t["beta"] * t["A"]).sigmoid(), {"beta": ()},
            guesses=_swish_guesses,
        )  # fmt: skip

    def build(seed: int, dialect: Dialect = "contract") -> list[Case]:
        g = generator(seed, "Swish")
        layers = [layer(1, 2), layer(2, 3), layer(4, 5), layer(2, 3, 4)]
        return [*(plain(one, one.draw(g)) for one in layers), *edges(layers[2], g)]

    return Family("Swish", (SHAPE, FORWARD, INPUT, WEIGHT, EDGES), build)


def _far_out(name: str) -> Case:
    """Zero, and large numbers, where a naive exponential overflows."""
    A = np.array([[-750.0, 0.0, 750.0], [30.0, -30.0, 2.0]])
    dLdZ = np.array([[1.0, 2.0, 3.0], [0.5, -1.0, 2.0]])
    values = _layer(name, A.shape).values({"A": A}, dLdZ)
    script = (
        Script().new("layer", name).call("layer", "forward", A, out="Z").call("layer", "backward", dLdZ, out="dLdA")
    )
    expected = {
        "Z": Expectation("Z", EDGES, values.Z, needs=(FORWARD,)),
        "dLdA": Expectation("dLdA", EDGES, values.gradients["A"], needs=(INPUT,)),
    }
    return Case(f"{name}() at -750, 0 and 750", script, expected, A.size, "far_out", 2)


def _guesses(name: str, values: Values) -> Mapping[str, Guesses]:
    Z, out, dLdA = values.A, values.Z, values.dLdZ
    forward: dict[str, Guess] = {"not_activated": lambda: Z}
    backward: dict[str, Guess] = {
        "chain_forgotten": lambda: values.gradients["A"] / np.where(dLdA == 0, 1, dLdA),
        "derivative_forgotten": lambda: dLdA,
        "batch_divided": lambda: values.gradients["A"] / len(Z),
    }
    match name:
        case "Sigmoid":
            forward["sign_wrong"] = lambda: 1 / (1 + np.exp(Z))
            backward["derivative_of_input"] = lambda: dLdA * Z * (1 - Z)
            backward["derivative_sigmoid"] = lambda: dLdA * out
        case "Tanh":
            backward["derivative_of_input"] = lambda: dLdA * (1 - Z**2)
            backward["derivative_tanh"] = lambda: dLdA * (1 - out)
        case "ReLU":
            forward["relu_absolute"] = lambda: np.abs(Z)
            forward["relu_leaky"] = lambda: np.where(Z > 0, Z, 0.01 * Z)
            backward["relu_of_gradient"] = lambda: np.maximum(dLdA, 0)
            backward["relu_mask_wrong"] = lambda: np.where(Z <= 0, dLdA, 0)
            backward["relu_times_output"] = lambda: dLdA * out
        case "GELU":
            inner = np.sqrt(2 / np.pi) * (Z + 0.044715 * Z**3)
            forward["gelu_tanh"] = lambda: Z * (1 + np.tanh(inner)) / 2
            tanh_Phi = (1 + np.tanh(inner)) / 2
            backward["gelu_tanh "] = lambda: dLdA * (tanh_Phi + Z * np.exp(-(Z**2) / 2) / np.sqrt(2 * np.pi))
            backward["gelu_half"] = lambda: dLdA * oracle.calculate(lambda z: 0.5 * (1 + (z / 2**0.5).erf()), Z)
            backward["gelu_tanh"] = lambda: oracle.gradients(_gelu_by_tanh, {"A": Z}, dLdA)["A"]
        case "Softmax":
            forward["softmax_axis"] = lambda: oracle.calculate(lambda z: z.softmax(0), Z)
            by_row = np.exp(Z - Z.max(1, keepdims=True)) / np.exp(Z - Z.max(1, keepdims=True)).sum(0)
            forward["softmax_axis "] = lambda: by_row
            backward["softmax_axis  "] = lambda: by_row * (dLdA - (dLdA * by_row).sum(1, keepdims=True))
            forward["softmax_all"] = lambda: np.exp(Z) / np.exp(Z).sum()
            over_batch = np.exp(Z - Z.max(0)) / np.exp(Z - Z.max(0)).sum(0)
            backward["softmax_axis"] = lambda: over_batch * (dLdA - (dLdA * over_batch).sum(1, keepdims=True))
            backward["softmax_axis "] = lambda: over_batch * (dLdA - (dLdA * over_batch).sum(0, keepdims=True))
            backward["softmax_diagonal"] = lambda: dLdA * out * (1 - out)
            backward["softmax_sum"] = lambda: out * (dLdA - dLdA.sum(1, keepdims=True))
    return {"Z": forward, "dLdA": backward}


def _swish_guesses(values: Values) -> Mapping[str, Guesses]:
    Z, beta, dLdA = values.A, values.inputs["beta"], values.dLdZ
    S, S1 = 1 / (1 + np.exp(-beta * Z)), 1 / (1 + np.exp(-Z))
    return {
        "Z": {"swish_beta_ignored": lambda: Z * S1, "swish_sigmoid_only": lambda: S},
        "dLdA": {
            "swish_beta_ignored": lambda: dLdA * (S1 + Z * S1 * (1 - S1)),
            "swish_beta_ignored ": lambda: dLdA * (S1 + beta * Z * S1 * (1 - S1)),
            "swish_beta_backward": lambda: dLdA * (S + Z * S * (1 - S)),
        },
        "dLdbeta": {
            "swish_beta_ignored": lambda: np.sum(dLdA * Z**2 * S1 * (1 - S1)),
            "batch_divided": lambda: values.gradients["beta"] / len(Z),
            "swish_beta_mean": lambda: values.gradients["beta"] / Z.size,
            "swish_beta_unsummed": lambda: dLdA * Z**2 * S * (1 - S),
            "swish_beta_once": lambda: np.sum(dLdA * Z * S * (1 - S)),
        },
    }
