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

from autograder.checks.case import BIAS, EDGES, FIRST, FORWARD, INPUT, MAIN, SHAPE, WEIGHT, Case
from autograder.compare import Verdict, failed, judge
from autograder.failure import failed_case
from autograder.hints.recognize import mistakes, recognize
from autograder.result import PartResult
from autograder.rubric import Test
from autograder.running import Run

ENDED = ("Timeout", "Output", "Results", "Crash", "Exit", "Broken")
"""Errors that ended the worker; their message is a whole sentence."""

_NOTHING_DONE = frozenset(
    {"not_activated", "derivative_forgotten", "not_resampled", "dropout_missing", "norm_missing", "step_missing"}
)
"""Mistakes of a class that returns its input. They excuse nothing."""

_PART_OF_STEP = {"forward(...)": FORWARD, "backward(...)": INPUT}


def mark(cases: Sequence[Case], ran: Run, test: Test, float32: Literal["values", "dtype"]) -> list[PartResult]:
    """The parts of one test."""
    verdicts = [verdict for number, case in enumerate(cases) for verdict in _verdicts(number, case, ran, test, float32)]
    main: dict[str, list[Verdict]] = {}
    for verdict in verdicts:
        if verdict.expectation.part in MAIN:
            main.setdefault(verdict.expectation.part, []).append(verdict)
    misshapen = {id(v.case) for v in verdicts if _is_forward(v) and v.got is not None and not v.right_shape}
    root = FORWARD if FORWARD in main else FIRST  # the part that others build on
    shared = _mistake_in_root(main.get(root, []))
    sound = [found for found in main.values() if all(v.right or _is_cut_off(v, misshapen) for v in found)]
    works = bool(shared) or any(v.right for found in sound for v in found)
    failures = {part: [v for v in found if not v.right] for part, found in main.items()}
    # A part that returns nothing at all is not written. It excuses nothing.
    blamed = {part for part, found in failures.items() if found and any(_is_written(v) for v in main[part])}
    if any(v.right for part in (WEIGHT, BIAS) for v in main.get(part, [])):
        blamed |= {INPUT} if failures.get(INPUT) else set()  # backward runs, even if it returns nothing
    if works:
        failures = _failures(main, misshapen, shared)
    parts = []
    for name, points in test.parts.items():
        if name == SHAPE:
            wrong = _misshapen(main, blamed if works else ())
            earned = 0.0 if wrong else points
        elif name in MAIN:
            wrong = failures[name]
            earned = 0.0 if wrong else points
        else:
            wrong, earned = _derived(name, points, verdicts, blamed, misshapen, works)
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
        if error is not None and message is not None and message[0].get("after") and not verdict.right:
            verdict = failed(case, out, described(error), error)
        found.append(verdict)
    return found


def _failures(
    main: dict[str, list[Verdict]], misshapen: Collection[int], shared: Collection[str]
) -> dict[str, list[Verdict]]:
    """The failures that count for each main part: not those that a lost part or a mistake in forward explains."""
    wrong = {part: [v for v in found if not v.right] for part, found in main.items()}
    lost: set[str] = set()
    for part, found in wrong.items():
        partly = any(v.right for v in main[part])  # else nothing shows that this part works apart from the exception
        left = [
            v
            for v in found
            if not _is_excused(v, lost - {part}, exceptions=partly) and not (partly and _is_cut_off(v, misshapen))
        ]
        if part not in (FORWARD, FIRST) and shared and all(set(shared) & set(mistakes(v)) for v in left):
            left = []
        wrong[part] = left
        lost |= {part} if any(_is_written(v) for v in found) else set()
    return wrong


def _mistake_in_root(verdicts: Sequence[Verdict]) -> set[str]:
    """The known mistakes, other than doing nothing, that explain every failure of forward (or of the first step)."""
    found = [set(mistakes(v)) for v in verdicts if not v.right]
    return set.intersection(*found) - _NOTHING_DONE if found else set()


def _is_written(verdict: Verdict) -> bool:
    """Whether a value came, or an exception other than NotImplementedError."""
    error = verdict.error or {}
    return verdict.got is not None or error.get("type", "NotImplementedError") not in (*ENDED, "NotImplementedError")


def _is_forward(verdict: Verdict) -> bool:
    """Whether this is the output of a forward."""
    return verdict.expectation.part == FORWARD or (verdict.expectation.needs == (FORWARD,) and verdict.out[0] != "d")


def _is_cut_off(verdict: Verdict, misshapen: Collection[int]) -> bool:
    """Whether forward returned a wrong shape in this case, so that the gradient given to backward cannot fit."""
    return id(verdict.case) in misshapen and not _is_forward(verdict)


def _misshapen(main: dict[str, list[Verdict]], blamed: Collection[str]) -> list[Verdict]:
    """What costs the shape part.

    Outputs and input gradients of a wrong shape, or none at all; and other values that are right except for the shape.
    """
    wrong = []
    for part, found in main.items():
        outer = part in (FORWARD, INPUT)
        wrong += [
            v for v in found if v.got is not None and not v.right_shape and (outer or (v.right and part not in blamed))
        ]
        if outer and part not in blamed and all(v.got is None for v in found):
            wrong += found
    return wrong


def _derived(
    name: str,
    points: float,
    verdicts: Sequence[Verdict],
    blamed: Collection[str],
    misshapen: Collection[int],
    works: bool,
) -> tuple[list[Verdict], float]:
    """The failures that count for a derived part, and the points that it earns."""
    own = [v for v in verdicts if v.expectation.part == name]
    if not works:
        return [v for v in own if not v.right], 0.0
    cut = misshapen if FORWARD in blamed else ()
    judged = [v for v in own if not _is_excused(v, blamed) and not _is_cut_off(v, cut)]
    wrong = [v for v in judged if not v.right]
    if name != EDGES:
        return wrong, 0.0 if wrong else points
    aspects = {v.case.aspect for v in own}
    failing = {v.case.aspect for v in wrong}
    return wrong, round(points * (len(aspects) - len(failing)) / max(len(aspects), 1), 4)


def _is_excused(verdict: Verdict, lost: Collection[str], exceptions: bool = True) -> bool:
    """Whether a lost main part explains this failure. `exceptions`: also where an exception of that part came."""
    came = verdict.got is not None and verdict.got.any()
    needs = set(verdict.expectation.needs) if came or exceptions else set()
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
    shown = min(wrong, key=_order)
    key, sentence = recognize(shown, wrong, name) if hints else ("", "")
    failure = f"{shown.case.name}: {shown.problem}"
    case = failed_case(shown).to_dict()
    return PartResult(name=name, points=points, earned=earned, failure=failure, hint=sentence, hint_key=key, case=case)


def _order(verdict: Verdict) -> tuple[bool, int, int]:
    """Smaller is better to show: not an empty result, a small case, and in it the first value."""
    empty = verdict.got is not None and not verdict.got.size
    return empty, verdict.case.size, list(verdict.case.expected).index(verdict.out)


def described(error: dict[str, Any]) -> str:
    """An exception in one line."""
    if error["type"] in ENDED:
        return str(error["message"])
    text = f"{error['step']} raised {error['type']}"
    text += f": {error['message']}" if error["message"] else ""
    text += f" ({error['where']})" if error["where"] else ""
    return f"{text}: {error['code']}" if error.get("code") else text
