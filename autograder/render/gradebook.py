"""A class's marks as CSV."""

import csv
import io
from collections.abc import Sequence

from autograder.result import Entry
from autograder.rubric import Rubric
from autograder.text import cell


def table(entries: Sequence[Entry], rubric: Rubric) -> str:
    """The marks as CSV, a line for each submission and a column for each test; no mark where the grader failed."""
    names = [test.name for _, test in rubric.tests]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["submission", "mark", "extra", "of", *map(cell, names), "remark"])
    for entry in entries:
        report = entry.report
        if report is None:
            none: list[float | str] = ["", ""] if entry.failed else [0, 0]
            remark = f"not graded: {entry.reason}" if entry.failed else entry.reason
            writer.writerow([cell(entry.name), *none, rubric.full, *[""] * len(names), cell(remark)])
            continue
        earned = {test.name: test.earned for test in report.tests}
        missing = f"not found: {', '.join(report.missing)}" if report.missing else ""
        marks = [report.mark, report.extra, report.full]
        writer.writerow([cell(entry.name), *marks, *(earned.get(name, "") for name in names), cell(missing)])
    return text.getvalue()
