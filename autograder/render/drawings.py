"""A submission's failed cases as drawings: files that a text report names, or a page that holds them all.

The page runs no script and loads nothing; whatever comes from a submission is escaped.
"""

import json
import re
from collections.abc import Iterator
from html import escape
from pathlib import Path

from autograder.render.table import explanation, number, summary
from autograder.result import PartResult, Report, TestResult
from mytorch.explain.case import FailedCase
from mytorch.explain.svg import draw
from mytorch.files import atomic_write

MAX_DRAWINGS = 40
"""On one page."""

_STYLE = """
:root { color-scheme: light dark; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; background: rgb(128 128 128 / .12); padding: .5rem; }
.drawing { overflow-x: auto; } svg { display: block; min-width: 36rem; width: 100%; height: auto; }
"""


def page(report: Report) -> str:
    """The report as a page: each test that lost points, its explanation, and its failed cases."""
    parts = [f"<h1>{escape(report.submission)}</h1>", f"<p>{escape(report.rubric)}. {escape(summary(report))}.</p>"]
    left = MAX_DRAWINGS
    for test in report.tests:
        if test.status == "passed":
            continue
        marks = f"{number(test.earned)} of {number(test.points)}"
        parts.append(f"<h2>{escape(test.name)}: {marks}</h2><pre>{escape(explanation(test))}</pre>")
        for _, case in list(_drawable(test))[:left]:
            parts.append(f'<div class="drawing">{draw(case)}</div>')
            left -= 1
    if left <= 0:
        parts.append(f"<p>Drawn are the first {MAX_DRAWINGS} failed cases.</p>")
    policy = "default-src 'none'; style-src 'unsafe-inline'"
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width">\n'
        f"<title>{escape(report.submission)}: report</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        + "\n".join(parts)
        + "\n</body>\n</html>\n"
    )


def save(report: Report, folder: Path) -> Report:
    """Write each failed case into the folder, as an SVG and as JSON; returns the report, which names the drawings."""
    folder.mkdir(parents=True, exist_ok=True)
    tests = []
    for test in report.tests:
        files: dict[str, str] = {}
        for part, case in _drawable(test):
            path = folder / f"{_file_name(test.name)}-{_file_name(part.name)}.svg"
            for file, text in ((path, draw(case)), (path.with_suffix(".json"), json.dumps(case.to_dict()) + "\n")):
                with atomic_write(file) as temporary:
                    temporary.write_text(text, encoding="utf-8")
            files[part.failure] = str(path)
        parts = [part.model_copy(update={"drawing": files.get(part.failure, "")}) for part in test.parts]
        tests.append(test.model_copy(update={"parts": parts}))
    return report.model_copy(update={"tests": tests})


def _drawable(test: TestResult) -> Iterator[tuple[PartResult, FailedCase]]:
    """The parts that lost points and have a case; parts with the same failure have one drawing."""
    seen = set()
    for part in test.parts:
        if part.case is not None and part.failure not in seen:
            seen.add(part.failure)
            yield part, FailedCase.from_dict(part.case)


def _file_name(name: str) -> str:
    """A test's or a part's name as a file's, whatever the rubric calls it."""
    return re.sub(r"[^\w.+-]+", "-", name, flags=re.ASCII).strip("-.")[:60] or "case"
