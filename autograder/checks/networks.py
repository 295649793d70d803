"""Checks of the CNN model."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np

from autograder.checks import oracle
from autograder.checks.case import (
    BIAS,
    DEPTHS,
    EDGES,
    FORWARD,
    INITIALIZERS,
    INPUT,
    SHAPE,
    STEP,
    WEIGHT,
    Case,
    Dialect,
    Expectation,
    Family,
    Guess,
)
from autograder.checks.layer import generator, given
from autograder.sandbox.steps import filled
from autograder.script import Fill, Made, Script
from autograder.wire import Array

if TYPE_CHECKING:
    import torch

_SALTS = (0.1, 0.7, 1.3)
"""For the initializers of the convolutions' weights, of the biases and of the linear layer's weights."""

Weights = dict[str, Array]


@dataclasses.dataclass(frozen=True)
class Shape:
    """The sizes of one network. `channels` begins with the input's."""

    batch: int
    width: int
    channels: tuple[int, ...]
    kernels: tuple[int, ...]
    strides: tuple[int, ...]
    classes: int
    activations: tuple[str, ...]
    lr: float = 0.05

    def __str__(self) -> str:
        chain = ", ".join(
            f"{c} channels by kernel {k}, stride {s}, {a}"
            for c, k, s, a in zip(self.channels[1:], self.kernels, self.strides, self.activations, strict=True)
        )
        return f"CNN on {self.batch}×{self.channels[0]}×{self.width} ({chain}; {self.classes} classes)"

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shapes of the parameters: W0, b0, W1, ..., and W and b of the linear layer."""
        found: dict[str, tuple[int, ...]] = {}
        width = self.width
        for i, (before, after, kernel, stride) in enumerate(
            zip(self.channels[:-1], self.channels[1:], self.kernels, self.strides, strict=True)
        ):
            found[f"W{i}"], found[f"b{i}"] = (after, before, kernel), (after,)
            width = (width - kernel) // stride + 1
        return {**found, "W": (self.classes, self.channels[-1] * width), "b": (self.classes, 1)}

    def draw(self, g: np.random.Generator) -> Weights:
        """Parameters to set from outside."""
        return {name: oracle.draw(g, *shape) / 2 for name, shape in self.shapes().items()}

    def initialized(self) -> Weights:
        """The parameters that the initializers give."""
        conv, bias, linear = _SALTS
        salts = {"W": linear, "b": bias}
        return {
            name: filled(
                shape[:1] if name == "b" else shape, salts.get(name, conv if name[0] == "W" else bias)
            ).reshape(shape)
            for name, shape in self.shapes().items()
        }

    def paths(self) -> dict[str, str]:
        """Where a model keeps each parameter."""
        layers = range(len(self.kernels))
        found = {f"{name}{i}": f"convolutional_layers.{i}.conv1d_stride1.{name}" for i in layers for name in ("W", "b")}
        return {**found, "W": "linear_layer.W", "b": "linear_layer.b"}

    def forward(self, t: oracle.Tensors, mistake: str = "") -> torch.Tensor:
        """The logits."""
        import torch

        A = t["A"]
        for i, (stride, activation) in enumerate(zip(self.strides, self.activations, strict=True)):
            A = oracle.convolve(A, t[f"W{i}"], t[f"b{i}"], stride)
            last = i == len(self.strides) - 1
            if mistake != "activations_missing" and not (last and mistake == "last_activation_missing"):
                A = getattr(torch, activation.lower())(A)
        flat = A.transpose(1, 2).flatten(1) if mistake == "flatten_order" else A.flatten(1)
        Z = flat @ t["W"].T
        if mistake != "bias_forgotten":
            Z = Z + t["b"].T
        return torch.softmax(Z, 1) if mistake == "softmax_in_forward" else Z

    def gradients(self, weights: Weights, A: Array, Y: Array, mistake: str = "") -> Weights:
        """The gradients of the loss at the input, A, and at every parameter."""

        import torch
        from torch.nn import functional as F

        def loss(t: oracle.Tensors) -> torch.Tensor:
            return F.cross_entropy(self.forward(t, mistake), torch.from_numpy(Y))

        return oracle.gradients(loss, {**weights, "A": A}, np.ones(()))

    def new(self, script: Script) -> Script:
        """Add the step that constructs it."""
        conv, bias, linear = _SALTS
        return script.new(
            "model", "CNN", self.width, self.channels[0], list(self.channels[1:]), list(self.kernels),
            list(self.strides), self.classes, [Made(name) for name in self.activations],
            Fill(conv), Fill(bias), Fill(linear), Made("CrossEntropyLoss"), self.lr,
        )  # fmt: skip

    def set(self, script: Script, values: Weights, prefix: str = "") -> Script:
        """Add the steps that replace the parameters, or with the prefix dLd their gradients."""
        for name, path in self.paths().items():
            *where, attribute = path.split(".")
            script.set("model", ".".join([*where, prefix + attribute]), values[name])
        return script


# Three convolutions as in the published tests; other depths have a part of their own.
_SHAPES = (
    Shape(1, 10, (1, 2, 2, 1), (3, 2, 2), (1, 2, 1), 2, ("Tanh", "ReLU", "Sigmoid")),
    Shape(3, 30, (4, 5, 3, 6), (5, 4, 3), (2, 3, 1), 7, ("Tanh", "ReLU", "Sigmoid")),
)
_OTHER_DEPTHS = (
    Shape(1, 6, (1, 2), (3,), (1,), 2, ("Tanh",)),
    Shape(2, 11, (2, 3, 4), (3, 2), (2, 1), 3, ("Tanh", "ReLU")),
    Shape(2, 16, (2, 3, 2, 3, 2), (3, 2, 2, 3), (1, 2, 1, 1), 3, ("Tanh", "ReLU", "Tanh", "Sigmoid")),
)
_MISTAKES = (
    "activations_missing",
    "last_activation_missing",
    "flatten_order",
    "bias_forgotten",
    "softmax_in_forward",
)


def cnn() -> Family:
    """The course's CNN: convolutions and activations, Flatten, Linear and cross entropy."""

    def build(seed: int, dialect: Dialect = "contract") -> list[Case]:
        g = generator(seed, "CNN")
        cases = [_once(shape, g) for shape in _SHAPES]
        cases += [_once(shape, g, DEPTHS) for shape in _OTHER_DEPTHS]
        return [
            *cases,
            _initialized(_SHAPES[1]),
            _stepped(_SHAPES[0], g),
            _zeroed(_SHAPES[0], g),
            _trained(_SHAPES[1], g),
        ]

    parts = (SHAPE, FORWARD, INPUT, WEIGHT, BIAS, STEP, INITIALIZERS, DEPTHS, EDGES)
    return Family("CNN", parts, build, ("CrossEntropyLoss", "Tanh", "ReLU", "Sigmoid"))


