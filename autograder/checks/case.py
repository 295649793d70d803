"""What a check is: a script for the worker, and what should come back."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Literal

from autograder.script import Script
from autograder.wire import Array

Guess = Callable[[], Array]
Guesses = Mapping[str, Guess]

SHAPE, FORWARD, INPUT, WEIGHT, BIAS, EDGES = (
    "shape",
    "forward",
    "input gradient",
    "weight gradient",
    "bias gradient",
    "edge cases",
)


@dataclasses.dataclass(frozen=True)
class Expectation:
    """One thing that comes back, and what it should be.

    what: its name in reports, such as dLdA. part: the part of the test whose points hang on it.
    guesses: a mistake's key in the catalogue of hints, and the array that the mistake would have given.
    types: "float64", "float32" (right to its precision, and of its type if the rubric insists) or "any".
    """

    what: str
    part: str
    value: Array
    guesses: Guesses = dataclasses.field(default_factory=dict)
    types: Literal["float64", "float32", "any"] = "float64"
    exact: bool = False
    fixed_shape: bool = True  # else a result that only has axes of length one more or less is right too


@dataclasses.dataclass
class Case:
    """One use of a class: what is done, in words and as a script, and what is expected of each thing sent back.

    aspect: for an edge case what it is about, which is also the key of its hint where nothing better is recognised.
    size: by which the smallest failing case is chosen.
    """

    name: str
    script: Script
    expected: dict[str, Expectation]
    size: int
    aspect: str = ""
    batch: int = 1


@dataclasses.dataclass(frozen=True)
class Family:
    """The checks of one class of the contract."""

    name: str
    parts: tuple[str, ...]
    build: Callable[[int], list[Case]]  # from a seed
    uses: tuple[str, ...] = ()  # other classes of the submission's that the scripts name
