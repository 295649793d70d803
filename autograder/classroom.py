"""Grades a folder of submissions: in parallel, resumable, to a CSV and a page."""

import csv
import hashlib
import io
import json
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from pydantic import ValidationError

from autograder.grading import Options, grade
from autograder.render.classpage import page
from autograder.result import Entry, Report
from autograder.rubric import Rubric
from autograder.sandbox.host import SandboxError
from autograder.submission import SubmissionError
from mytorch.files import replacing


def grade_all(
    folder: Path,
    out: Path,
    rubric: Rubric,
    options: Options | None = None,
    jobs: int = 2,
    tell: Callable[[Entry], None] = lambda _: None,
) -> list[Entry]:
    """Grade every folder, zip and Python file in `folder`; write marks.csv, marks.html and reports/ into `out`.

    A submission whose report is there already, by the same rubric and seed and of the same files, is not graded again.
    Raises FileNotFoundError where `folder` is none, SubmissionError where there is nothing in it.
    """
    options = options or Options()
    found = submissions(folder, out)
    reports = out / "reports"
    reports.mkdir(parents=True, exist_ok=True)

    def one(source: Path) -> Entry:
        entry = _one(source, reports / f"{source.name}.json", rubric, options)
        tell(entry)
        return entry

    # Threads, since the work is done in the workers' processes and mostly waited for.
    with ThreadPoolExecutor(max(1, jobs)) as pool:
        entries = list(pool.map(one, found))
    _write(out / "marks.csv", table(entries, rubric))
    _write(out / "marks.html", page(entries, rubric))
    return entries


def submissions(folder: Path, out: Path) -> list[Path]:
    """What there is to grade, by name; hidden files and the results' own folder are passed over."""
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder}: no such folder of submissions")
    found = [
        path
        for path in sorted(folder.iterdir())
        if not path.name.startswith((".", "__"))
        and path.resolve() != out.resolve()
        and not path.is_symlink()
        and (path.is_dir() or path.suffix in (".zip", ".py"))
    ]
    if not found:
        raise SubmissionError(f"{folder} holds no submission: no folder, zip or Python file")
    return found


def _one(source: Path, file: Path, rubric: Rubric, options: Options) -> Entry:
    """One submission, graded unless its report is there."""
    key = fingerprint(source, rubric, options)
    try:
        known = json.loads(file.read_text(encoding="utf-8"))
        if known["key"] == key:
            report = Report.model_validate(known["report"]) if known["report"] else None
            return Entry(source.name, report, known["reason"], kept=True)
    except (OSError, ValueError, KeyError, TypeError, ValidationError):
        pass  # none yet, or one that an interrupted or an older run has left
    report, reason = None, ""
    try:
        report = grade(source, rubric, options)
    except (SubmissionError, SandboxError) as error:
        reason = str(error)
    kept = {"key": key, "reason": reason, "report": report.model_dump() if report else None}
    _write(file, json.dumps(kept, indent=1))
    return Entry(source.name, report, reason)


def fingerprint(source: Path, rubric: Rubric, options: Options) -> str:
    """What a report depends on, in short: the submission's files, the rubric, the options."""
    digest = hashlib.sha256(rubric.model_dump_json().encode())
    digest.update(repr(options).encode())
    files = [source] if source.is_file() else sorted(path for path in source.rglob("*") if path.is_file())
    for path in files:
        if not path.is_symlink():
            digest.update(os.fsencode(path.relative_to(source.parent)) + b"\0")
            with path.open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def table(entries: Sequence[Entry], rubric: Rubric) -> str:
    """The marks as CSV, a line a submission and a column a test."""
    names = [test.name for _, test in rubric.tests]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["submission", "mark", "extra", "of", *map(_cell, names), "remark"])
    for entry in entries:
        if entry.report is None:
            writer.writerow([_cell(entry.name), 0, 0, rubric.full, *[""] * len(names), _cell(entry.reason)])
            continue
        earned = {test.name: test.earned for test in entry.report.tests}
        marks = [entry.report.mark, entry.report.extra, entry.report.full]
        missing = f"not found: {', '.join(entry.report.missing)}" if entry.report.missing else ""
        writer.writerow([_cell(entry.name), *marks, *(earned.get(name, "") for name in names), _cell(missing)])
    return text.getvalue()


def _cell(text: str) -> str:
    """A text that no spreadsheet takes for a formula."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text


def _write(path: Path, text: str) -> None:
    with replacing(path) as beside:
        beside.write_text(text, encoding="utf-8")
