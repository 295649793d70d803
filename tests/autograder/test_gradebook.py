"""Marks on their way to a gradebook: lateness, attempts, Canvas, Moodle, PrairieLearn; and no cell is a formula."""

import csv
import datetime as dt
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from typer.testing import CliRunner

from autograder import bundles, reference, result
from autograder.cli import app
from autograder.grading import Options, grade
from autograder.policy import Policy, PolicyError, Scored, apply, load, read_times
from autograder.render import gradebook, prairielearn
from autograder.result import Entry, PartResult, Report
from autograder.roster import HandIn, identify
from autograder.rubric import Rubric
from autograder.text import cell, line, plain

DUE = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)


def _entry(name: str, mark: float | None, *, failed: bool = False) -> Entry:
    """A hand-in that earned so much of 10."""
    if mark is None:
        return Entry(name, None, "no file", failed=failed)
    part = PartResult(name="forward", points=10, earned=mark)
    test = result.TestResult(
        name="T", section="S", check="Conv1d", extra=False, visibility="visible", status="failed", parts=[part]
    )
    return Entry(name, Report(submission=name, rubric="R", seed=1, tests=[test], full=10))


def _hours(hours: float) -> dt.datetime:
    return DUE + dt.timedelta(hours=hours)


@pytest.mark.parametrize(
    ("name", "who"),
    [
        ("alice", HandIn("alice")),
        ("alice.zip", HandIn("alice")),
        ("alice.TAR.GZ", HandIn("alice")),
        ("hw2.v2.py", HandIn("hw2", "", 2)),
        ("alice_attempt3.zip", HandIn("alice", "", 3)),
        ("bob-v12.py", HandIn("bob", "", 12)),
        ("doejane_1234_56789_hw2.zip", HandIn("doejane", "1234", 0)),
        ("doejane_LATE_1234_56789_hw2-2.zip", HandIn("doejane", "1234", 2)),
        ("Jane Doe_1234567_assignsubmission_file_", HandIn("Jane Doe", "1234567", 0)),
        ("Jane Doe_1234567_assignsubmission_file_hw2.zip", HandIn("Jane Doe", "1234567", 0)),
        ("st\udcffudent\n.zip", HandIn("st\\xffudent\\n")),
    ],
)
def test_names_of_downloads_tell_who(name: str, who: HandIn) -> None:
    assert identify(name) == who


def test_lateness_counts_begun_days_after_grace_and_extensions() -> None:
    policy = Policy(due=DUE, grace_minutes=30, per_day=10, max_days=3, extensions={"bob": 2})
    late = {"a": 0, "b": 0.5, "c": 0.6, "d": 24.6, "e": 72.5, "f": 72.6, "bob": 48.5, "bob_v2": 49}
    scores = {
        s.entry.name: s for s in apply(policy, [_entry(n, 8) for n in late], {n: _hours(h) for n, h in late.items()})
    }
    assert {name: s.days_late for name, s in scores.items()} == {
        "a": 0, "b": 0, "c": 1, "d": 2, "e": 3, "f": 4, "bob": 0, "bob_v2": 1,
    }  # fmt: skip
    assert [scores[name].final for name in "abcdef"] == [8, 8, 7.2, 6.4, 5.6, 0]


def test_an_extension_is_given_by_name_or_by_the_platforms_number_and_the_name_wins() -> None:
    policy = Policy(due=DUE, per_day=10, extensions={"doejane": 1, "1234567": 2, "99": 3, "roe": 0})
    names = (
        "doejane_1234_56_hw2.zip",
        "Jane Doe_1234567_assignsubmission_file_",
        "roe_99_5_hw2.zip",
        "poe_98_5_hw2.zip",
    )
    scores = apply(policy, [_entry(name, 10) for name in names], dict.fromkeys(names, _hours(47)))
    assert [(scored.days_late, scored.final) for scored in scores] == [(1, 9), (0, 10), (2, 8), (2, 8)]


