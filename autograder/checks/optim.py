"""Checks of the optimizers, on plain objects that hold W, b and their gradients."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from autograder.checks import oracle
from autograder.checks.case import BIASES, EDGES, FIRST, LATER, Case, Dialect, Expectation, Family, Guess
from autograder.checks.layer import generator
from autograder.hints.optim import Update, mistaken
from autograder.script import Holder, Kept, Script
from autograder.wire import Array

if TYPE_CHECKING:
    import torch

_SHAPES = ((2, 3), (1, 2))
_STEPS = 4
_SETTINGS: Mapping[str, list[dict[str, Any]]] = {
    "SGD": [{"lr": 0.1}, {"lr": 0.05, "momentum": 0.8}],
    "Adam": [{"lr": 0.01}, {"lr": 0.1, "beta1": 0.7, "beta2": 0.9, "eps": 1e-2}],
    "AdamW": [{"lr": 0.01}, {"lr": 0.1, "beta1": 0.7, "beta2": 0.9, "eps": 1e-2, "weight_decay": 0.2}],
}


def optimizer(name: str) -> Family:
    """SGD, Adam or AdamW."""

    def build(seed: int, dialect: Dialect = "contract") -> list[Case]:
        g = generator(seed, name)
        cases = [
            *(_steps(name, settings, g) for settings in _SETTINGS[name]),
            _several(name, dialect, g),
            _gradient_kept(name, g),
        ]
        return [*cases, *([_listed(name, g)] if dialect in ("bonus", "hw1p1") else [])]

    return Family(name, (FIRST, LATER, BIASES, EDGES), build)


def _torch(name: str, settings: Mapping[str, Any], parameters: list[torch.Tensor]) -> torch.optim.Optimizer:
    import torch

    if name == "SGD":
        return torch.optim.SGD(parameters, lr=settings["lr"], momentum=settings.get("momentum", 0))
    betas = (settings.get("beta1", 0.9), settings.get("beta2", 0.999))
    eps = settings.get("eps", 1e-8)
    if name == "Adam":
        return torch.optim.Adam(parameters, settings["lr"], betas, eps)
    return torch.optim.AdamW(parameters, settings["lr"], betas, eps, settings.get("weight_decay", 0.01))


def _trajectory(name: str, settings: Mapping[str, Any], start: Array, gradients: list[Array]) -> list[Array]:
    """The parameter after each step."""
    import torch

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
    """Several steps of one layer, with new gradients each."""
    layers, gradients = _layers(g)
    layers, gradients = layers[:1], [step[:1] for step in gradients]
    script = _model(layers, gradients[0]).new("optimizer", name, Kept("model"), **settings)
    expected: dict[str, Expectation] = {}
    for step in range(_STEPS):
        if step:
            for attribute, array in gradients[step][0].items():
                script.set("model", f"layers.0.{attribute}", array)
        script.call("optimizer", "step")
        if step in (0, _STEPS - 1):
            for attribute in ("W", "b"):
                script.get("model", f"layers.0.{attribute}", f"{attribute}_{step}")
    for attribute, start in layers[0].items():
        history = [gradient[0][f"dLd{attribute}"] for gradient in gradients]
        right = _trajectory(name, settings, start, history)
        for step in (0, _STEPS - 1):
            part = BIASES if attribute == "b" else FIRST if step == 0 else LATER
            # What is wrong at the first step or for the weights is not charged again.
            needs = {FIRST: (), LATER: (FIRST,), BIASES: (FIRST, LATER)}[part]
            guesses = _guesses(name, settings, start, history, step)
            what = f"layers[0].{attribute} after step {step + 1}"
            expected[f"{attribute}_{step}"] = Expectation(what, part, right[step], guesses, needs=needs)
    words = ", ".join(f"{key}={value}" for key, value in settings.items())
    return Case(f"{name}(model, {words}), {_STEPS} steps", script, expected, 8)


def _model(layers: list[dict[str, Array]], gradients: list[dict[str, Array]], between: bool = False) -> Script:
    """A model with these layers; `between` puts a layer without parameters after each, as an activation is."""
    holders: list[Holder] = []
    for layer, given in zip(layers, gradients, strict=True):
        holders += [Holder({**layer, **given}), *([Holder({})] if between else [])]
    return Script().keep("model", Holder({"layers": holders}))


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


def _several(name: str, dialect: Dialect, g: np.random.Generator) -> Case:
    """Two layers, with activations between them except in the old dialect."""
    layers, gradients = _layers(g)
    between = dialect != "hw1p1-old"
    script = _model(layers, gradients[0], between).new("optimizer", name, Kept("model"), lr=0.1)
    script.call("optimizer", "step")
    second = 2 if between else 1
    script.get("model", "layers.0.W", "W0").get("model", f"layers.{second}.W", "W1")
    right = [
        _trajectory(name, {"lr": 0.1}, layer["W"], [gradient["dLdW"]])[0]
        for layer, gradient in zip(layers, gradients[0], strict=True)
    ]
    expected = {
        "W0": Expectation("layers[0].W", EDGES, right[0], needs=(FIRST,)),
        "W1": Expectation(f"layers[{second}].W", EDGES, right[1], needs=(FIRST,)),
    }
    words = "two layers and an activation after each" if between else "two layers"
    return Case(f"{name}(model, lr=0.1), {words}", script, expected, 8, "several_layers")


def _gradient_kept(name: str, g: np.random.Generator) -> Case:
    """A step leaves the gradients as they are."""
    layers, gradients = _layers(g)
    script = _model(layers[:1], gradients[0][:1]).new("optimizer", name, Kept("model"), lr=0.1)
    script.call("optimizer", "step").get("model", "layers.0.dLdW", "dLdW")
    right = gradients[0][0]["dLdW"]
    expected = {"dLdW": Expectation("layers[0].dLdW afterwards", EDGES, right, exact=True)}
    return Case(f"{name}(model, lr=0.1), the gradients afterwards", script, expected, 8, "gradient_changed")


def _listed(name: str, g: np.random.Generator) -> Case:
    """The optimizer keeps the list of layers that it steps as `l`."""
    layers, gradients = _layers(g)
    script = _model(layers, gradients[0], True).new("optimizer", name, Kept("model"), lr=0.1)
    script.get("optimizer", "l.0.W", "W0").get("optimizer", "l.1.W", "W1")
    expected = {
        "W0": Expectation("optimizer.l[0].W", EDGES, layers[0]["W"]),
        "W1": Expectation("optimizer.l[1].W", EDGES, layers[1]["W"]),
    }
    return Case(f"{name}(model, lr=0.1), its list l", script, expected, 8, "optimizer_list")
