"""Grades one submission by one rubric."""

import dataclasses
import functools
import re
import secrets
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

from autograder import leaderboard
from autograder.bounded import BoundedError, call
from autograder.checks import FAMILIES
from autograder.checks.case import MAIN, Case, Dialect
from autograder.contract import USES
from autograder.discovery import Found, find
from autograder.marking import mark
from autograder.result import PartResult, Report, Status, TestResult
from autograder.rubric import Rubric, Section, Test
from autograder.running import Run, run
from autograder.sandbox.host import Sandbox, SandboxError
from autograder.submission import SubmissionError, staged
from autograder.text import line


class GraderError(RuntimeError):
    """The grader itself failed, which says nothing about the submission."""


@dataclasses.dataclass(frozen=True)
class Options:
    """How to grade.

    seed: None takes the rubric's, or draws one where it has none. only: names of tests or of classes. jailed, filtered:
    as `Sandbox` takes them.
    """

    seed: int | None = None
    only: tuple[str, ...] = ()
    jailed: bool = True
    filtered: bool = True


def grade(
    source: Path, rubric: Rubric, options: Options | None = None, tell: Callable[[TestResult], None] = lambda _: None
) -> Report:
    """Grade a folder, an archive or a file; `tell` is called with each test's result.

    Raises SubmissionError if there is nothing to grade, ValueError if `only` names no test, and GraderError or
    SandboxError if the grader itself fails, which is never a mark.
    """
    options = options or Options()
    tests = chosen(rubric, options.only)
    given = rubric.seed if options.seed is None else options.seed
    seed = secrets.randbelow(1 << 32) if given is None else given
    wanted = {name for _, test in tests for name in (test.check, *FAMILIES[test.check].uses)}
    wanted |= {*leaderboard.CLASSES} if rubric.leaderboard else set()
    left_out: list[str] = []
    with staged(source, left_out) as folder:
        found = _found(folder, wanted, source)
        if not found.classes:
            raise SubmissionError(f"none of the classes of this rubric was found: {found.where()}")
        results: list[TestResult] = []
        with Sandbox(folder, rubric.forbidden, rubric.libraries, options.jailed, options.filtered) as box:
            for section, test in tests:
                result = _contained(section, test, seed, found, box, rubric)
                results.append(_with_causes(result, results, found, folder))
                tell(results[-1])
            protections = box.protections
            standing = leaderboard.measure(found, box, rubric.leaderboard, seed) if rubric.leaderboard else None
    return Report(
        submission=source.name,
        rubric=rubric.title,
        seed=seed,
        tests=results,
        full=sum(result.points for result in results if not result.extra and result.status != "ungraded"),
        missing=sorted({test.check for _, test in tests} - set(found.classes)),
        notes=[*left_out, *notes(found)],
        protections=protections,
        standing=standing,
    )


def _found(folder: Path, names: Collection[str], source: Path) -> Found:
    """What `find` finds, in a process with limits: a parser may need any time and memory for a file."""
    try:
        return call(find, folder, frozenset(names))
    except BoundedError as error:
        raise SubmissionError(f"{line(source.name)}: its Python files cannot be read: {error}") from error


def _contained(section: Section, test: Test, seed: int, found: Found, box: Sandbox, rubric: Rubric) -> TestResult:
    """One test; GraderError where the grader cannot judge what came back."""
    try:
        return grade_test(section, test, seed, found, box, rubric)
    except SandboxError:
        raise
    except Exception as error:
        raise GraderError(f"{test.name}: the grader failed: {type(error).__name__}: {error}") from error


def chosen(rubric: Rubric, only: Sequence[str]) -> list[tuple[Section, Test]]:
    """The tests that `only` names, by test, class or section, ignoring case; all if it is empty."""
    if not only:
        return rubric.tests
    wanted = {name.lower() for name in only}
    named = [
        (section, test)
        for section, test in rubric.tests
        if wanted & {test.name.lower(), test.check.lower(), section.name.lower()}
    ]
    known = {name.lower() for section, test in rubric.tests for name in (test.name, test.check, section.name)}
    if unknown := [name for name in only if name.lower() not in known]:
        names = "; ".join(test.name for _, test in rubric.tests)
        raise ValueError(f"there is no test called {unknown[0]!r}; the tests are: {names}")
    return named


