"""A class: parallel, resumable, to a CSV that no spreadsheet runs and a page that no name escapes from."""

import csv
import json
import os
import shutil
import subprocess
import sys
import zipfile
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from autograder import bundles, reference
from autograder.classroom import Entry, grade_all
from autograder.grading import Options
from autograder.render.gradescope import Results
from autograder.rubric import Rubric
from autograder.submission import SubmissionError

_NASTY = '<img src=x onerror="alert(1)">'


@pytest.fixture
def small(default: Rubric) -> Rubric:
    sections = [section for section in default.sections if section.name in ("Resampling", "Convolution")]
    few = [section.model_copy(update={"tests": section.tests[:2]}) for section in sections]
    return default.model_copy(update={"sections": few, "title": "A & B <class>"})


@pytest.fixture
def submissions(tmp_path: Path) -> Path:
    folder = tmp_path / "submissions"
    reference.copy(folder / "alice")
    reference.copy(folder / "=cmd()")
    text = (folder / "alice/mytorch/course/conv1d.py").read_text()
    reference.copy(folder / f"bob {_NASTY.replace('/', '')}")
    wrong = folder / f"bob {_NASTY.replace('/', '')}" / "mytorch/course/conv1d.py"
    wrong.write_text(text.replace("W[:, :, ::-1]", "W").replace('"nowk', f'{_NASTY!r} and "nowk'))
    (folder / "carol").mkdir()
    (folder / "carol" / "x.py").write_text("x = 1")
    with zipfile.ZipFile(folder / "dave.zip", "w") as archive:
        code = f"class Conv1d:\n    def forward(self, A):\n        raise ValueError({_NASTY!r})\n"
        archive.writestr("conv.py", code)
    return folder


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.seen: set[str] = set()
        self.attributes: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)
        self.attributes |= {name for name, _ in attrs}


def test_a_class_is_graded_once(submissions: Path, small: Rubric, tmp_path: Path) -> None:
    out = tmp_path / "marks"
    entries = {entry.name: entry for entry in _grade_all(submissions, out, small, jobs=2)}
    full = small.full
    assert _mark(entries["alice"]) == full
    assert 0 < _mark(entries[next(name for name in entries if name.startswith("bob"))]) < full
    assert "none of the classes" in entries["carol"].reason
    assert _mark(entries["dave.zip"]) == 0

    with (out / "marks.csv").open(newline="") as file:
        rows = {row["submission"]: row for row in csv.DictReader(file)}
    assert float(rows["alice"]["mark"]) == full
    assert "'=cmd()" in rows
    assert not any(cell.startswith(("=", "+", "@")) for row in rows.values() for cell in row.values() if cell)

    text = (out / "marks.html").read_text()
    tags = _Tags()
    tags.feed(text)
    assert not tags.seen & {"img", "script", "iframe", "link"}
    assert not any(name.startswith("on") for name in tags.attributes)
    assert "A &amp; B &lt;class&gt;" in text
    assert "the flipped kernel" in text

    again = _grade_all(submissions, out, small)
    assert all(entry.kept for entry in again)
    (submissions / "carol" / "x.py").write_text("class Conv1d: pass")
    shutil.copytree(submissions / "alice", submissions / "erin")
    third = {entry.name: entry.kept for entry in _grade_all(submissions, out, small)}
    assert {name for name, kept in third.items() if not kept} == {"carol", "erin"}
    assert not any(entry.kept for entry in _grade_all(submissions, out, small, Options(seed=5)))


def test_a_report_that_was_cut_short_is_made_anew(submissions: Path, small: Rubric, tmp_path: Path) -> None:
    for name in submissions.iterdir():
        if name.name not in ("alice", "carol"):
            shutil.rmtree(name) if name.is_dir() else name.unlink()
    out = tmp_path / "marks"
    _grade_all(submissions, out, small)
    file = out / "reports" / "alice.json"
    file.write_text(file.read_text()[:100])
    assert {entry.name: entry.kept for entry in _grade_all(submissions, out, small)} == {"alice": False, "carol": True}


def test_what_is_no_class_is_said_to_be_none(small: Rubric, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        _grade_all(tmp_path / "nowhere", tmp_path / "out", small)
    (tmp_path / "empty").mkdir()
    with pytest.raises(SubmissionError):
        _grade_all(tmp_path / "empty", tmp_path / "out", small)


def _grade_all(*arguments: Any, **options: Any) -> list[Entry]:
    return [scored.entry for scored in grade_all(*arguments, **options)]


def _mark(entry: Entry) -> float:
    assert entry.report is not None
    return entry.report.mark


def _run(folder: Path, *command: str) -> str:
    outer = ("PYTHONPATH", "MAKEFLAGS", "MAKELEVEL", "MFLAGS")  # what `make test` hands down
    environment = {name: value for name, value in os.environ.items() if name not in outer}
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, env=environment, timeout=180, check=False
    )
    return done.stdout


def test_gradescopes_bundle_grades_by_itself(small: Rubric, tmp_path: Path) -> None:
    bundles.gradescope(tmp_path / "autograder.zip", small)
    source, results = tmp_path / "source", tmp_path / "results.json"
    with zipfile.ZipFile(tmp_path / "autograder.zip") as archive:
        assert archive.getinfo("run_autograder").external_attr >> 16 & 0o111
        assert archive.getinfo("setup.sh").external_attr >> 16 & 0o111
        archive.extractall(source)
    assert not list(source.rglob("conv1d.py"))  # the solution stays at home
    reference.copy(tmp_path / "submission")
    command = (source / "run_autograder").read_text().splitlines()[-2:]
    assert "--format gradescope" in command[1]
    options = ["--rubric", "rubric.yaml", "--format", "gradescope", "--out", str(results)]
    _run(source, sys.executable, "-B", "-m", "autograder", "grade", str(tmp_path / "submission"), *options)
    assert Results.model_validate_json(results.read_text()).score == small.full


def test_autolabs_makefile_ends_in_the_scores(small: Rubric, tmp_path: Path) -> None:
    bundles.autolab(tmp_path, small)
    reference.copy(tmp_path / "raw")
    with zipfile.ZipFile(tmp_path / "handin.zip", "w") as archive:
        for path in sorted((tmp_path / "raw").rglob("*.py")):
            archive.write(path, path.relative_to(tmp_path / "raw"))
    printed = _run(tmp_path, "make", "-f", "autograde-Makefile", f"PYTHON={sys.executable}")
    scores = json.loads(printed.splitlines()[-1])["scores"]
    assert sum(scores.values()) == small.full
