"""Speed and accuracy of a CNN: measured from outside, in the platforms' formats, and as a page."""

import csv
import json
from html.parser import HTMLParser
from pathlib import Path

import pytest
from typer.testing import CliRunner

from autograder import leaderboard, reference
from autograder.cli import app
from autograder.grading import Options, grade
from autograder.leaderboard import Ranked, of, rank
from autograder.render import autolab, gradescope, leaderpage
from autograder.result import Standing
from autograder.rubric import Rubric

CNN = "models/scratch/course_cnn.py"


@pytest.fixture
def solution(tmp_path: Path) -> Path:
    folder = tmp_path / "solution"
    reference.copy(folder)
    return folder


def _edit(folder: Path, old: str, new: str) -> None:
    file = folder / CNN
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fewer epochs and steps: what is tested here is not how well ours learns."""
    monkeypatch.setattr(leaderboard, "_EPOCHS", 12)
    monkeypatch.setattr(leaderboard, "_STEPS", (4,))


def test_a_right_network_learns_and_its_speed_counts(solution: Path, default: Rubric) -> None:
    standing = of(solution, default, 60, 5)
    assert standing.accuracy is not None
    assert standing.accuracy > 0.85  # 0.25 by chance
    assert standing.epochs == leaderboard._EPOCHS
    assert standing.speed is not None
    assert standing.speed > 0
    assert standing.reason == ""


@pytest.mark.usefixtures("quick")
def test_the_speed_of_wrong_values_does_not_count(solution: Path, default: Rubric) -> None:
    _edit(solution, "- self.lr * ", "+ self.lr * ")
    standing = of(solution, default, 60, 5)
    assert standing.speed is None
    assert "computes wrong values" in standing.reason
    assert standing.accuracy is not None
    assert standing.accuracy < 0.6


@pytest.mark.usefixtures("quick")
def test_a_slow_network_gets_fewer_epochs_within_the_budget(solution: Path, default: Rubric) -> None:
    _edit(
        solution,
        "    def step(self) -> None:\n",
        "    def step(self) -> None:\n        import time; time.sleep(0.05)\n",
    )
    standing = of(solution, default, 4, 5)
    assert standing.accuracy is not None
    assert 0 < standing.epochs < 6
    fast = of(Path(solution), default, 60, 5)
    assert fast.epochs > standing.epochs


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(
    ("old", "new", "wanted"),
    [
        ("        return self.Z\n", "        raise ValueError('\\x1b[2J')\n", "ValueError"),
        ("        return self.Z\n", "        import os; os._exit(0)\n", "ended"),
        ("        return self.Z\n", "        return self.Z * np.nan\n", "wrong values"),
        ("        return self.Z\n", "        return 'no array'\n", "wrong values"),
    ],
)
def test_what_cannot_be_ranked_says_why(old: str, new: str, wanted: str, solution: Path, default: Rubric) -> None:
    _edit(solution, old, new)
    standing = of(solution, default, 30, 5)
    assert (standing.speed, standing.accuracy) == (None, None)
    assert wanted in standing.reason
    assert "\x1b" not in standing.reason


@pytest.mark.usefixtures("quick")
def test_one_hand_in_harms_no_other(solution: Path, tmp_path: Path, default: Rubric) -> None:
    (tmp_path / "none.py").write_text("x = 1\n")
    (tmp_path / "broken.zip").write_bytes(b"PK\x05\x06" + bytes(8))
    ranked, ours = rank([tmp_path / "none.py", tmp_path / "broken.zip", solution], default, 30, 5)
    assert [entry.name for entry in ranked] == ["solution", "broken.zip", "none.py"]
    assert ranked[0].standing.accuracy == ours.accuracy
    assert "CNN was not found" in ranked[2].standing.reason
    assert "broken.zip" in ranked[1].standing.reason


@pytest.mark.usefixtures("quick")
def test_gradescope_and_autolab_get_the_leaderboard_if_the_rubric_has_one(solution: Path, default: Rubric) -> None:
    without = grade(solution, default, Options(only=("Upsample1d",)))
    assert "leaderboard" not in json.loads(gradescope.render(without))
    assert "scoreboard" not in json.loads(autolab.render(without).splitlines()[-1])
    report = grade(solution, default.model_copy(update={"leaderboard": 30.0}), Options(only=("Upsample1d",)))
    values = json.loads(gradescope.render(report))
    gradescope.Results.model_validate(values)
    accuracy, speed = values["leaderboard"]
    assert (accuracy["name"], accuracy["order"]) == ("Accuracy", "desc")
    assert 0.25 < accuracy["value"] <= 1
    assert speed["value"] > 0
    last = json.loads(autolab.render(report).splitlines()[-1])
    assert last["scoreboard"] == [accuracy["value"], speed["value"]]
    columns = json.loads(autolab.COLUMNS)["scoreboard"]
    assert [column["hdr"] for column in columns] == [accuracy["name"], speed["name"]]


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.seen: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)


def test_the_page_escapes_names_and_gives_ratios() -> None:
    ours = Standing(speed=200.0, accuracy=0.9, epochs=60)
    ranked = [
        Ranked("<script>alert(1)</script>", Standing(speed=100.0, accuracy=0.8, epochs=60)),
        Ranked("b", Standing(reason="<img src=x>")),
    ]
    text = leaderpage.page(ranked, ours, 10, 3)
    tags = _Tags()
    tags.feed(text)
    assert not tags.seen & {"script", "img", "link"}
    assert "0.50×" in text
    assert "80.0%" in text


@pytest.mark.usefixtures("quick")
def test_the_command_writes_page_and_table(solution: Path, tmp_path: Path) -> None:
    folder, out = tmp_path / "class", tmp_path / "out"
    folder.mkdir()
    solution.rename(folder / "=ann")
    done = CliRunner().invoke(app, ["leaderboard", str(folder), "--out", str(out), "--seconds", "30", "--seed", "5"])
    assert done.exit_code == 0, done.output
    with (out / "leaderboard.csv").open() as file:
        (row,) = csv.DictReader(file)
    assert row["hand-in"] == "'=ann"
    assert float(row["accuracy"]) > 0.25
    assert "our own solution" in (out / "leaderboard.html").read_text()
    assert CliRunner().invoke(app, ["leaderboard", str(tmp_path / "nowhere")]).exit_code == 2
