"""A class's marks as CSV: our own table, and what Canvas and Moodle import. And leaders, and pairs of similar hand-ins.

Every text is one that no spreadsheet takes for a formula.
"""

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path

from autograder.leaderboard import Ranked
from autograder.policy import Scored
from autograder.render.table import number
from autograder.result import Entry
from autograder.rubric import Rubric
from autograder.similarity import Pair
from autograder.text import cell, line

_CANVAS = ("Student", "ID", "SIS User ID", "SIS Login ID", "Section")
_MOODLE = ("Identifier", "Full name", "Grade")


class GradebookError(ValueError):
    """A gradebook that cannot be filled in; the message names the file and what is missing."""


def table(scores: Sequence[Scored], rubric: Rubric) -> str:
    """A line for each submission and a column for each test; no mark where the grader failed."""
    names = [test.name for _, test in rubric.tests]
    head = ["submission", "student", "mark", "extra", "of", "days late", "final", "counts", *names, "remark"]
    rows: list[list[str | float]] = [[cell(name) for name in head]]
    for scored in scores:
        entry, report = scored.entry, scored.entry.report
        marks = [report.mark, report.extra] if report else [] if entry.failed else [0, 0]
        earned = {test.name: test.earned for test in report.tests} if report else {}
        rows.append(
            [
                cell(entry.name),
                cell(scored.hand_in.student),
                *(marks or ["", ""]),
                rubric.full,
                scored.days_late,
                "" if scored.final is None else scored.final,
                "yes" if scored.counts else "no",
                *(earned.get(name, "") for name in names),
                cell(remark(entry)),
            ]
        )
    return _written(rows)


def remark(entry: Entry) -> str:
    """What a teacher should know of an entry, in a line."""
    if entry.report is None:
        return f"not graded: {entry.reason}" if entry.failed else entry.reason
    return f"not found: {', '.join(entry.report.missing)}" if entry.report.missing else ""


def canvas(export: Path, scores: Sequence[Scored], assignment: str) -> tuple[str, list[Scored]]:
    """Canvas's exported gradebook, cut to one assignment and filled in; and the scores whose student is not in it.

    Canvas matches by the ID, so that names may change. Raises GradebookError where the export is none, or does not have
    one column for `assignment`, which may be given without the number that Canvas adds.
    """
    head, rows = _read(export, _CANVAS[:2])
    matching = [name for name in head if name == assignment or name.rpartition(" (")[0] == assignment]
    if len(matching) != 1:
        others = [name for name in head if name not in _CANVAS and name.endswith(")")]
        raise GradebookError(
            f"{export}: {len(matching)} columns are called {assignment!r}; name one of {', '.join(others) or 'none'}"
        )
    kept = [name for name in _CANVAS if name in head]
    by_key: dict[str, int] = {}
    for place, row in enumerate(rows):
        for key in (row.get("ID"), row.get("SIS Login ID"), row.get("SIS User ID"), _plain_name(row["Student"] or "")):
            if key:
                by_key.setdefault(key.strip().lower(), place)
    placed, unknown = _placed(scores, by_key)
    lines: list[list[str | float]] = [[*kept, cell(matching[0])]]
    for place, row in enumerate(rows):
        is_student = bool((row.get("ID") or "").strip())
        value = row.get(matching[0]) or ""
        final = placed[place].final if place in placed else None
        shown = [row.get(name) or "" for name in kept]
        lines.append([*(map(_kept, shown) if is_student else shown), _kept(value) if final is None else number(final)])
    return _written(lines), unknown


def moodle(worksheet: Path, scores: Sequence[Scored]) -> tuple[str, list[Scored]]:
    """Moodle's offline grading worksheet with grades and comments; and the scores whose student is not in it.

    Raises GradebookError where it is no such worksheet.
    """
    head, rows = _read(worksheet, _MOODLE)
    by_key: dict[str, int] = {}
    for place, row in enumerate(rows):
        for key in (
            (row["Identifier"] or "").rpartition(" ")[2],
            row["Full name"],
            _plain_name(row["Full name"] or ""),
        ):
            if key:
                by_key.setdefault(key.strip().lower(), place)
    placed, unknown = _placed(scores, by_key)
    lines: list[list[str | float]] = [list(map(cell, head))]
    for place, row in enumerate(rows):
        values = {name: _kept(row.get(name) or "") for name in head}
        if place in placed and placed[place].final is not None:
            values["Grade"] = number(placed[place].final or 0.0)
            if "Feedback comments" in head:
                values["Feedback comments"] = cell(_comment(placed[place]))
        lines.append([values[name] for name in head])
    return _written(lines), unknown


def similar(pairs: Sequence[Pair]) -> str:
    """Pairs of similar hand-ins, most similar first."""
    rows: list[list[str | float]] = [["share", "first", "second", "of the first", "of the second", "in common"]]
    for pair in pairs:
        parts: list[str | float] = [round(pair.share, 4), cell(pair.left.name), cell(pair.right.name)]
        rows.append([*parts, round(pair.of_left, 4), round(pair.of_right, 4), pair.shared])
    return _written(rows)


def leaders(ranked: Sequence[Ranked]) -> str:
    """The leaderboard, best first; an empty cell where something could not be measured."""
    rows: list[list[str | float]] = [["hand-in", "accuracy", "epochs", "samples per second", "remark"]]
    for entry in ranked:
        standing = entry.standing
        values = ["" if value is None else value for value in (standing.accuracy, standing.epochs, standing.speed)]
        rows.append([cell(entry.name), *values, cell(standing.reason)])
    return _written(rows)


def _comment(scored: Scored) -> str:
    entry = scored.entry
    parts = [remark(entry)] if remark(entry) else []
    if scored.days_late:
        parts.append(f"{scored.days_late} days late")
    if entry.report:
        parts += [
            f"{t.name}: {number(t.earned)} of {number(t.points)}" for t in entry.report.tests if t.earned < t.points
        ]
    return line("; ".join(parts))


def _placed(scores: Sequence[Scored], by_key: dict[str, int]) -> tuple[dict[int, Scored], list[Scored]]:
    """The scores that count by the row they belong in, and those that belong in none."""
    placed: dict[int, Scored] = {}
    unknown = []
    for scored in scores:
        if not scored.counts:
            continue
        keys = (scored.hand_in.id, scored.hand_in.student, _plain_name(scored.hand_in.student))
        place = next((by_key[key.lower()] for key in keys if key and key.lower() in by_key), None)
        if place is None or place in placed:
            unknown.append(scored)
        else:
            placed[place] = scored
    return placed, unknown


def _plain_name(name: str) -> str:
    """`Doe, Jane` as Canvas names files: doejane."""
    return "".join(character for character in name.lower() if character.isalnum())


def _kept(text: str) -> str:
    """A cell as it was, unless a spreadsheet would take it for a formula; numbers are none."""
    try:
        float(text)
    except ValueError:
        return cell(text)
    return text


def _read(path: Path, needed: Iterable[str]) -> tuple[list[str], list[dict[str, str | None]]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, restkey="")
            rows = list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise GradebookError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from error
    head = list(reader.fieldnames or ())
    missing = [name for name in needed if name not in head]
    if missing:
        raise GradebookError(f"{path}: no column {missing[0]!r}; export the gradebook or worksheet again")
    return head, rows


def _written(rows: Iterable[Sequence[str | float]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()
