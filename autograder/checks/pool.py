"""Checks of max and mean pooling."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from autograder.checks import oracle
from autograder.checks.case import EDGES, FORWARD, INPUT, NON_SQUARE, SHAPE, Case, Dialect, Family, Guesses
from autograder.checks.layer import Layer, Values, edges, generator, plain
from autograder.hints.pool import max_guesses, mean_guesses
from autograder.wire import Array
from mytorch.explain.case import Window

if TYPE_CHECKING:
    import torch

PARTS = (SHAPE, FORWARD, INPUT, NON_SQUARE, EDGES)
_STRIDE_1 = [
    (2, 1, (1, 1, 3, 3)),
    (3, 1, (2, 3, 6, 6)),
    (4, 1, (3, 2, 7, 7)),
    (1, 1, (2, 2, 3, 3)),
    (2, 1, (1, 1, 2, 3)),
    (2, 1, (1, 1, 4, 3)),
    (3, 1, (2, 3, 7, 5)),
    (3, 1, (2, 1, 3, 6)),
]
_STRIDED = [
    (2, 2, (1, 1, 4, 4)),
    (3, 2, (2, 3, 9, 9)),
    (2, 3, (2, 2, 8, 8)),
    (4, 2, (2, 2, 9, 9)),
    (3, 1, (2, 2, 5, 5)),
    (1, 3, (2, 1, 7, 7)),
    (2, 2, (1, 1, 5, 4)),
    (2, 3, (3, 2, 8, 10)),
]


def pooling(name: str) -> Family:
    """One of the four pooling layers, by its class name."""
    largest, strided = name.startswith("Max"), not name.endswith("stride1")

    def layer(kernel: int, stride: int, shape: tuple[int, ...], ties: bool = False) -> Layer:
        def function(t: oracle.Tensors) -> torch.Tensor:
            from torch.nn import functional as F

            return (F.max_pool2d if largest else F.avg_pool2d)(t["A"], kernel, stride)

        def guesses(values: Values) -> Mapping[str, Guesses]:
            return (max_guesses if largest else mean_guesses)(values.A, values.dLdZ, kernel, stride)

        return Layer(
            name, (kernel, stride) if strided else (kernel,), shape, function, guesses=guesses,
            sample=_with_ties if ties else _negative, remark="with equal values" if ties else "",
            window=Window("max" if largest else "mean", (kernel, kernel), stride),
        )  # fmt: skip

    def build(seed: int, dialect: Dialect = "contract") -> list[Case]:
        g = generator(seed, name)
        layers = [layer(*size) for size in (_STRIDED if strided else _STRIDE_1)]
        cases = [plain(one, one.draw(g)) for one in layers]
        if largest:
            tied = [layer(*layers_size, ties=True) for layers_size in (_STRIDED if strided else _STRIDE_1)[:3]]
            for one in tied:
                case = plain(one, one.draw(g), EDGES)
                case.aspect = "pool_ties"
                cases.append(case)
        return [*cases, *edges(layers[1], g)]

    return Family(name, PARTS, build)


def _negative(g: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """Negative numbers, which reveal a maximum that starts at zero, and padding with zeros."""
    return -np.abs(oracle.draw(g, *shape)) - 0.1


def _with_ties(g: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """Only a few different values, as after a ReLU."""
    return g.integers(-1, 2, shape).astype(np.float64)