def grade_test(section: Section, test: Test, seed: int, found: Found, box: Sandbox, rubric: Rubric) -> TestResult:
    """One test of one submission; SandboxError if the sandbox itself fails."""
    family = FAMILIES[test.check]
    definition = found.classes.get(test.check)
    if definition is None:
        return _lost(section, test, "missing", f"{test.check} was not found; {found.where()}.")
    if definition.stub:
        return _lost(section, test, "unwritten", f"Not written yet: {definition}.")
    try:
        cases = _cases(test.check, seed, rubric.dialect)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != "torch":
            raise
        return _lost(section, test, "ungraded", "Not graded: PyTorch computes the expected values of this test.")
    ran = run(cases, [test.check, *family.uses], test, found, box)
    if any(kind in ("import", "open") for kind, _ in ran.violations):
        return _lost(section, test, "violation", _breach(ran.violations), ran)
    _quote_code(ran, box.folder)
    parts = mark(cases, ran, test, rubric.float32)
    if _is_unwritten(ran, cases):
        return _lost(section, test, "unwritten", f"Not written yet: {definition}.", ran)
    forbidden = list(dict.fromkeys(text for kind, text in ran.violations if kind == "load"))
    if forbidden and rubric.forbidden_import_cost:
        kept = 1 - rubric.forbidden_import_cost
        parts = [part.model_copy(update={"earned": round(part.earned * kept, 4)}) for part in parts]
    passed = all(part.passed for part in parts)
    status: Status = "passed" if passed else "crashed" if ran.stopped else "failed"
    return TestResult(
        name=test.name,
        section=section.name,
        check=test.check,
        extra=section.extra,
        visibility=test.visibility,
        status=status,
        parts=parts,
        message="" if passed else ran.stopped,
        remarks=_remarks(ran, passed, forbidden, rubric.forbidden_import_cost),
        output=ran.output,
        seconds=ran.seconds,
    )


def _remarks(ran: Run, passed: bool, forbidden: Sequence[str], cost: float) -> list[str]:
    """What to say about a test besides its failures."""
    lines = []
    if forbidden:
        price = f"it costs {cost:.0%} of this test" if cost else "it was refused, and the rest was graded without it"
        lines.append(f"This assignment forbids importing {', '.join(forbidden[:5])}: {price}.")
    if not passed:
        known = [note for note in ran.notes if "ForbiddenImport" not in note]
        lines += [f"While importing, {note}" for note in known[:3]]
    return [
        *lines,
        *(f"The submission tried something forbidden: it {text}." for kind, text in ran.violations if kind == "act"),
    ]


def _quote_code(ran: Run, folder: Path) -> None:
    """Add to each exception the submission's line that raised it."""
    for error in (*ran.errors.values(), *ran.missing.values()):
        file, _, line = error.get("where", "").rpartition(":")
        try:
            lines = (folder / file).read_text(encoding="utf-8", errors="replace").splitlines() if file else []
            error["code"] = lines[int(line) - 1].strip()[:160] if lines else ""
        except (OSError, ValueError, IndexError):
            error["code"] = ""


def _is_unwritten(ran: Run, cases: Sequence[Case]) -> bool:
    """Whether every case ended in NotImplementedError."""
    return len(ran.errors) == len(cases) and all(e["type"] == "NotImplementedError" for e in ran.errors.values())


@functools.lru_cache(maxsize=256)
def _cases(check: str, seed: int, dialect: Dialect) -> tuple[Case, ...]:
    """A class's checks; they are the same for every submission."""
    return tuple(FAMILIES[check].build(seed, dialect))


def _breach(violations: Collection[tuple[str, str]]) -> str:
    """The message about forbidden imports and files."""
    imports = [text for kind, text in violations if kind == "import"]
    if imports:
        return (
            f"The submission imports {', '.join(imports[:5])}, which this assignment forbids: the test earns nothing."
        )
    return "The submission reads files of a forbidden package or of the grader: the test earns nothing."


def _lost(section: Section, test: Test, status: Status, message: str, ran: Run | None = None) -> TestResult:
    return TestResult(
        name=test.name,
        section=section.name,
        check=test.check,
        extra=section.extra,
        visibility=test.visibility,
        status=status,
        parts=[PartResult(name=name, points=points, earned=0.0) for name, points in test.parts.items()],
        message=message,
        output=ran.output if ran else "",
        seconds=ran.seconds if ran else 0.0,
    )


def _with_causes(result: TestResult, before: Sequence[TestResult], found: Found, folder: Path) -> TestResult:
    """Add a remark if a class that this one really uses has failed in a way that explains this failure."""
    if result.status not in ("failed", "crashed"):
        return result
    source = _source(found, result.check, folder)
    lost = {part.name for part in result.parts if not part.passed}
    causes = [
        test.check
        for test in before
        if test.check in USES.get(result.check, ())
        and re.search(rf"\b{test.check}\b", source)
        and _explains(test, lost)
    ]
    if not causes:
        return result
    remark = f"This may follow from {' and '.join(dict.fromkeys(causes))}, which failed as well: begin there."
    return result.model_copy(update={"remarks": [*result.remarks, remark]})


def _explains(cause: TestResult, lost: Collection[str]) -> bool:
    """Whether a used class lost a part that the class built on it lost too, or does not run at all."""
    if cause.status in ("crashed", "unwritten", "violation"):
        return True
    failed = {part.name for part in cause.parts if not part.passed and part.name in MAIN}
    return cause.status == "failed" and bool(failed & set(lost))


def _source(found: Found, name: str, folder: Path) -> str:
    try:
        return (folder / found.classes[name].file).read_text(encoding="utf-8", errors="replace")
    except (OSError, KeyError):
        return ""


def notes(found: Found) -> list[str]:
    """What teachers should know about how the classes were found."""
    lines = [f"{file} cannot be read: {why}" for file, why in found.unreadable.items()]
    for name, others in found.others.items():
        lines.append(f"{name}: {found.classes[name]} was graded, not {', '.join(map(str, others[:5]))}")
    return lines
