"""A check as data: a script for the worker, and what should come back."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Literal

from autograder.script import Script
from autograder.wire import Array
from mytorch.explain.case import Window

Guess = Callable[[], Array]
Guesses = Mapping[str, Guess]
Dialect = Literal["contract", "s22", "hw1p1", "hw1p1-old", "bonus"]

SHAPE, FORWARD, INPUT, WEIGHT, BIAS = "shape", "forward", "input gradient", "weight gradient", "bias gradient"
EVALUATION, RUNNING = "evaluation", "running statistics"
STEP, FIRST, LATER, BIASES = "step", "first step", "later steps", "biases"
INITIALIZERS = "initializers"
DEBUG = "debug attributes"
EDGES, NON_SQUARE, PADDING, DEPTHS = "edge cases", "non-square input", "padding", "other depths"

MAIN = frozenset({FORWARD, INPUT, WEIGHT, BIAS, EVALUATION, RUNNING, STEP, FIRST, LATER, BIASES})
"""Parts that show that a class works. If all of them fail, the test earns nothing."""


@dataclasses.dataclass(frozen=True)
class Expectation:
    """One value that comes back, and what it should be.

    what: its name in reports, such as dLdA.
    part: the part of the test that this value belongs to.
    needs: main parts that this value depends on. If one of them has failed, no further points are lost here.
    guesses: maps the key of a known mistake to the wrong array that it produces.
    types: "float64", "float32" (correct to float32 precision, and of that type if the rubric insists) or "any".
    also: other correct values, where published references differ.
    exact: whether the value must be equal to the last bit.
    reshaped: whether the right values in another shape cost the shape part only.
    """

    what: str
    part: str
    value: Array
    guesses: Guesses = dataclasses.field(default_factory=dict)
    types: Literal["float64", "float32", "any"] = "float64"
    exact: bool = False
    needs: tuple[str, ...] = ()
    also: tuple[Array, ...] = ()
    reshaped: bool = False


@dataclasses.dataclass
class Case:
    """One use of a class: what is done, in words and as a script, and the expected values by their names.

    aspect: what an edge case is about. It is also the key of its hint where nothing more specific is recognized.
    size: reports show the smallest failing case. window: of a convolution or a pooling, so that it can be drawn.
    """

    name: str
    script: Script
    expected: dict[str, Expectation]
    size: int
    aspect: str = ""
    batch: int = 1
    window: Window | None = None


@dataclasses.dataclass(frozen=True)
class Family:
    """The checks of one class of the contract.

    build: makes the cases from a seed, for a dialect of the contract.
    uses: other classes that the scripts need. The grader provides those that the submission lacks.
    """

    name: str
    parts: tuple[str, ...]
    build: Callable[[int, Dialect], list[Case]]
    uses: tuple[str, ...] = ()
