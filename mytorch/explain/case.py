"""A failed comparison as data: what a layer got, what was expected of it, what came, and which elements differ.

It is written as JSON, without code and of bounded size, so that a file from a stranger can be read and drawn.
"""

import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

MAX_NUMBERS = 1024
"""Larger arrays are left out of a case: what is drawn should be small enough to be read."""

MAX_TEXT = 1000
MAX_BYTES = 1 << 20
MAX_ARRAYS = 12
MAX_AXES = 8
FORMAT = "mytorch failed case, 1"
KINDS = ("conv", "max", "mean")


@dataclass(frozen=True)
class Window:
    """How a layer's windows move over its input.

    kind: "conv", "max" or "mean". kernel: pixels of a window along each axis. upsampling: the distance between the
    input's pixels after zeros have been put between them, as a transposed convolution does.
    """

    kind: str
    kernel: tuple[int, ...]
    stride: int = 1
    padding: int = 0
    upsampling: int = 1

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"window: kind {self.kind!r:.80}, expected one of {', '.join(KINDS)}")
        if not 1 <= len(self.kernel) <= 3:
            raise ValueError(f"window: a kernel of {len(self.kernel)} axes, expected 1 to 3")
        for name, value, least in (
            *(("kernel", size, 1) for size in self.kernel),
            ("stride", self.stride, 1),
            ("padding", self.padding, 0),
            ("upsampling", self.upsampling, 1),
        ):
            if type(value) is not int or not least <= value <= MAX_NUMBERS:
                raise ValueError(f"window: {name} is {value!r:.80}, expected a whole number from {least}")


@dataclass(frozen=True)
class FailedCase:
    """One value of one use of a layer that is not as expected.

    title: the use, such as "Conv2d(1, 1, 2, 1) on 1×1×3×3". what: the value's name: Z, dLdA, dLdW, ... problem: what is
    wrong, in words. expected, got: None where an array is too large or never came. wrong: which elements of `expected`
    differ, of its shape; None where shapes do not fit. inputs: the arrays that went in: A, W, b, dLdZ. window: of a
    convolution or a pooling. left_out: the arrays that are too large, in words.
    """

    title: str
    what: str
    problem: str
    expected: np.ndarray | None
    got: np.ndarray | None
    wrong: np.ndarray | None = None
    inputs: Mapping[str, np.ndarray] = field(default_factory=dict)
    window: Window | None = None
    left_out: Sequence[str] = ()

    @classmethod
    def bounded(
        cls, title: str, what: str, problem: str, expected: np.ndarray, got: np.ndarray | None,
        wrong: np.ndarray | None, inputs: Mapping[str, np.ndarray], window: Window | None = None,
    ) -> "FailedCase":  # fmt: skip
        """Return a case without the arrays of more than MAX_NUMBERS numbers, which are named in `left_out`."""
        given = {"expected": expected, "got": got, **dict(list(inputs.items())[:MAX_ARRAYS])}
        large = {name for name, array in given.items() if array is not None and array.size > MAX_NUMBERS}
        small = {name: None if name in large or array is None else _plain(array) for name, array in given.items()}
        left_out = [
            f"{name} ({sizes(array.shape)})" for name, array in given.items() if name in large and array is not None
        ]
        mask = None if wrong is None or small["expected"] is None else np.array(wrong, bool)
        rest = {name: array for name, array in small.items() if name not in ("expected", "got") and array is not None}
        return cls(
            _text(title), _text(what), _text(problem), small["expected"], small["got"], mask, rest, window, left_out
        )

    @property
    def place(self) -> tuple[int, ...] | None:
        """The index of the element that is off most; the first one where shapes do not fit; None for no elements."""
        if self.expected is None or not self.expected.size:
            return None
        if self.got is None or self.wrong is None or self.got.size != self.expected.size or not self.wrong.any():
            return (0,) * self.expected.ndim
        with np.errstate(all="ignore"):
            distance = np.abs(self.got.reshape(self.expected.shape) - self.expected)
        distance = np.where(self.wrong, np.where(np.isnan(distance), np.inf, distance), -1.0)
        return tuple(int(i) for i in np.unravel_index(int(distance.argmax()), distance.shape))

    def to_dict(self) -> dict[str, Any]:
        """Return the case as data for JSON."""
        window = self.window
        return {
            "format": FORMAT,
            "title": self.title,
            "what": self.what,
            "problem": self.problem,
            "expected": _written(self.expected),
            "got": _written(self.got),
            "wrong": None if self.wrong is None else np.flatnonzero(self.wrong).tolist(),
            "inputs": {name: _written(array) for name, array in self.inputs.items()},
            "window": None
            if window is None
            else {
                "kind": window.kind,
                "kernel": list(window.kernel),
                "stride": window.stride,
                "padding": window.padding,
                "upsampling": window.upsampling,
            },
            "left_out": list(self.left_out),
        }

    @classmethod
    def from_dict(cls, data: Any) -> "FailedCase":
        """Return the case that `to_dict` described. Raises ValueError that names what is wrong."""
        if not isinstance(data, dict) or data.get("format") != FORMAT:
            raise ValueError(f'not a failed case: expected an object with "format": "{FORMAT}"')
        expected = _read("expected", data.get("expected"))
        inputs = data.get("inputs")
        if not isinstance(inputs, dict) or len(inputs) > MAX_ARRAYS:
            raise ValueError(f"inputs: expected an object of at most {MAX_ARRAYS} arrays")
        arrays = {_text(name): _read(f"inputs {name!r:.40}", value) for name, value in inputs.items()}
        left_out = data.get("left_out")
        if not isinstance(left_out, list) or len(left_out) > MAX_ARRAYS + 2:
            raise ValueError(f"left_out: expected a list of at most {MAX_ARRAYS + 2} texts")
        return cls(
            _text(data.get("title")),
            _text(data.get("what")),
            _text(data.get("problem")),
            expected,
            _read("got", data.get("got")),
            _read_wrong(data.get("wrong"), expected),
            {name: array for name, array in arrays.items() if array is not None},
            _read_window(data.get("window")),
            [_text(text) for text in left_out],
        )


