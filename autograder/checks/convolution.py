"""Checks of the convolutions: stride 1, any stride and padding, and the course's transposed ones."""

import dataclasses
from collections.abc import Mapping

import numpy as np

from autograder.checks import oracle
from autograder.checks.case import (
    BIAS,
    EDGES,
    FORWARD,
    INPUT,
    SHAPE,
    WEIGHT,
    Case,
    Expectation,
    Family,
    Guesses,
)
from autograder.checks.layer import Layer, Values, edges, generator, plain
from autograder.hints.convolution import convolution_guesses, transposed_guesses
from autograder.script import Returns, Script

PARTS = (SHAPE, FORWARD, INPUT, WEIGHT, BIAS, EDGES)


@dataclasses.dataclass(frozen=True)
class Size:
    """Sizes of one convolution: the input's (N, C, W) or (N, C, H, W), and the constructor's numbers."""

    shape: tuple[int, ...]
    out: int
    kernel: int
    stride: int = 1
    padding: int = 0


# From small to large: the first that fails is what a report shows. Strides that do not divide are among them.
_STRIDE_1 = {
    1: [
        Size((1, 1, 4), 1, 2),
        Size((1, 2, 5), 3, 3),
        Size((2, 3, 9), 4, 4),
        Size((3, 5, 12), 2, 5),
        Size((2, 2, 6), 3, 1),
        Size((2, 2, 6), 2, 6),
    ],
    2: [
        Size((1, 1, 3, 4), 1, 2),
        Size((1, 2, 5, 4), 3, 3),
        Size((2, 3, 7, 9), 4, 4),
        Size((3, 4, 8, 6), 2, 3),
        Size((2, 2, 3, 5), 3, 1),
        Size((2, 2, 4, 6), 2, 4),
    ],
}
_STRIDED = {
    1: [
        Size((1, 1, 5), 1, 2, 1),
        Size((1, 1, 6), 1, 3, 2),
        Size((1, 1, 4), 1, 3, 1, 1),
        Size((2, 3, 11), 4, 4, 3),
        Size((2, 3, 13), 2, 3, 2, 2),
        Size((3, 2, 12), 3, 5, 3, 1),
        Size((2, 2, 9), 2, 1, 4),
    ],
    2: [
        Size((1, 1, 3, 4), 1, 2, 1),
        Size((1, 1, 5, 6), 1, 3, 2),
        Size((1, 1, 4, 3), 1, 3, 1, 1),
        Size((2, 3, 11, 8), 4, 4, 3),
        Size((2, 3, 7, 9), 2, 3, 2, 2),
        Size((2, 2, 9, 12), 3, 4, 3, 1),
        Size((2, 2, 9, 6), 2, 1, 4),
    ],
}
_TRANSPOSED = {
    1: [
        Size((1, 1, 3), 1, 2, 2),
        Size((2, 3, 5), 4, 3, 3),
        Size((3, 2, 6), 3, 4, 2),
        Size((2, 2, 4), 2, 3, 1),
        Size((1, 2, 4), 3, 1, 3),
    ],
    2: [
        Size((1, 1, 3, 2), 1, 2, 2),
        Size((2, 3, 5, 4), 4, 3, 3),
        Size((2, 2, 4, 6), 3, 4, 2),
        Size((2, 2, 4, 5), 2, 3, 1),
        Size((1, 2, 4, 3), 3, 1, 3),
    ],
}


def stride_1(axes: int) -> Family:
    """Conv1d_stride1 or Conv2d_stride1."""
    return _family(f"Conv{axes}d_stride1", [_layer(f"Conv{axes}d_stride1", size) for size in _STRIDE_1[axes]])


def strided(axes: int) -> Family:
    """Conv1d or Conv2d."""
    return _family(f"Conv{axes}d", [_layer(f"Conv{axes}d", size) for size in _STRIDED[axes]])


def transposed(axes: int) -> Family:
    """ConvTranspose1d or ConvTranspose2d; `stride` is the upsampling factor."""
    return _family(f"ConvTranspose{axes}d", [_layer(f"ConvTranspose{axes}d", size) for size in _TRANSPOSED[axes]])


def _layer(name: str, size: Size) -> Layer:
    axes = len(size.shape) - 2
    args: tuple[int, ...] = (size.shape[1], size.out, size.kernel)
    inner = f"conv{axes}d_stride1"
    if name.endswith("stride1"):
        inner = ""
    else:
        args = (*args, size.stride, *([size.padding] if size.padding else []))

    def function(t: oracle.Tensors) -> oracle.torch.Tensor:
        if name.startswith("ConvTranspose"):
            return oracle.convolve(oracle.upsample(t["A"], size.stride), t["W"], t["b"])
        return oracle.convolve(t["A"], t["W"], t["b"], size.stride, size.padding)

    def guesses(values: Values) -> Mapping[str, Guesses]:
        if name.startswith("ConvTranspose"):
            return transposed_guesses(values.inputs, values.dLdZ, values.gradients, size.stride)
        return convolution_guesses(values.inputs, values.dLdZ, values.gradients, size.stride, size.padding)

    parameters = {"W": (size.out, size.shape[1], *(size.kernel,) * axes), "b": (size.out,)}
    return Layer(name, args, size.shape, function, parameters, inner, guesses)


def _family(name: str, layers: list[Layer]) -> Family:
    usual = layers[3] if not name.startswith("ConvT") else layers[1]

    def build(seed: int) -> list[Case]:
        g = generator(seed, name)
        cases = [plain(layer, layer.draw(g)) for layer in layers]
        return [*cases, *edges(usual, g), _initialised(usual, g), _weights_of_their_own(usual)]

    return Family(name, PARTS, build)


def _initialised(layer: Layer, g: np.random.Generator) -> Case:
    """Initialisers are called, and then nothing else is drawn."""
    values = layer.draw(g)
    W, b = values.inputs["W"], values.inputs["b"]
    script = Script().seed(1).new("layer", layer.name, *layer.args, weight_init_fn=Returns(W), bias_init_fn=Returns(b))
    script.draw("draw").call("layer", "forward", values.A, out="Z")
    first = np.random.RandomState(1).random_sample()
    expected = {
        "Z": dataclasses.replace(layer.expectations(values, EDGES)["Z"], guesses={}),
        "draw": Expectation("the next random number after constructing", EDGES, np.array(first), exact=True),
    }
    return Case(f"{layer} with initialisers", script, expected, values.A.size, "initialisers", layer.shape[0])


def _weights_of_their_own(layer: Layer) -> Case:
    """Without initialisers: standard normal weights from the global generator, and no bias."""
    shape = layer.parameters["W"]
    script = Script().seed(5).new("layer", layer.name, *layer.args)
    script.get("layer", layer.path("W"), "W").get("layer", layer.path("b"), "b")
    W = np.random.RandomState(5).normal(0, 1, shape)
    expected = {
        "W": Expectation("W without an initialiser", EDGES, W),
        "b": Expectation("b without an initialiser", EDGES, np.zeros(layer.parameters["b"])),
    }
    return Case(f"{layer.name}{layer.args} without initialisers", script, expected, W.size, "own_weights")
