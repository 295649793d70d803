"""Turns results into points, part by part, and shows for each lost part its smallest failing case and a hint.

One fault costs once:

- A main part (forward, input gradient, ...) is earned if all of its values are correct.
- The shape part looks at shapes only. A result whose shape differs by axes of length one, but whose values are correct,
  loses the shape part and keeps its own part.
- Gradients that are correct for a known mistake in forward are not lost a second time.
- Edge cases, padding, non-square input and other depths look at values again. A value whose main part is lost already
  is not judged a second time.
- This does not hold for a part that never returns anything.
- If no main part is earned, there is nothing to build on: these derived parts earn nothing either.
"""

import dataclasses
from collections.abc import Collection, Sequence
from typing import Any, Literal

from autograder.checks.case import EDGES, FORWARD, INPUT, MAIN, SHAPE, Case
from autograder.compare import Verdict, failed, judge
from autograder.hints.recognize import mistakes, recognize
from autograder.result import PartResult
from autograder.rubric import Test
from autograder.running import Run

ENDED = ("Timeout", "Output", "Results", "Crash", "Exit", "Broken")
"""Errors that ended the worker; their message is a whole sentence."""

_PART_OF_STEP = {"forward(...)": FORWARD, "backward(...)": INPUT}


def mark(cases: Sequence[Case], ran: Run, test: Test, float32: Literal["values", "dtype"]) -> list[PartResult]:
    """The parts of one test."""
    verdicts = [verdict for number, case in enumerate(cases) for verdict in _verdicts(number, case, ran, test, float32)]
    main: dict[str, list[Verdict]] = {}
    for verdict in verdicts:
        if verdict.expectation.part in MAIN:
            main.setdefault(verdict.expectation.part, []).append(verdict)
    works = any(all(v.right for v in found) for found in main.values())
    failures = _failures(main) if works else {part: [v for v in found if not v.right] for part, found in main.items()}
    # A part that returns nothing at all is not written; only values that are wrong excuse what depends on them.
    lost = {part for part, found in failures.items() if found and any(v.got is not None for v in main[part])}
    parts = []
    for name, points in test.parts.items():
        if name == SHAPE:
            wrong = _misshapen(main)
            earned = 0.0 if wrong else points
        elif name in MAIN:
            wrong = failures[name]
            earned = 0.0 if wrong else points
        else:
            wrong, earned = _derived(name, points, verdicts, lost, works)
        known = works or name in MAIN or name == SHAPE  # else what fails first explains it
        parts.append(_part(name, points, earned, wrong, test.hints and known))
    return parts


def _verdicts(number: int, case: Case, ran: Run, test: Test, float32: Literal["values", "dtype"]) -> list[Verdict]:
    """A verdict on each expectation of one case."""
    found = []
    error = ran.errors.get(number) or ran.errors.get(-1)
    for out in case.expected:
        message = ran.results.get((number, out))
        missing = ran.missing.get((number, out)) or error
        if message is None and missing is not None:
            found.append(failed(case, out, described(missing), missing))
            continue
        verdict = judge(case, out, message, test.tolerance, float32)
        if SHAPE not in test.parts and not verdict.right_shape:
            verdict = dataclasses.replace(verdict, right=False)
        if error is not None and not verdict.right:  # read after an exception: the exception explains it
            verdict = failed(case, out, described(error), error)
        found.append(verdict)
    return found


def _failures(main: dict[str, list[Verdict]]) -> dict[str, list[Verdict]]:
    """The failures that count for each main part: not those that a lost part that they need explains.

    Nor gradients that are correct for a mistake in forward: that mistake costs the forward part alone.
    """
    wrong = {part: [v for v in found if not v.right] for part, found in main.items()}
    forward = [set(mistakes(v)) for v in wrong.get(FORWARD, [])]
    shared = set.intersection(*forward) if forward else set()
    lost: set[str] = set()
    for part, found in wrong.items():
        partly = any(v.right for v in main[part])  # else nothing shows that this part works apart from the exception
        left = [v for v in found if not _excused(v, lost - {part}, exceptions=partly)]
        if part != FORWARD and shared and all(shared & set(mistakes(v)) for v in left):
            left = []
        wrong[part] = left
        lost |= {part} if left else set()
    return wrong


def _misshapen(main: dict[str, list[Verdict]]) -> list[Verdict]:
    """Results of a wrong shape, and forward or backward where no result came at all."""
    wrong = [v for found in main.values() for v in found if v.got is not None and not v.right_shape]
    for part in (FORWARD, INPUT):
        found = main.get(part, [])
        if found and all(v.got is None for v in found):
            wrong += found
    return wrong


def _derived(
    name: str, points: float, verdicts: Sequence[Verdict], lost: Collection[str], works: bool
) -> tuple[list[Verdict], float]:
    """The failures that count for a derived part, and the points that it earns."""
    own = [v for v in verdicts if v.expectation.part == name]
    if not works:
        return [v for v in own if not v.right], 0.0
    judged = [v for v in own if not _excused(v, lost)]
    wrong = [v for v in judged if not v.right]
    if name != EDGES:
        return wrong, 0.0 if wrong else points
    aspects = {v.case.aspect for v in own}
    failing = {v.case.aspect for v in wrong}
    return wrong, round(points * (len(aspects) - len(failing)) / max(len(aspects), 1), 4)


def _excused(verdict: Verdict, lost: Collection[str], exceptions: bool = True) -> bool:
    """Whether a lost main part explains this failure. `exceptions`: also where an exception of that part came."""
    needs = set(verdict.expectation.needs)
    if exceptions and verdict.error is not None:
        needs.add(_PART_OF_STEP.get(verdict.error.get("step", ""), ""))
    return bool(needs & set(lost))


def _part(name: str, points: float, earned: float, wrong: Sequence[Verdict], hints: bool) -> PartResult:
    if earned == points:
        return PartResult(name=name, points=points, earned=points)
    if not wrong:
        return PartResult(
            name=name, points=points, earned=earned, failure="Not judged: nothing of this class works yet."
        )
    shown = min(wrong, key=lambda v: (v.case.size, v.expectation.value.size))
    key, sentence = recognize(shown, wrong, name) if hints else ("", "")
    failure = f"{shown.case.name}: {shown.problem}"
    return PartResult(name=name, points=points, earned=earned, failure=failure, hint=sentence, hint_key=key)


def described(error: dict[str, Any]) -> str:
    """An exception in one line."""
    if error["type"] in ENDED:
        return str(error["message"])
    text = f"{error['step']} raised {error['type']}"
    text += f": {error['message']}" if error["message"] else ""
    text += f" ({error['where']})" if error["where"] else ""
    return f"{text}: {error['code']}" if error.get("code") else text