def read_case(path: str | os.PathLike[str]) -> FailedCase:
    """Read a case from a JSON file. Raises OSError, or ValueError that names the file and what is wrong."""
    with open(path, "rb") as file:
        data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise ValueError(f"{Path(path)}: more than {MAX_BYTES >> 20} MiB, expected a failed case")
    try:
        return FailedCase.from_dict(json.loads(data))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{Path(path)}: {error}; the autograder's `grade --draw FOLDER` writes such files") from error


def sizes(shape: Sequence[int]) -> str:
    """Write a shape as 2×3×4."""
    return "×".join(map(str, shape)) if shape else "one number"


def _plain(array: np.ndarray) -> np.ndarray:
    with np.errstate(all="ignore"):
        return np.array(array, np.float64)


def _text(value: Any) -> str:
    """The text of a field, at most MAX_TEXT characters of it; ValueError for anything else."""
    if not isinstance(value, str):
        raise ValueError(f"{value!r:.40}: expected a text")
    return value if len(value) <= MAX_TEXT else f"{value[: MAX_TEXT - 1]}…"


def _written(array: np.ndarray | None) -> dict[str, Any] | None:
    """An array as its shape and its numbers, with nine digits; those that JSON lacks are texts."""
    if array is None:
        return None
    numbers = [float(f"{value:.9g}") for value in array.ravel().tolist()]
    return {"shape": list(array.shape), "values": [v if math.isfinite(v) else str(v) for v in numbers]}


def _read(name: str, data: Any) -> np.ndarray | None:
    if data is None:
        return None
    shape, values = (data.get("shape"), data.get("values")) if isinstance(data, dict) else (None, None)
    if not isinstance(shape, list) or not isinstance(values, list) or len(shape) > MAX_AXES:
        raise ValueError(f"{name}: expected an object of a shape and a list of values")
    if not all(type(size) is int and 0 <= size <= MAX_NUMBERS for size in shape) or math.prod(shape) != len(values):
        raise ValueError(f"{name}: {len(values)} values do not fill the shape {shape!r:.80}")
    if len(values) > MAX_NUMBERS:
        raise ValueError(f"{name}: {len(values)} values, expected at most {MAX_NUMBERS}")
    if not all(type(v) in (int, float) or v in ("nan", "inf", "-inf") for v in values):
        raise ValueError(f"{name}: expected numbers")
    try:
        return np.array([float(value) for value in values]).reshape(shape)
    except OverflowError as error:
        raise ValueError(f"{name}: a number that is too large") from error


def _read_wrong(data: Any, expected: np.ndarray | None) -> np.ndarray | None:
    if data is None or expected is None:
        return None
    if not isinstance(data, list) or not all(type(i) is int and 0 <= i < expected.size for i in data):
        raise ValueError("wrong: expected a list of places in the expected array")
    mask = np.zeros(expected.size, bool)
    mask[data] = True
    return mask.reshape(expected.shape)


def _read_window(data: Any) -> Window | None:
    if data is None:
        return None
    if not isinstance(data, dict) or not isinstance(data.get("kernel"), list):
        raise ValueError("window: expected an object with a kind and a kernel")
    return Window(
        str(data.get("kind")), tuple(data["kernel"]), data.get("stride", 1), data.get("padding", 0),
        data.get("upsampling", 1),
    )  # fmt: skip
