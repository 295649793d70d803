"""Checks of the CNN model."""

import dataclasses
from collections.abc import Callable, Mapping

import numpy as np
import torch
from torch.nn import functional as F

from autograder.checks import oracle
from autograder.checks.case import BIAS, EDGES, FORWARD, INPUT, SHAPE, WEIGHT, Case, Expectation, Family, Guess
from autograder.checks.layer import generator, given
from autograder.sandbox.worker import filled
from autograder.script import Fill, Made, Script
from autograder.wire import Array

STEP = "step"
_ACTIVATIONS: Mapping[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "Tanh": torch.tanh,
    "ReLU": torch.relu,
    "Sigmoid": torch.sigmoid,
}
_SALTS = (0.1, 0.7, 1.3)  # of the convolutions' weights, of the biases, of the linear layer's weights


@dataclasses.dataclass(frozen=True)
class Shape:
    """The numbers of one network."""

    batch: int
    width: int
    channels: tuple[int, ...]  # the input's, and each convolution's
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

    def weights(self) -> dict[str, Array]:
        """What the initialisers give, by layer: W0, b0, W1, ..., and W and b of the linear layer."""
        conv, bias, linear = _SALTS
        found, width = {}, self.width
        for i, (before, after, kernel, stride) in enumerate(
            zip(self.channels[:-1], self.channels[1:], self.kernels, self.strides, strict=True)
        ):
            found[f"W{i}"], found[f"b{i}"] = filled((after, before, kernel), conv), filled((after,), bias)
            width = (width - kernel) // stride + 1
        found["W"] = filled((self.classes, self.channels[-1] * width), linear)
        found["b"] = filled((self.classes,), bias)
        return found

    def forward(self, t: oracle.Tensors, mistake: str = "") -> torch.Tensor:
        """The logits."""
        A = t["A"]
        for i, (stride, activation) in enumerate(zip(self.strides, self.activations, strict=True)):
            A = oracle.convolve(A, t[f"W{i}"], t[f"b{i}"], stride)
            last = i == len(self.strides) - 1
            if mistake != "activations_missing" and not (last and mistake == "last_activation_missing"):
                A = _ACTIVATIONS[activation](A)
        flat = A.transpose(1, 2).flatten(1) if mistake == "flatten_order" else A.flatten(1)
        return flat @ t["W"].T + (0 if mistake == "bias_forgotten" else t["b"])

    def new(self, script: Script) -> Script:
        """Add the step that constructs it."""
        conv, bias, linear = _SALTS
        return script.new(
            "model", "CNN", self.width, self.channels[0], list(self.channels[1:]), list(self.kernels),
            list(self.strides), self.classes, [Made(name) for name in self.activations],
            Fill(conv), Fill(bias), Fill(linear), Made("CrossEntropyLoss"), self.lr,
        )  # fmt: skip


_SHAPES = (
    Shape(1, 6, (1, 2), (3,), (1,), 2, ("Tanh",)),
    Shape(2, 11, (2, 3, 4), (3, 2), (2, 1), 3, ("Tanh", "ReLU")),
    Shape(3, 30, (4, 5, 3, 6), (5, 4, 3), (2, 3, 1), 7, ("Tanh", "ReLU", "Sigmoid")),
)


def cnn() -> Family:
    """The CNN of a course: convolutions, activations, Flatten, Linear, cross entropy."""

    def build(seed: int) -> list[Case]:
        g = generator(seed, "CNN")
        cases = [_once(shape, g) for shape in _SHAPES]
        return [*cases, *(_trained(shape, g) for shape in _SHAPES[1:]), _zeroed(_SHAPES[1], g)]

    return Family("CNN", (SHAPE, FORWARD, INPUT, WEIGHT, BIAS, STEP, EDGES), build, ("CrossEntropyLoss", *_ACTIVATIONS))


def _batch(shape: Shape, g: np.random.Generator) -> tuple[Array, Array]:
    A = oracle.draw(g, shape.batch, shape.channels[0], shape.width)
    return A, np.asarray(np.eye(shape.classes)[g.integers(0, shape.classes, shape.batch)])


def _gradients(shape: Shape, weights: dict[str, Array], A: Array, Y: Array, mistake: str = "") -> dict[str, Array]:
    def loss(t: oracle.Tensors) -> torch.Tensor:
        return F.cross_entropy(shape.forward(t, mistake), torch.from_numpy(Y))

    return oracle.gradients(loss, {**weights, "A": A}, np.ones(()))


