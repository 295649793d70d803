"""Checks of the optimisers, on plain objects that hold W, b and their gradients."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch

from autograder.checks import oracle
from autograder.checks.case import EDGES, Case, Expectation, Family, Guess
from autograder.checks.layer import generator
from autograder.hints.optim import Update, mistaken
from autograder.script import Holder, Kept, Script
from autograder.wire import Array

FIRST, LATER, BIASES = "first step", "later steps", "biases"
_SHAPES = ((2, 3), (1, 2))
_STEPS = 4
_SETTINGS: Mapping[str, list[dict[str, Any]]] = {
    "SGD": [{"lr": 0.1}, {"lr": 0.05, "momentum": 0.8}],
    "Adam": [{"lr": 0.01}, {"lr": 0.1, "beta1": 0.7, "beta2": 0.9, "eps": 1e-2}],
    "AdamW": [{"lr": 0.01}, {"lr": 0.1, "beta1": 0.7, "beta2": 0.9, "eps": 1e-2, "weight_decay": 0.2}],
}


def optimiser(name: str) -> Family:
    """SGD, Adam or AdamW."""

    def build(seed: int) -> list[Case]:
        g = generator(seed, name)
        return [_steps(name, settings, g) for settings in _SETTINGS[name]] + [_bystanders(name, g)]

    return Family(name, (FIRST, LATER, BIASES, EDGES), build)


def _torch(name: str, settings: Mapping[str, Any], parameters: list[torch.Tensor]) -> torch.optim.Optimizer:
    if name == "SGD":
        return torch.optim.SGD(parameters, lr=settings["lr"], momentum=settings.get("momentum", 0))
    betas = (settings.get("beta1", 0.9), settings.get("beta2", 0.999))
    eps = settings.get("eps", 1e-8)
    if name == "Adam":
        return torch.optim.Adam(parameters, settings["lr"], betas, eps)
    return torch.optim.AdamW(parameters, settings["lr"], betas, eps, settings.get("weight_decay", 0.01))


def _trajectory(name: str, settings: Mapping[str, Any], start: Array, gradients: list[Array]) -> list[Array]:
    """The parameter after each step."""
    parameter = torch.from_numpy(start.copy()).requires_grad_()
    stepper = _torch(name, settings, [parameter])
    found = []
    for gradient in gradients:
        parameter.grad = torch.from_numpy(gradient.copy())
        stepper.step()
        found.append(parameter.detach().numpy().copy())
    return found


def _layers(g: np.random.Generator) -> tuple[list[dict[str, Array]], list[list[dict[str, Array]]]]:
    """Parameters of each layer, and for each step the gradients of each layer."""

    def drawn(prefix: str) -> list[dict[str, Array]]:
        return [{f"{prefix}W": oracle.draw(g, o, i), f"{prefix}b": oracle.draw(g, o, 1)} for o, i in _SHAPES]

    return drawn(""), [drawn("dLd") for _ in range(_STEPS)]


def _steps(name: str, settings: dict[str, Any], g: np.random.Generator) -> Case:
    """Several steps with new gradients each."""
    layers, gradients = _layers(g)
    script = _model(layers, gradients[0]).new("optimiser", name, Kept("model"), **settings)
    expected: dict[str, Expectation] = {}
    for step in range(_STEPS):
        if step:
            for i, given in enumerate(gradients[step]):
                for attribute, array in given.items():
                    script.set("model", f"layers.{i}.{attribute}", array)
        script.call("optimiser", "step")
        if step in (0, _STEPS - 1):
            for i in range(len(layers)):
                for attribute in ("W", "b"):
                    script.get("model", f"layers.{i}.{attribute}", f"{attribute}{i}_{step}")
    for i, layer in enumerate(layers):
        for attribute, start in layer.items():
            history = [gradient[i][f"dLd{attribute}"] for gradient in gradients]
            right = _trajectory(name, settings, start, history)
            for step in (0, _STEPS - 1):
                part = BIASES if attribute == "b" else FIRST if step == 0 else LATER
                guesses = _guesses(name, settings, start, history, step)
                what = f"layers[{i}].{attribute} after step {step + 1}"
                expected[f"{attribute}{i}_{step}"] = Expectation(what, part, right[step], guesses)
    words = ", ".join(f"{key}={value}" for key, value in settings.items())
    return Case(f"{name}(model, {words}), {_STEPS} steps", script, expected, 8)


def _model(layers: list[dict[str, Array]], gradients: list[dict[str, Array]], more: tuple[Holder, ...] = ()) -> Script:
    holders = [Holder({**layer, **given}) for layer, given in zip(layers, gradients, strict=True)]
    return Script().keep("model", Holder({"layers": [*holders, *more]}))


def _guesses(
    name: str, settings: Mapping[str, Any], start: Array, gradients: list[Array], step: int
) -> dict[str, Guess]:
    def after(update: Callable[..., Update]) -> Guess:
        def run() -> Array:
            W, state = start, update(settings)
            for t, gradient in enumerate(gradients[: step + 1], 1):
                W = state(W, gradient, t)
            return W

        return run

    return {mistake: after(update) for mistake, update in mistaken(name).items()} | {"step_missing": lambda: start}


def _bystanders(name: str, g: np.random.Generator) -> Case:
    """Layers without parameters are passed over, and gradients are left alone."""
    layers, gradients = _layers(g)
    script = _model(layers, gradients[0], (Holder({}),)).new("optimiser", name, Kept("model"), lr=0.1)
    script.call("optimiser", "step").get("model", "layers.0.W", "W").get("model", "layers.0.dLdW", "dLdW")
    right = _trajectory(name, {"lr": 0.1}, layers[0]["W"], [gradients[0][0]["dLdW"]])[0]
    expected = {
        "W": Expectation("layers[0].W", EDGES, right),
        "dLdW": Expectation("layers[0].dLdW afterwards", EDGES, gradients[0][0]["dLdW"], exact=True),
    }
    return Case(f"{name}(model, lr=0.1) where one layer has no W", script, expected, 8, "layer_without_W")