def test_the_best_attempt_counts_after_lateness() -> None:
    entries = [_entry("ann_v1", 6), _entry("ann_v2", 9), _entry("ann_v3", None, failed=True), _entry("bob", None)]
    times = {"ann_v1": _hours(-1), "ann_v2": _hours(24 * 4), "ann_v3": _hours(24 * 5)}

    def counting(**terms: object) -> list[str]:
        policy = Policy.model_validate({"due": DUE, "per_day": 10, **terms})
        return [scored.entry.name for scored in apply(policy, entries, times) if scored.counts]

    assert counting() == ["ann_v1", "bob"]  # 9 of 10, four days late, is 5.4
    assert counting(per_day=1) == ["ann_v2", "bob"]
    assert counting(attempts="last") == ["ann_v3", "bob"]
    assert counting(attempts="all") == ["ann_v1", "ann_v2", "ann_v3", "bob"]
    assert counting(student=r"(?P<student>.)(?P<attempt>)?.*")[0] == "ann_v1"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("- 1", "expected a mapping"),
        ("due: someday", "due: "),
        ("per_day: 200", "per_day: "),
        ("per_dya: 10", "per_dya: "),
        ("attempts: first", "attempts: "),
        ("student: '(?P<name>.*)'", "a group called student"),
        ("student: '('", "not a regular expression"),
        ("a: [", "not YAML"),
        ("due: 2026-99-99 00:00:00", "due|not YAML"),
    ],
)
def test_every_mistake_in_a_policy_is_named(text: str, wanted: str, tmp_path: Path) -> None:
    (tmp_path / "late.yaml").write_text(text)
    with pytest.raises(PolicyError, match=wanted) as raised:
        load(tmp_path / "late.yaml")
    assert "late.yaml" in str(raised.value)


def test_times_are_read_and_mistakes_in_them_named(tmp_path: Path) -> None:
    file = tmp_path / "times.csv"
    file.write_text("submission,time\na.zip,2026-03-01T12:00:00+00:00\n")
    assert read_times(file) == {"a.zip": DUE}
    file.write_text("submission,time\na.zip,2026-03-01T12:00\nb.zip,yesterday\n")
    with pytest.raises(PolicyError, match=r"times\.csv, line 3: expected a time"):
        read_times(file)
    file.write_text("name,when\na,b\n")
    with pytest.raises(PolicyError, match="line 2: expected a `submission`"):
        read_times(file)


def _scores(*entries: Entry) -> list[Scored]:
    return apply(Policy(), entries, {})


_CANVAS = """Student,ID,SIS User ID,SIS Login ID,Section,HW1 (11),HW2 (22),Final Score
    Points Possible,,,,,10,10,(read only)
"Doe, Jane",101,s101,jdoe,CS 1,9,,90
"=Evil, Bob",102,s102,bob,CS 1,8,3,80
"Roe, Ann",103,s103,ann,CS 1,7,,70
"Poe, Zed",104,s104,zed,CS 1,6,5,60
"""


def test_canvas_gets_one_assignment_by_id_login_or_name(tmp_path: Path) -> None:
    export = tmp_path / "gradebook.csv"
    export.write_text("\ufeff" + _CANVAS)
    scores = _scores(
        _entry("doejane_101_555_hw2.zip", 8.5), _entry("bob", 4), _entry("roeann", None, failed=True), _entry("eve", 9)
    )
    text, unknown = gradebook.canvas(export, scores, "HW2")
    rows = {row["Student"].strip(): row for row in csv.DictReader(io.StringIO(text))}
    assert list(next(iter(rows.values()))) == ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", "HW2 (22)"]
    assert {row["ID"]: row["HW2 (22)"] for row in rows.values()} == {
        "": "10", "101": "8.5", "102": "4", "103": "", "104": "5",
    }  # fmt: skip
    assert "'=Evil, Bob" in rows
    assert [scored.entry.name for scored in unknown] == ["eve"]
    with pytest.raises(gradebook.GradebookError, match=r"0 columns are called 'HW9'; name one of HW1 \(11\), HW2"):
        gradebook.canvas(export, scores, "HW9")
    export.write_text("a,b\n1,2\n")
    with pytest.raises(gradebook.GradebookError, match="no column 'Student'"):
        gradebook.canvas(export, scores, "HW2")


