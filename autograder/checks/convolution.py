"""Checks of the convolutions: stride 1, any stride and padding, and the course's transposed convolutions."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from autograder.checks import oracle
from autograder.checks.case import (
    BIAS,
    EDGES,
    FORWARD,
    INPUT,
    NON_SQUARE,
    PADDING,
    SHAPE,
    WEIGHT,
    Case,
    Dialect,
    Expectation,
    Family,
    Guesses,
)
from autograder.checks.layer import Layer, Values, edges, generator, plain
from autograder.hints.convolution import convolution_guesses, transposed_guesses
from autograder.script import Returns, Script
from mytorch.explain.case import Window

if TYPE_CHECKING:
    import torch

PARTS = (SHAPE, FORWARD, INPUT, WEIGHT, BIAS)


@dataclasses.dataclass(frozen=True)
class Size:
    """Sizes of one convolution: the input's shape, (N, C, W) or (N, C, H, W), and the constructor's numbers."""

    shape: tuple[int, ...]
    out: int
    kernel: int
    stride: int = 1
    padding: int = 0


# From small to large: reports show the smallest failing case. Some strides do not divide the size.
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
        Size((1, 1, 3, 3), 1, 2),
        Size((1, 2, 5, 5), 3, 3),
        Size((2, 3, 7, 7), 4, 4),
        Size((3, 4, 6, 6), 2, 3),
        Size((2, 2, 4, 4), 3, 1),
        Size((2, 2, 4, 4), 2, 4),
        Size((1, 1, 3, 4), 1, 2),
        Size((2, 2, 5, 4), 3, 3),
        Size((2, 3, 7, 9), 4, 4),
        Size((2, 2, 4, 6), 2, 4),
    ],
}
_STRIDED = {
    1: [
        Size((1, 1, 5), 1, 2, 1),
        Size((1, 1, 6), 1, 3, 2),
        Size((2, 3, 11), 4, 4, 3),
        Size((3, 2, 12), 3, 5, 3),
        Size((2, 2, 9), 2, 1, 4),
        Size((1, 1, 4), 1, 3, 1, 1),
        Size((2, 3, 13), 2, 3, 2, 2),
        Size((3, 2, 12), 3, 5, 3, 1),
    ],
    2: [
        Size((1, 1, 3, 3), 1, 2, 1),
        Size((1, 1, 6, 6), 1, 3, 2),
        Size((2, 3, 9, 9), 4, 4, 3),
        Size((2, 2, 9, 9), 2, 1, 4),
        Size((1, 1, 5, 6), 1, 3, 2),
        Size((2, 3, 11, 8), 4, 4, 3),
        Size((1, 1, 4, 4), 1, 3, 1, 1),
        Size((2, 3, 7, 7), 2, 3, 2, 2),
        Size((2, 2, 9, 9), 3, 4, 3, 1),
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
        Size((1, 1, 3, 3), 1, 2, 2),
        Size((2, 3, 4, 4), 4, 3, 3),
        Size((2, 2, 5, 5), 2, 3, 1),
        Size((1, 2, 4, 4), 3, 1, 3),
        Size((1, 1, 3, 2), 1, 2, 2),
        Size((2, 2, 4, 6), 3, 4, 2),
    ],
}
_USUAL = {
    "Conv1d_stride1": 3,
    "Conv2d_stride1": 3,
    "Conv1d": 3,
    "Conv2d": 2,
    "ConvTranspose1d": 1,
    "ConvTranspose2d": 1,
}
"""Which of the sizes the edge cases use."""


def stride_1(axes: int) -> Family:
    """Conv1d_stride1 or Conv2d_stride1."""
    return _family(f"Conv{axes}d_stride1", [_layer(f"Conv{axes}d_stride1", size) for size in _STRIDE_1[axes]])


def strided(axes: int) -> Family:
    """Conv1d or Conv2d."""
    layers = [(size, _layer(f"Conv{axes}d", size)) for size in _STRIDED[axes]]
    plain_ones = [layer for size, layer in layers if not size.padding]
    return _family(f"Conv{axes}d", plain_ones, [layer for size, layer in layers if size.padding])


def transposed(axes: int) -> Family:
    """ConvTranspose1d or ConvTranspose2d; a size's stride is the upsampling factor."""
    return _family(f"ConvTranspose{axes}d", [_layer(f"ConvTranspose{axes}d", size) for size in _TRANSPOSED[axes]])


