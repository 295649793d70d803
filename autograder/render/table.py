"""The report in a terminal."""

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from autograder.result import PartResult, Report, TestResult
from autograder.sandbox.host import PROTECTIONS

_MARKS = {
    "passed": ("✓", "green"),
    "failed": ("✗", "red"),
    "crashed": ("✗", "red"),
    "missing": ("–", "yellow"),
    "unwritten": ("–", "yellow"),
    "ungraded": ("?", "yellow"),
}


def render(report: Report, verbose: bool = False) -> RenderableType:
    """A line for each test with its failures below, and the mark at the end."""
    lines: list[RenderableType] = [Text(f"{report.rubric}: {report.submission}", style="bold")]
    section = ""
    for test in report.tests:
        if test.status in ("unwritten", "ungraded") and not verbose:
            continue  # listed together at the end
        if test.section != section:
            section = test.section
            lines.append(Text(f"\n{section}", style="bold"))
        sign, style = _MARKS.get(test.status, ("!", "red"))
        line = Text.assemble((sign, style), f" {test.name:<28}", f"{number(test.earned):>5} / {number(test.points)}")
        lines += [line, *_body(test, verbose)]
    lines.append(Text(f"\n{summary(report)}", style="bold green" if report.is_full else "bold"))
    if report.unwritten:
        lines.append(Text(f"Not written yet: {', '.join(report.unwritten)}", style="yellow"))
    if report.ungraded:
        lines.append(Text(f"Not graded, for lack of PyTorch: {'; '.join(report.ungraded)}", style="yellow"))
    if report.missing:
        lines.append(Text(f"Not found: {', '.join(report.missing)}", style="yellow"))
    if verbose:
        lines += [Padding(Text(note), (0, 0, 0, 2)) for note in report.notes]
    lines += [Text(line, style="dim") for line in weaknesses(report)]
    return Group(*lines)


def text(report: Report, verbose: bool = False, width: int = 110) -> str:
    """The same without colors."""
    console = Console(width=width, color_system=None, force_terminal=False)
    with console.capture() as capture:
        console.print(render(report, verbose))
    return capture.get()


def summary(report: Report) -> str:
    """The mark in a line."""
    line = f"Mark: {number(report.mark)} of {number(report.full)}"
    return f"{line}, and {number(report.extra)} of {number(report.extra_full)} extra" if report.extra_full else line


def number(value: float) -> str:
    """A mark without trailing zeros."""
    return f"{value:.2f}".rstrip("0").rstrip(".")


def weaknesses(report: Report) -> list[str]:
    """The protections that did not hold on this machine."""
    return [
        f"Not enforced on this machine: {PROTECTIONS[name]}." for name, held in report.protections.items() if not held
    ]


def explanation(test: TestResult) -> str:
    """The text about a test that did not pass: message, failures with their hints, remarks."""
    lines = [test.message] if test.message else []
    for failure, parts in _by_failure(test).items():
        marks = ", ".join(f"{part.name} {number(part.earned)} / {number(part.points)}" for part in parts)
        lines += [f"{marks}:", f"  {failure}"]
        lines += [f"  Hint: {hint}" for hint in dict.fromkeys(part.hint for part in parts if part.hint)]
        lines += [f"  Drawn: {file}" for file in dict.fromkeys(part.drawing for part in parts if part.drawing)]
    return "\n".join([*lines, *test.remarks])


def _by_failure(test: TestResult) -> dict[str, list[PartResult]]:
    """The parts that lost points, by their failure: often several parts share one."""
    found: dict[str, list[PartResult]] = {}
    for part in test.parts:
        if not part.passed and part.failure:
            found.setdefault(part.failure, []).append(part)
    return found


def _body(test: TestResult, verbose: bool) -> list[RenderableType]:
    """The text below a test's line."""
    said = Text(explanation(test) if test.status != "passed" else "\n".join(test.remarks))
    said.highlight_regex(r"Hint: .*", "cyan")
    texts = [said] if said.plain else []
    if verbose:
        parts = ", ".join(f"{part.name} {number(part.earned)}/{number(part.points)}" for part in test.parts)
        texts.append(Text(f"{parts}; {test.seconds:.2f} s", "dim"))
        if test.output.strip():
            texts.append(Text(f"It printed: {test.output.strip()[-1000:]}", "dim"))
    return [Padding(text, (0, 0, 0, 4)) for text in texts]