def _batch(shape: Shape, g: np.random.Generator) -> tuple[Array, Array]:
    A = oracle.draw(g, shape.batch, shape.channels[0], shape.width)
    return A, np.asarray(np.eye(shape.classes)[g.integers(0, shape.classes, shape.batch)])


def _once(shape: Shape, g: np.random.Generator, part: str = "") -> Case:
    """Forward and backward with parameters set from outside; compare every gradient."""
    (A, Y), weights = _batch(shape, g), shape.draw(g)
    right = shape.gradients(weights, A, Y)
    script = shape.set(shape.new(Script()), weights)
    script.call("model", "forward", A, out="Z").call("model", "backward", Y, out="dLdA")

    def logits(mistake: str) -> Guess:
        return lambda: oracle.value(lambda t: shape.forward(t, mistake), {**weights, "A": A})

    def needs(own: str) -> tuple[str, ...]:
        return (own, FORWARD) if part else () if own == FORWARD else (FORWARD,)

    Z = oracle.value(shape.forward, {**weights, "A": A})
    guesses = {mistake: logits(mistake) for mistake in _MISTAKES}
    expected = {
        "Z": Expectation("the logits", part or FORWARD, Z, guesses, needs=needs(FORWARD)),
        "dLdA": Expectation(
            "dLdA", part or INPUT, right["A"], _gradient_guesses(shape, weights, A, Y, "A"), needs=needs(INPUT)
        ),
    }
    for name, path in shape.paths().items():
        own, out = WEIGHT if name.startswith("W") else BIAS, f"dLd{name}"
        *where, attribute = path.split(".")
        script.get("model", ".".join([*where, f"dLd{attribute}"]), out)
        what = f"{'.'.join(where)}.dLd{attribute}"
        guesses = _gradient_guesses(shape, weights, A, Y, name)
        expected[out] = Expectation(what, part or own, right[name], guesses, needs=needs(own))
    return Case(str(shape), script, expected, A.size, batch=shape.batch)