_MOODLE = """Identifier,Full name,Email address,Status,Grade,Maximum Grade,Last modified (grade),Feedback comments
Participant 7,Jane Doe,j@x.org,Submitted for grading,,10.00,-,
Participant 8,Bob Roe,b@x.org,Submitted for grading,3,10.00,-,well
Participant 9,Zed Poe,z@x.org,No submission,,10.00,-,
"""


def test_moodle_gets_grades_and_comments(tmp_path: Path) -> None:
    worksheet = tmp_path / "Grades.csv"
    worksheet.write_text(_MOODLE)
    scores = _scores(
        _entry("Jane Doe_7_assignsubmission_file_", 8), _entry("bob roe.zip", 10), _entry("x_99_1_y.py", 1)
    )
    text, unknown = gradebook.moodle(worksheet, scores)
    rows = list(csv.DictReader(io.StringIO(text)))
    assert list(rows[0]) == _MOODLE.splitlines()[0].split(",")
    assert [(row["Grade"], row["Feedback comments"]) for row in rows] == [("8", "T: 8 of 10"), ("10", ""), ("", "")]
    assert [row["Identifier"] for row in rows] == ["Participant 7", "Participant 8", "Participant 9"]
    assert [scored.entry.name for scored in unknown] == ["x_99_1_y.py"]


@given(st.text(st.characters(), max_size=30))
def test_no_text_is_a_formula_a_control_or_unwritable(text: str) -> None:
    shown = cell(text)
    shown.encode()
    assert not shown.lstrip(" '\"").startswith(("=", "+", "@", "\t", "\r", "\uff1d")) or shown.startswith("'")
    for made in (plain(text), line(text), shown):
        assert not any(ord(c) < 32 and c not in "\n\t" for c in made)
        assert not any(0x7F <= ord(c) < 0xA0 or 0xD800 <= ord(c) < 0xE000 or 0x202A <= ord(c) <= 0x202E for c in made)
    assert "\n" not in line(text)
    assert plain(plain(text)) == plain(text)


@pytest.mark.parametrize(
    "text", ["=1", "+1", "-1", "@a", " =1", '"=1', "'=1", "\t=1", "\r=1", "\n=1", "\uff1d1", "\u200b=1", "\u00a0=1"]
)
def test_known_formulas_are_neutralized(text: str) -> None:
    assert cell(text).startswith("'")


def test_marks_csv_has_a_line_for_each_and_no_formula(default: Rubric) -> None:
    scores = _scores(_entry("=cmd()", 5), _entry("b\x1b[2J", None), _entry("c", None, failed=True))
    rows = list(csv.DictReader(io.StringIO(gradebook.table(scores, default))))
    assert [row["submission"] for row in rows] == ["'=cmd()", "b\\x1b[2J", "c"]
    assert [(row["mark"], row["final"], row["counts"]) for row in rows] == [
        ("5.0", "5.0", "yes"), ("0", "0.0", "yes"), ("", "", "yes"),
    ]  # fmt: skip
    assert [row["remark"] for row in rows] == ["", "no file", "not graded: no file"]


def test_prairielearns_file_is_as_documented(tmp_path: Path, default: Rubric) -> None:
    reference.copy(tmp_path)
    conv = tmp_path / "mytorch" / "course" / "conv1d.py"
    conv.write_text(conv.read_text().replace("W[:, :, ::-1]", "W"))
    report = grade(tmp_path, default, Options(only=("Conv1d", "Upsample1d")))
    values = json.loads(prairielearn.render(report))
    prairielearn.Results.model_validate(values)
    assert values["gradable"] is True
    assert values["score"] == pytest.approx((report.mark + report.extra) / report.full)
    assert sum(test["points"] for test in values["tests"]) == pytest.approx(report.mark)
    assert "Hint: " in next(test["output"] for test in values["tests"] if test["points"] < test["max_points"])
    hidden = [test.model_copy(update={"visibility": "hidden"}) for test in report.tests]
    assert "Hint" not in prairielearn.render(report.model_copy(update={"tests": hidden}))
    nothing = json.loads(prairielearn.ungraded("no files"))
    assert (nothing["gradable"], nothing["format_errors"], "score" in nothing) == (False, ["no files"], False)
    for wrong in ({}, {"score": 2}, {"score": -1}, {"gradable": False, "score": 1}, {"score": 1, "points": 2}):
        with pytest.raises(ValidationError):
            prairielearn.Results.model_validate(wrong)