def _layer(name: str, size: Size) -> Layer:
    axes = len(size.shape) - 2
    args: tuple[int, ...] = (size.shape[1], size.out, size.kernel)
    inner = f"conv{axes}d_stride1"
    if name.endswith("stride1"):
        inner = ""
    else:
        args = (*args, size.stride, *([size.padding] if size.padding else []))

    def function(t: oracle.Tensors) -> torch.Tensor:
        if name.startswith("ConvTranspose"):
            return oracle.convolve(oracle.upsample(t["A"], size.stride), t["W"], t["b"])
        return oracle.convolve(t["A"], t["W"], t["b"], size.stride, size.padding)

    def guesses(values: Values) -> Mapping[str, Guesses]:
        if name.startswith("ConvTranspose"):
            return transposed_guesses(values.inputs, values.dLdZ, values.gradients, size.stride)
        return convolution_guesses(values.inputs, values.dLdZ, values.gradients, size.stride, size.padding)

    parameters = {"W": (size.out, size.shape[1], *(size.kernel,) * axes), "b": (size.out,)}
    kernel = (size.kernel,) * axes
    window = Window("conv", kernel, size.stride, size.padding)
    if name.startswith("ConvTranspose"):
        window = Window("conv", kernel, upsampling=size.stride)
    return Layer(name, args, size.shape, function, parameters, inner, guesses, window=window)


def _family(name: str, layers: list[Layer], padded: Sequence[Layer] = ()) -> Family:
    two_axes, strided = "2d" in name, not name.endswith("stride1") and "Transpose" not in name
    usual = layers[_USUAL[name]]
    parts = (*PARTS, *([NON_SQUARE] if two_axes else []), *([PADDING] if strided else []), EDGES)

    def build(seed: int, dialect: Dialect = "contract") -> list[Case]:
        g = generator(seed, name)
        cases = [plain(layer, layer.draw(g)) for layer in layers]
        if dialect != "s22":  # which has no padding
            cases += [plain(layer, layer.draw(g), PADDING) for layer in padded]
        positional = dialect == "s22" and strided
        return [*cases, *edges(usual, g), _initialized(usual, g, positional), _own_weights(usual)]

    return Family(name, parts, build)


def _initialized(layer: Layer, g: np.random.Generator, positional: bool) -> Case:
    """Initializers are called, and nothing else is drawn from the global generator."""
    values = layer.draw(g)
    W, b = values.inputs["W"], values.inputs["b"]
    script = Script().seed(1)
    if positional:
        script.new("layer", layer.name, *layer.args, Returns(W), Returns(b))
    else:
        script.new("layer", layer.name, *layer.args, weight_init_fn=Returns(W), bias_init_fn=Returns(b))
    script.draw("draw").get("layer", layer.path("W"), "W").get("layer", layer.path("b"), "b")
    first = np.random.RandomState(1).random_sample()
    expected = {
        "W": Expectation("W from weight_init_fn", EDGES, W, {"initializer_ignored": lambda: W * 0}),
        "b": Expectation("b from bias_init_fn", EDGES, b, {"initializer_ignored": lambda: b * 0}),
        "draw": Expectation("the next random number after constructing", EDGES, np.array(first), exact=True),
    }
    return Case(f"{layer} with initializers", script, expected, values.A.size, "initializers", layer.shape[0])


def _own_weights(layer: Layer) -> Case:
    """Without initializers: standard normal weights from the global generator, and zero biases."""
    shape = layer.parameters["W"]
    script = Script().seed(5).new("layer", layer.name, *layer.args)
    script.get("layer", layer.path("W"), "W").get("layer", layer.path("b"), "b")
    W = np.random.RandomState(5).normal(0, 1, shape)
    expected = {
        "W": Expectation("W without an initializer", EDGES, W),
        "b": Expectation("b without an initializer", EDGES, np.zeros(layer.parameters["b"])),
    }
    return Case(f"{layer.name}{layer.args} without initializers", script, expected, W.size, "own_weights")