def _gradient_guesses(shape: Shape, weights: Weights, A: Array, Y: Array, name: str) -> dict[str, Guess]:
    def guess(mistake: str) -> Guess:
        return lambda: shape.gradients(weights, A, Y, mistake)[name]

    found = {mistake: guess(mistake) for mistake in _MISTAKES}
    right = shape.gradients(weights, A, Y)[name]
    if shape.batch > 1:
        found |= {"batch_not_divided": lambda: right * shape.batch, "batch_divided": lambda: right / shape.batch}
    return found


def _initialized(shape: Shape) -> Case:
    """Every initializer is used for its own parameters."""
    script = shape.new(Script())
    weights = shape.initialized()
    expected = {}
    for name, path in shape.paths().items():
        script.get("model", path, name)
        function = (
            "bias_init_fn" if name[0] == "b" else "linear_weight_init_fn" if name == "W" else "conv_weight_init_fn"
        )
        zeros = given(np.zeros_like(weights[name]))
        expected[name] = Expectation(
            f"{path} from {function}", INITIALIZERS, weights[name], {"initializer_ignored": zeros}
        )
    return Case(f"{shape}, just constructed", script, expected, 1, "initializer_ignored")


def _stepped(shape: Shape, g: np.random.Generator) -> Case:
    """Two steps with gradients set from outside: W - lr dLdW."""
    (A, Y), weights = _batch(shape, g), shape.draw(g)
    script = shape.set(shape.new(Script()), weights)
    script.attempt("model", "forward", A).attempt("model", "backward", Y)
    expected = {}
    for number in (1, 2):
        gradients = shape.draw(g)
        shape.set(script, gradients, "dLd").call("model", "step")
        after = {name: array - shape.lr * gradients[name] for name, array in weights.items()}
        for name, path in shape.paths().items():
            script.get("model", path, f"{name}_{number}")
            guesses = _step_guesses(weights[name], gradients[name], shape)
            expected[f"{name}_{number}"] = Expectation(f"{path} after step {number}", STEP, after[name], guesses)
        weights = after
    return Case(f"{shape}, two steps", script, expected, A.size)


def _step_guesses(start: Array, gradient: Array, shape: Shape) -> dict[str, Guess]:
    found = {
        "step_upwards": start + shape.lr * gradient,
        "lr_forgotten": start - gradient,
        "step_missing": start,
        "batch_divided": start - shape.lr * gradient / max(shape.batch, 2),
    }
    return {mistake: given(array) for mistake, array in found.items()}


def _trained(shape: Shape, g: np.random.Generator) -> Case:
    """Two rounds of a training loop: the logits afterwards."""
    weights = shape.draw(g)
    script = shape.set(shape.new(Script()), weights)
    for number in (1, 2):
        A, Y = _batch(shape, g)
        if number == 2:
            script.attempt("model", "zero_grads")
        script.call("model", "forward", A).call("model", "backward", Y).call("model", "step")
        right = shape.gradients(weights, A, Y)
        weights = {name: array - shape.lr * right[name] for name, array in weights.items()}
    A, _ = _batch(shape, g)
    script.call("model", "forward", A, out="Z")
    Z = oracle.value(shape.forward, {**weights, "A": A})
    needs = (FORWARD, INPUT, WEIGHT, BIAS, STEP)
    expected = {"Z": Expectation("the logits after two steps of training", EDGES, Z, needs=needs)}
    return Case(f"{shape}, two steps of training", script, expected, A.size, "repeated")


def _zeroed(shape: Shape, g: np.random.Generator) -> Case:
    """zero_grads leaves zeros after a backward; train and eval exist."""
    A, Y = _batch(shape, g)
    script = shape.new(Script()).call("model", "train").call("model", "forward", A).call("model", "backward", Y)
    script.call("model", "zero_grads").call("model", "eval")
    script.get("model", "linear_layer.dLdW", "dLdW").get("model", "convolutional_layers.0.conv1d_stride1.dLdW", "dLdW0")
    shapes = shape.shapes()
    expected = {
        "dLdW": Expectation("linear_layer.dLdW after zero_grads", EDGES, np.zeros(shapes["W"])),
        "dLdW0": Expectation("the first dLdW after zero_grads", EDGES, np.zeros(shapes["W0"])),
    }
    return Case(f"{shape}, zero_grads", script, expected, A.size, "zero_grads")
