"""Compares one result with one expectation. It runs in the grader, on plain arrays."""

import dataclasses
from typing import Any, Literal

import numpy as np

from autograder.checks.case import Case, Expectation
from autograder.rubric import Tolerance
from autograder.wire import Array

FLOAT32 = Tolerance(absolute=1e-4, relative=1e-4)
_FEW = 12


@dataclasses.dataclass(frozen=True)
class Verdict:
    """The outcome of one expectation of one case.

    right: whether the values are correct, up to axes of length one. right_shape: whether the shape is correct.
    problem: what is wrong, the values first. error: the exception that came instead, as the worker describes it.
    wrong: which of the expected values differ; None where they cannot be compared one by one.
    """

    case: Case
    out: str
    expectation: Expectation
    right: bool
    right_shape: bool
    got: Array | None = None
    problem: str = ""
    error: dict[str, Any] | None = None
    wrong: Array | None = None


def judge(
    case: Case,
    out: str,
    message: tuple[dict[str, Any], list[Array]] | None,
    tolerance: Tolerance,
    float32: Literal["values", "dtype"],
) -> Verdict:
    """Compare a result with its expectation; `message` is the worker's, None if nothing came."""
    expectation = case.expected[out]
    what = expectation.what
    if message is None:
        return Verdict(case, out, expectation, False, False, problem=f"{what} never came")
    header, arrays = message
    if header.get("is") not in ("array", "number") or len(arrays) != 1:
        kind = str(header.get("type", "nothing that can be read"))[:80]
        kind = "nothing (None)" if kind == "NoneType" else kind
        return Verdict(case, out, expectation, False, False, problem=f"{what} is {kind}, expected an array of numbers")
    got = arrays[0]
    verdicts = [
        _compared(case, out, got, value, tolerance, float32) for value in (expectation.value, *expectation.also)
    ]
    return next((verdict for verdict in verdicts if verdict.right), verdicts[0])


def _compared(
    case: Case, out: str, got: Array, expected: Array, tolerance: Tolerance, float32: Literal["values", "dtype"]
) -> Verdict:
    """The verdict on an array, against one of the correct values."""
    expectation = case.expected[out]
    what, same = expectation.what, got.shape == expected.shape
    problem = ""
    if not same:
        problem = f"{what} has shape {_shape(got)}, expected {_shape(expected)}"
        if max(got.size, expected.size) <= _FEW:
            problem += f"; got {_written(got)}, expected {_written(expected)}"
        if got.size != expected.size or not (expectation.reshaped or _squeezed(got.shape) == _squeezed(expected.shape)):
            return Verdict(case, out, expectation, False, False, got, problem)
    reshaped = got.reshape(expected.shape)
    near = close(reshaped, expected, _tolerance(expectation, tolerance))
    wrong = _wrong_type(got, expectation, float32) or _wrong_values(reshaped, expected, near)
    return Verdict(
        case, out, expectation, not wrong, same, got, f"{what}{wrong}" if wrong else problem, wrong=np.asarray(~near)
    )


def failed(case: Case, out: str, problem: str, error: dict[str, Any] | None = None) -> Verdict:
    """A verdict on a result that an exception prevented."""
    return Verdict(case, out, case.expected[out], False, False, problem=problem, error=error)


def close(got: Array, expected: Array, tolerance: Tolerance) -> Array:
    """Element by element, whether `got` is close to `expected`. Values that are not finite must be equal."""
    with np.errstate(all="ignore"):
        got, expected = got.astype(np.float64), expected.astype(np.float64)
        near = np.abs(got - expected) <= tolerance.absolute + tolerance.relative * np.abs(expected)
    return np.asarray(np.where(np.isfinite(expected), near, got == expected))


def _wrong_type(got: Array, expectation: Expectation, float32: str) -> str:
    if expectation.types == "float64" and got.dtype.kind == "f" and got.dtype.itemsize < 8 and not expectation.exact:
        return f" is {got.dtype}, expected float64, as the input is"
    if expectation.types == "float32" and float32 == "dtype" and got.dtype != np.float32:
        return f" is {got.dtype}, expected float32, as the input is"
    return ""


def _squeezed(shape: tuple[int, ...]) -> list[int]:
    return [size for size in shape if size != 1]


def _tolerance(expectation: Expectation, tolerance: Tolerance) -> Tolerance:
    """The rubric's tolerance, or what a value of float32 or an exact one has instead."""
    if expectation.exact:
        return Tolerance(absolute=0, relative=0)
    return FLOAT32 if expectation.types == "float32" else tolerance


def _wrong_values(got: Array, expected: Array, near: Array) -> str:
    """The worst element in words: its index, its value and the expected value. near: which elements are right."""
    if near.all():
        return ""
    with np.errstate(all="ignore"):
        distance = np.abs(got.astype(np.float64) - expected.astype(np.float64))
    distance = np.where(near, -1.0, np.where(np.isnan(distance), np.inf, distance))
    worst = np.unravel_index(int(distance.argmax()), distance.shape)
    place = f"[{', '.join(str(int(i)) for i in worst)}]" if worst else ""
    text = f"{place} = {_number(got[worst])}, expected {_number(expected[worst])}"
    if expected.size > 1:
        text += f" ({int((~near).sum())} of {expected.size} numbers are wrong; shape {_shape(expected)})"
        if expected.size <= _FEW:
            text += f"; got {_written(got)}, expected {_written(expected)}"
    return text


def _shape(array: Array) -> str:
    return "×".join(map(str, array.shape)) if array.shape else "() (one number)"


def _number(value: Any) -> str:
    return f"{float(value):.10g}"


def _written(array: Array) -> str:
    text = np.array2string(array.astype(np.float64), precision=4, suppress_small=True, separator=", ")
    return " ".join(text.split())
