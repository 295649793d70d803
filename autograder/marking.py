"""Turns what came back into marks, part by part, each failure with its smallest case and its hint."""

from collections.abc import Sequence
from typing import Any, Literal

from autograder.checks.case import EDGES, SHAPE, Case
from autograder.compare import Verdict, failed, judge
from autograder.hints.recognise import recognise
from autograder.result import PartResult
from autograder.rubric import Test
from autograder.running import Run


def mark(cases: Sequence[Case], ran: Run, test: Test, float32: Literal["values", "dtype"]) -> list[PartResult]:
    """The parts of one test.

    Every part but the edge cases is earned whole or not at all: an answer that is right for some sizes only is not
    right. The edge cases' points are shared out evenly among their aspects.
    """
    verdicts = [verdict for number, case in enumerate(cases) for verdict in _judged(number, case, ran, test, float32)]
    by_part = {name: [v for v in verdicts if v.expectation.part == name] for name in test.parts}
    by_part |= {SHAPE: [v for v in verdicts if v.expectation.part != EDGES]} if SHAPE in test.parts else {}
    others_fail = any(not v.right for v in verdicts if v.expectation.part != EDGES)
    return [
        _part(name, points, by_part[name], others_fail and name == EDGES, test.hints)
        for name, points in test.parts.items()
    ]


def _judged(number: int, case: Case, ran: Run, test: Test, float32: Literal["values", "dtype"]) -> list[Verdict]:
    """A verdict on each expectation of one case."""
    found = []
    error = ran.errors.get(number) or ran.errors.get(-1)
    for out in case.expected:
        message = ran.results.get((number, out))
        if message is None and error is not None:
            found.append(failed(case, out, said(error), error))
        else:
            found.append(judge(case, out, message, test.tolerance, float32))
    return found


def _part(name: str, points: float, verdicts: Sequence[Verdict], others_fail: bool, hints: bool) -> PartResult:
    wrong = [v for v in verdicts if not (v.right_shape if name == SHAPE else v.right)]
    if not wrong:
        return PartResult(name=name, points=points, earned=points)
    earned = 0.0
    if name == EDGES:
        aspects = {v.case.aspect for v in verdicts}
        lost = {v.case.aspect for v in wrong}
        earned = round(points * (len(aspects) - len(lost)) / len(aspects), 2)
    smallest = min(wrong, key=lambda v: (v.case.size, v.expectation.value.size))
    key, sentence = recognise(wrong, others_fail) if hints else ("", "")
    failure = f"{smallest.case.name}: {smallest.problem}"
    return PartResult(name=name, points=points, earned=earned, failure=failure, hint=sentence, hint_key=key)


def said(error: dict[str, Any]) -> str:
    """An error in a line."""
    if error["type"] in ("Timeout", "Output", "Results", "Crash", "Exit", "Broken"):
        return str(error["message"])
    text = f"{error['step']} raised {error['type']}"
    text += f": {error['message']}" if error["message"] else ""
    return f"{text} ({error['where']})" if error["where"] else text