def _once(shape: Shape, g: np.random.Generator) -> Case:
    """Forward and backward, every gradient looked at."""
    (A, Y), weights = _batch(shape, g), shape.weights()
    right = _gradients(shape, weights, A, Y)
    script = shape.new(Script()).call("model", "forward", A, out="Z").call("model", "backward", Y, out="dLdA")
    mistakes = ("activations_missing", "last_activation_missing", "flatten_order", "bias_forgotten")

    def logits(mistake: str) -> Guess:
        return lambda: oracle.value(lambda t: shape.forward(t, mistake), {**weights, "A": A})

    def gradient(name: str, mistake: str) -> Guess:
        return lambda: _gradients(shape, weights, A, Y, mistake)[name]

    Z = oracle.value(shape.forward, {**weights, "A": A})
    expected = {
        "Z": Expectation("the logits", FORWARD, Z, {mistake: logits(mistake) for mistake in mistakes}),
        "dLdA": Expectation("dLdA", INPUT, right["A"], _scaled(right["A"], shape.batch, gradient, "A")),
    }
    for name, path in _paths(shape).items():
        part = WEIGHT if name.startswith("W") else BIAS
        out = f"dLd{name}"
        *where, attribute = path.split(".")
        script.get("model", ".".join([*where, f"dLd{attribute}"]), out)
        value = right[name][:, None] if name == "b" else right[name]
        what = f"{'.'.join(where)}.dLd{attribute}"
        expected[out] = Expectation(what, part, value, _scaled(value, shape.batch, gradient, name))
    return Case(str(shape), script, expected, A.size, batch=shape.batch)


def _scaled(right: Array, batch: int, gradient: Callable[[str, str], Guess], name: str) -> dict[str, Guess]:
    shaped = gradient(name, "activations_missing")
    return {
        "batch_not_divided": lambda: right * batch,
        "batch_divided": lambda: right / batch,
        "activations_missing": lambda: shaped().reshape(right.shape),
    }


def _paths(shape: Shape) -> dict[str, str]:
    found = {}
    for i in range(len(shape.kernels)):
        for name in ("W", "b"):
            found[f"{name}{i}"] = f"convolutional_layers.{i}.conv1d_stride1.{name}"
    return {**found, "W": "linear_layer.W", "b": "linear_layer.b"}


def _trained(shape: Shape, g: np.random.Generator) -> Case:
    """Two steps of training: the weights and the logits afterwards."""
    weights = shape.weights()
    script = shape.new(Script())
    history, expected = [weights], {}
    for number in (1, 2):
        A, Y = _batch(shape, g)
        script.call("model", "zero_grads").call("model", "forward", A).call("model", "backward", Y)
        script.call("model", "step")
        right = _gradients(shape, history[-1], A, Y)
        history.append({name: array - shape.lr * right[name] for name, array in history[-1].items()})
        for name, path in _paths(shape).items():
            script.get("model", path, f"{name}_{number}")
            start, move = history[-2][name], shape.lr * right[name]
            shown = _column if name == "b" else np.asarray
            guesses = {"step_upwards": start + move, "lr_forgotten": start - right[name], "step_missing": start}
            expected[f"{name}_{number}"] = Expectation(
                f"{path} after step {number}",
                STEP,
                shown(history[-1][name]),
                {mistake: given(shown(array)) for mistake, array in guesses.items()},
            )
    A, _ = _batch(shape, g)
    script.call("model", "forward", A, out="Z")
    Z = oracle.value(shape.forward, {**history[-1], "A": A})
    expected["Z"] = Expectation("the logits after two steps", STEP, Z)
    return Case(f"{shape}, two steps of training", script, expected, A.size)


def _column(vector: Array) -> Array:
    return vector[:, None]


def _zeroed(shape: Shape, g: np.random.Generator) -> Case:
    """zero_grads leaves zeros, and train and eval are there."""
    A, Y = _batch(shape, g)
    script = shape.new(Script()).call("model", "train").call("model", "forward", A).call("model", "backward", Y)
    script.call("model", "zero_grads").call("model", "eval")
    script.get("model", "linear_layer.dLdW", "dLdW").get("model", "convolutional_layers.0.conv1d_stride1.dLdW", "dLdW0")
    weights = shape.weights()
    expected = {
        "dLdW": Expectation("linear_layer.dLdW after zero_grads", EDGES, np.zeros_like(weights["W"])),
        "dLdW0": Expectation("the first dLdW after zero_grads", EDGES, np.zeros_like(weights["W0"])),
    }
    return Case(f"{shape}, zero_grads", script, expected, A.size, "zero_grads")
