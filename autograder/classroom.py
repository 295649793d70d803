"""Grades a folder of submissions: in parallel, resumable, to CSV files and a page."""

import datetime as dt
import functools
import hashlib
import json
import os
import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from pydantic import ValidationError

from autograder.grading import Options, grade
from autograder.policy import Policy, Scored, apply, handed_in
from autograder.render import drawings
from autograder.render.classpage import page
from autograder.render.gradebook import table
from autograder.result import Entry, Report
from autograder.rubric import Rubric
from autograder.submission import SubmissionError, files_below
from autograder.text import line
from mytorch.files import atomic_write

MAX_HASHED = 256 << 20  # bytes of a file; a larger one is told by its size and date

_LITTER = re.compile(r"\.DS_Store|Thumbs\.db|desktop\.ini|__MACOSX|\._.*|\.directory", re.IGNORECASE)

Tell = Callable[[Entry, int, int], None]


def grade_all(
    folder: Path,
    out: Path,
    rubric: Rubric,
    options: Options | None = None,
    jobs: int = 2,
    tell: Tell = lambda entry, done, total: None,
    policy: Policy | None = None,
    times: Mapping[str, dt.datetime] | None = None,
) -> list[Scored]:
    """Grade everything in `folder`; write marks.csv, marks.html, seed.txt and reports/ into `out`.

    Each file and folder in it is a submission and has a line, also one that cannot be graded. `tell` is called with
    each as it is done: the entry, how many are done, how many there are. A submission whose report is there already, by
    the same grader, rubric and seed and of the same files, is not graded again; one on which the grader failed is.

    policy, times: what lateness costs, which attempt counts, and when each was handed in; by default, when a file was
    last changed. The tests' numbers depend on a seed: that of the options, of the rubric, or of seed.txt, which is
    drawn once for the class.

    Raises FileNotFoundError where `folder` does not exist, SubmissionError where there is nothing in it.
    """
    found = submissions(folder, out)
    reports = out / "reports"
    reports.mkdir(parents=True, exist_ok=True)
    options = options or Options()
    options = Options(_seed(out, rubric, options), options.only, options.jailed, options.filtered)

    # Threads, since the work is done in the workers' processes and mostly waited for.
    with ThreadPoolExecutor(max(1, jobs)) as pool:
        try:
            tasks = {pool.submit(_one, source, reports, rubric, options): source for source in found}
            entries = {}
            for task in as_completed(tasks):
                entries[tasks[task]] = task.result()
                tell(task.result(), len(entries), len(found))
        except BaseException:  # Ctrl-C above all: what is done is kept in reports/
            pool.shutdown(cancel_futures=True)
            raise
    ordered = [entries[source] for source in found]
    when = {line(path.name): (times or {}).get(path.name) or handed_in(path) for path in found}
    scores = apply(policy or Policy(), ordered, when)
    write(out / "marks.csv", table(scores, rubric))
    write(out / "marks.html", page(ordered, rubric))
    return scores


def submissions(folder: Path, out: Path) -> list[Path]:
    """Everything in the folder by name, but the results' own folder and what file managers leave there."""
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder}: no such folder of submissions")
    found = [
        path
        for path in sorted(folder.iterdir())
        if not _LITTER.fullmatch(path.name) and path.resolve() != out.resolve()
    ]
    if not found:
        raise SubmissionError(f"{folder} holds no submission: no folder, zip, tar or Python file")
    return found


def page_file(report: Path) -> Path:
    """The page that shows a submission's report with its failed cases, next to the report's file."""
    return report.with_suffix(".html")


def report_file(name: str) -> str:
    """The name of a submission's report: the submission's own where any file system can hold it, else made of it."""
    if name.isascii() and len(name) <= 100 and re.fullmatch(r"[\w.,@()+\- ]+", name):
        return f"{name}.json"
    short = re.sub(r"[^\w.\-]+", "_", line(name), flags=re.ASCII)[:60]
    return f"{short}-{hashlib.sha256(os.fsencode(name)).hexdigest()[:10]}.json"


def _one(source: Path, reports: Path, rubric: Rubric, options: Options) -> Entry:
    """One submission, graded unless its report is there. Whatever is wrong with it, the others are graded."""
    try:
        return _graded(source, reports / report_file(source.name), rubric, options)
    except Exception as error:
        return Entry(source.name, None, f"the grader failed: {type(error).__name__}: {error}", failed=True)


def _graded(source: Path, file: Path, rubric: Rubric, options: Options) -> Entry:
    key = fingerprint(source, rubric, options)
    try:
        known = json.loads(file.read_text(encoding="utf-8"))
        if known["key"] == key:
            report = Report.model_validate(known["report"]) if known["report"] else None
            if report and not page_file(file).exists():
                write(page_file(file), drawings.page(report))
            return Entry(source.name, report, known["reason"], kept=True, page=page_file(file).name if report else "")
    except (OSError, ValueError, KeyError, TypeError, ValidationError):
        pass  # none yet, or one that an interrupted or an older run has left
    report, reason = None, ""
    try:
        if source.is_symlink():
            raise SubmissionError(
                f"{line(source.name)} is a link, which is not followed: put the files themselves there"
            )
        report = grade(source, rubric, options)
    except SubmissionError as error:
        reason = line(str(error))
    kept = {"key": key, "reason": reason, "report": report.model_dump() if report else None}
    write(file, json.dumps(kept, indent=1))
    if report:
        write(page_file(file), drawings.page(report))
    return Entry(source.name, report, reason, page=page_file(file).name if report else "")


def fingerprint(source: Path, rubric: Rubric, options: Options) -> str:
    """What a report depends on, in short: the grader, the rubric, the options, and the submission's files."""
    digest = hashlib.sha256(_grader().encode() + rubric.model_dump_json().encode())
    digest.update(repr(options).encode())
    try:
        files: Sequence[Path] = list(files_below(source)) if source.is_dir() else [source]
        for path in files:
            digest.update(os.fsencode(path.relative_to(source.parent)) + b"\0")
            digest.update(_content(path))
    except (OSError, SubmissionError) as error:
        digest.update(os.fsencode(str(error)))
    return digest.hexdigest()


def _content(path: Path) -> bytes:
    status = path.lstat()
    if path.is_symlink() or not path.is_file() or status.st_size > MAX_HASHED:
        return f"{status.st_mode} {status.st_size} {status.st_mtime_ns}".encode()
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


@functools.cache
def _grader() -> str:
    """The grader's own version: its sources, in short."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _seed(out: Path, rubric: Rubric, options: Options) -> int:
    """The seed of the class; seed.txt keeps one that is drawn."""
    given = rubric.seed if options.seed is None else options.seed
    if given is not None:
        return given
    file = out / "seed.txt"
    try:
        kept = file.read_text(encoding="utf-8")
        if not kept.strip().isdecimal() or int(kept) >= 1 << 32:
            raise ValueError(f"{file}: expected a seed, a whole number below 2^32; delete the file to draw a new one")
        return int(kept)
    except FileNotFoundError:
        drawn = secrets.randbelow(1 << 32)
        write(file, f"{drawn}\n")
        return drawn


def write(path: Path, text: str) -> None:
    """The whole file or nothing."""
    with atomic_write(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
