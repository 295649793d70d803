"""A verdict as a failed case that can be stored and drawn: what went in, what was expected, what came."""

from typing import Any

from autograder.checks.case import Case
from autograder.compare import Verdict
from autograder.text import plain
from autograder.wire import Array
from mytorch.explain.case import FailedCase


def failed_case(verdict: Verdict) -> FailedCase:
    """The case of a verdict, of bounded size."""
    case = verdict.case
    return FailedCase.bounded(
        case.name,
        verdict.expectation.what,
        plain(verdict.problem.partition("; got [")[0]),
        verdict.expectation.value,
        verdict.got,
        verdict.wrong,
        inputs_of(case, verdict.out),
        case.window,
    )


def inputs_of(case: Case, out: str) -> dict[str, Array]:
    """The arrays that an object had got when it gave the result `out`: forward's, backward's and its parameters."""
    names = {"forward": ("A", "Y"), "backward": ("dLdZ",)}
    if any(expectation.what == "dLdZ" for expectation in case.expected.values()):  # an activation: A = layer(Z)
        names = {"forward": ("Z",), "backward": ("dLdA",)}
    named: dict[str, Any] = {}
    given: dict[str, dict[str, Array]] = {}
    for step in case.script.steps:
        on, do, name = step.get("on", ""), step["do"], step.get("name", "")
        arrays = [_array(case, value, named) for value in step.get("args", ())]
        had = given.setdefault(on, {})
        if do == "new":
            had.clear()
        elif do == "keep" and arrays[0] is not None:
            named[on] = arrays[0]
        elif do == "set" and arrays[0] is not None:
            had[name.rpartition(".")[2]] = arrays[0]
        elif do in ("call", "evaluate"):
            known = names.get(name or "forward", ())
            had.update({key: array for key, array in zip(known, arrays, strict=False) if array is not None})
        if step.get("out") == out:
            return had
    return {}


def _array(case: Case, value: Any, named: dict[str, Array]) -> Array | None:
    """The array that an argument is, or None for anything else."""
    if isinstance(value, dict) and type(value.get("array")) is int:
        return case.script.arrays[value["array"]]
    if isinstance(value, dict) and isinstance(value.get("object"), str):
        return named.get(value["object"])
    return None
