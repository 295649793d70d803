"""Runs a test's cases in the sandbox and sorts the results by case."""

import dataclasses
from collections.abc import Sequence
from typing import Any

from autograder.checks.case import Case
from autograder.discovery import Found
from autograder.rubric import Test
from autograder.sandbox.host import Outcome, Sandbox
from autograder.sandbox.limits import Limits
from autograder.script import renumbered
from autograder.wire import Array

Message = tuple[dict[str, Any], list[Array]]
_ENOUGH = 3  # deaths of the worker, after which the remaining cases are not run


@dataclasses.dataclass
class Run:
    """What came back.

    results: by case and name. errors: the exception that stopped a case; -1 for the import.
    missing: attributes that could not be read. notes: statements that were skipped during the import.
    """

    results: dict[tuple[int, str], Message] = dataclasses.field(default_factory=dict)
    errors: dict[int, dict[str, Any]] = dataclasses.field(default_factory=dict)
    missing: dict[tuple[int, str], dict[str, Any]] = dataclasses.field(default_factory=dict)
    notes: list[str] = dataclasses.field(default_factory=list)
    violations: list[tuple[str, str]] = dataclasses.field(default_factory=list)
    stopped: str = ""  # why the worker ended early, in words
    output: str = ""
    seconds: float = 0.0


def run(cases: Sequence[Case], classes: Sequence[str], test: Test, found: Found, box: Sandbox) -> Run:
    """Run every case in one worker; if a case kills it, the cases after it go to a new worker."""
    ran, left, deaths = Run(), list(range(len(cases))), 0
    while left:
        limits = Limits(seconds=max(0.5, test.seconds - ran.seconds), memory=test.memory << 20)
        outcome = box.run(*_request(cases, left, classes, found, box), limits)
        began = _sort(outcome, ran, set(left))
        if outcome.complete or ran.errors.get(-1):
            return ran
        deaths += 1
        why, error = _death(outcome, test)
        ran.stopped = ran.stopped or why
        if began is None:
            ran.errors[-1] = error
            return ran
        ran.errors.setdefault(began, error)
        left = [number for number in left if number > began]
        if outcome.status == "timeout" or deaths == _ENOUGH:
            for number in left:
                ran.errors[number] = {**error, "message": f"Not run, as an earlier case failed: {why}"}
            return ran
    return ran


def _request(
    cases: Sequence[Case], numbers: Sequence[int], classes: Sequence[str], found: Found, box: Sandbox
) -> tuple[dict[str, Any], list[Array]]:
    """The message to the worker: the scripts of these cases and all their arrays."""
    arrays: list[Array] = []
    scripts = []
    for number in numbers:
        script = cases[number].script
        scripts.append({"number": number, "steps": renumbered(script.steps, len(arrays))})
        arrays += script.arrays
    request = {
        "folders": found.folders,
        "classes": {name: [str(found.classes[name].file), name] if name in found.classes else None for name in classes},
        "cases": scripts,
    }
    return request, arrays


def _sort(outcome: Outcome, ran: Run, known: set[int]) -> int | None:
    """Sort what came back, after checking its form; returns the number of the last case that began."""
    began = None
    for header, arrays in outcome.messages:
        kind, number, out = header.get("kind"), header.get("case"), header.get("out")
        if kind == "import":
            ran.errors[-1] = _plain(header.get("error"), f"importing {header.get('class')}")
        elif kind == "note" and len(ran.notes) < 50:
            ran.notes += [note for note in [str(header.get("text", ""))[:300]] if note not in ran.notes]
        elif type(number) is not int or number not in known:
            continue
        elif kind == "begin":
            began = number
        elif kind == "result" and isinstance(out, str):
            ran.results.setdefault((number, out), (header, arrays))
        elif kind == "error":
            ran.errors.setdefault(number, _plain(header, header.get("step")))
        elif kind == "missing" and isinstance(out, str):
            ran.missing.setdefault((number, out), _plain(header, header.get("step")))
    ran.violations += [violation for violation in outcome.violations if violation not in ran.violations]
    ran.output = outcome.output or ran.output
    ran.seconds += outcome.seconds
    return began


def _plain(described: Any, step: Any) -> dict[str, Any]:
    """An exception as the worker describes it, every part a short text."""
    given = described if isinstance(described, dict) else {}
    parts = {key: str(given.get(key, ""))[:500] for key in ("type", "message", "where")}
    return {**parts, "step": str(step)[:80]}


def _death(outcome: Outcome, test: Test) -> tuple[str, dict[str, Any]]:
    """Why a worker ended early, as a sentence and as an error."""
    match outcome.status:
        case "timeout":
            why, kind = f"The submission took more than {test.seconds:g} seconds and was stopped.", "Timeout"
        case "output":
            why, kind = "The submission printed more than 1 MiB and was stopped.", "Output"
        case "results":
            why, kind = "The submission returned more than 64 MiB and was stopped.", "Results"
        case "killed":
            why, kind = f"The submission crashed Python (signal {-outcome.code}).", "Crash"
        case _:
            why, kind = "The submission ended Python in the middle of a test.", "Exit"
    if outcome.broken:
        why, kind = f"The submission disturbed the test's results ({outcome.broken}).", "Broken"
    return why, {"type": kind, "message": why, "where": "", "step": ""}