def test_prairielearns_file_stays_below_a_megabyte(default: Rubric) -> None:
    entry = _entry("a", 1)
    assert entry.report is not None
    tests = [entry.report.tests[0].model_copy(update={"message": "é" * 30_000}) for _ in range(100)]
    text = prairielearn.render(entry.report.model_copy(update={"tests": tests, "full": 1000.0}))
    assert len(text.encode()) < 1_000_000
    prairielearn.Results.model_validate_json(text)


def test_prairielearns_question_grades_by_itself(tmp_path: Path, default: Rubric) -> None:
    section = default.sections[0].model_copy(update={"tests": default.sections[0].tests[:1]})
    small = default.model_copy(update={"sections": [section], "seed": None})
    question = tmp_path / "question"
    bundles.prairielearn(question, small, "a/b")
    with pytest.raises(FileExistsError):
        bundles.prairielearn(question, small, "a/b")
    info = json.loads((question / "info.json").read_text())
    assert info["externalGradingOptions"]["entrypoint"] == "/grade/tests/run.sh"
    assert os.access(question / "tests" / "run.sh", os.X_OK)
    reference.copy(tmp_path / "student")
    command = [sys.executable, "-B", "-m", "autograder", "grade", str(tmp_path / "student"), "--rubric", "rubric.yaml"]
    out = tmp_path / "results.json"
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [*command, "--format", "prairielearn", "--out", str(out)], cwd=question / "tests" / "grader",
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert prairielearn.Results.model_validate_json(out.read_text()).score == 1


def test_the_command_fills_in_gradebooks_and_names_who_is_not_in_them(tmp_path: Path) -> None:
    folder = tmp_path / "class"
    folder.mkdir()
    (folder / "bob.py").write_text("class Upsample1d: pass\n")
    (folder / "eve.py").write_text("x = 1\n")
    (tmp_path / "late.yaml").write_text("due: 2026-03-01T12:00:00+00:00\nper_day: 10\n")
    (tmp_path / "times.csv").write_text("submission,time\nbob.py,2026-03-02T12:00:00+00:00\n")
    (tmp_path / "canvas.csv").write_text(_CANVAS)
    out = tmp_path / "out"
    common = ["grade-all", str(folder), "--out", str(out), "--rubric", str(_small(tmp_path)), "--policy"]
    command = [*common, str(tmp_path / "late.yaml"), "--times", str(tmp_path / "times.csv")]
    done = CliRunner().invoke(app, [*command, "--canvas", str(tmp_path / "canvas.csv"), "--assignment", "HW2 (22)"])
    assert done.exit_code == 0, done.output
    assert "[2/2] " in done.output
    assert "nobody in it is eve (eve.py)" in done.output
    with (out / "canvas.csv").open() as file:
        assert next(row for row in csv.DictReader(file) if row["ID"] == "102")["HW2 (22)"] == "0"
    with (out / "marks.csv").open() as file:
        assert next(row["days late"] for row in csv.DictReader(file)) == "1"
    assert CliRunner().invoke(app, [*command, "--canvas", str(tmp_path / "canvas.csv")]).exit_code == 2
    assert CliRunner().invoke(app, [*common, str(tmp_path / "nothing.yaml")]).exit_code == 2


def _small(folder: Path) -> Path:
    file = folder / "rubric.yaml"
    test = "{name: U, check: Upsample1d, parts: {forward: 1}}"
    file.write_text(f"title: T\nseed: 3\nsections:\n  - name: R\n    tests: [{test}]\n")
    return file
