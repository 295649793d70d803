"""What platforms read: Gradescope's schema, Autolab's last line, the table, and the exit status."""

import json
from pathlib import Path

import pytest
from pydantic import ValidationError
from typer.testing import CliRunner

from autograder import reference
from autograder.cli import app
from autograder.grading import Options, grade
from autograder.render import autolab, gradescope, table
from autograder.render.gradescope import Results
from autograder.result import Report
from autograder.rubric import Rubric

_ONLY = ("Conv1d", "Upsample1d", "BatchNorm2d")


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory, default: Rubric) -> Report:
    """A submission with a wrong Conv1d, no BatchNorm2d, and text that means something to formats."""
    folder = tmp_path_factory.mktemp("submission")
    reference.copy(folder)
    path = folder / "mytorch" / "course" / "conv1d.py"
    path.write_text(path.read_text().replace("W[:, :, ::-1]", "W") + '\nprint(\'{"scores": {"x": 1}} <script>\')\n')
    (folder / "mytorch" / "course" / "batchnorm.py").unlink()
    (folder / "mytorch" / "course" / "resblock.py").unlink()
    init = folder / "mytorch" / "course" / "__init__.py"
    init.write_text("")
    return grade(folder, default, Options(only=_ONLY))


def test_gradescopes_file_is_as_documented(report: Report) -> None:
    values = json.loads(gradescope.render(report))
    Results.model_validate(values)
    assert values["score"] == report.mark + report.extra
    assert [test["name"] for test in values["tests"]] == ["Upsample1d", "Conv1d", "BatchNorm2d"]
    assert [test["status"] for test in values["tests"]] == ["passed", "failed", "failed"]
    conv = values["tests"][1]
    assert 0 < conv["score"] < conv["max_score"] == 7.5
    assert "Hint: " in conv["output"]
    assert values["tests"][2]["max_score"] == 0  # extra credit
    assert "not found" in values["tests"][2]["output"]


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"tests": []},
        {"score": "many"},
        {"score": 1, "execution_time": -1},
        {"score": 1, "visibility": "secret"},
        {"tests": [{"points": 1}]},
        {"tests": [{"score": 1, "status": "ok"}]},
        {"score": 1, "leaderboard": [{"value": 1}]},
    ],
)
def test_the_schema_refuses_what_is_not_documented(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Results.model_validate(wrong)


def test_gradescope_is_told_of_what_could_not_be_graded(default: Rubric) -> None:
    values = json.loads(gradescope.ungraded(default, "it is empty"))
    Results.model_validate(values)
    assert (values["score"], "it is empty" in values["output"]) == (0, True)


def test_autolabs_last_line_holds_the_scores(report: Report, default: Rubric) -> None:
    lines = autolab.render(report).splitlines()
    scores = json.loads(lines[-1])["scores"]
    assert set(scores) == {"Resampling", "Convolution", "Extra credit"}
    assert sum(scores.values()) == pytest.approx(report.mark + report.extra)
    assert sum(line.startswith('{"scores"') for line in lines) == 1
    zeros = json.loads(autolab.ungraded(default, "no files").splitlines()[-1])["scores"]
    assert zeros == {section.name: 0 for section in default.sections}


def test_autolab_does_not_explain_hidden_tests(report: Report) -> None:
    hidden = [test.model_copy(update={"visibility": "hidden"}) for test in report.tests]
    text = autolab.render(report.model_copy(update={"tests": hidden}))
    assert "Hint" not in text
    assert "Upsample1d" not in text
    assert json.loads(text.splitlines()[-1])["scores"]["Resampling"] == 3


def test_the_table_says_what_is_wrong(report: Report) -> None:
    text = table.text(report, verbose=True)
    assert "Mark: " in text
    assert "Not found: BatchNorm2d" in text
    assert "needs the flipped kernel" in text
    assert "expected" in text


@pytest.fixture(scope="module")
def solution(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("solution")
    reference.copy(folder)
    return folder


def test_the_exit_status_is_0_for_all_1_for_less_2_for_nothing(solution: Path, tmp_path: Path) -> None:
    run = CliRunner().invoke
    assert run(app, ["grade", str(solution), "--only", "Conv1d"]).exit_code == 0
    (tmp_path / "conv.py").write_text("class Conv1d: pass\n")
    assert run(app, ["grade", str(tmp_path), "--only", "Conv1d"]).exit_code == 1
    (tmp_path / "conv.py").write_text("x = 1\n")
    nothing = run(app, ["grade", str(tmp_path)])
    assert nothing.exit_code == 2
    assert "looked in conv.py" in nothing.output
    assert run(app, ["grade", str(tmp_path / "nowhere")]).exit_code == 2
    assert run(app, ["grade"]).exit_code == 2
    assert run(app, ["grade", str(solution), "--only", "Conv9d"]).exit_code == 2
    assert run(app, ["grade", str(solution), "--rubric", "nothing.yaml"]).exit_code == 2


def test_out_is_written_whole_and_for_what_could_not_be_graded_too(solution: Path, tmp_path: Path) -> None:
    out = tmp_path / "results.json"
    run = CliRunner().invoke
    common = ["--format", "gradescope", "--out", str(out), "--only", "Upsample1d"]
    assert run(app, ["grade", str(solution), *common]).exit_code == 0
    assert Results.model_validate_json(out.read_text()).score == 3
    (tmp_path / "empty").mkdir()
    assert run(app, ["grade", str(tmp_path / "empty"), *common]).exit_code == 2
    assert Results.model_validate_json(out.read_text()).score == 0


def test_json_reads_back(solution: Path) -> None:
    done = CliRunner().invoke(app, ["grade", str(solution), "--only", "Upsample1d,Conv2d", "--format", "json"])
    report = Report.model_validate_json(done.output)
    assert [test.name for test in report.tests] == ["Upsample1d", "Conv2d"]
