"""Correct submissions of every style get full marks, and so does the reference, quickly and always the same."""

import ast
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from corpus.right import STYLES

from autograder import reference
from autograder.checks import FAMILIES
from autograder.grading import Options, grade
from autograder.render import autolab, gradescope
from autograder.result import Report
from autograder.rubric import Rubric, load, names

# Which of their own files the styles with other arithmetic have to be graded on.
_OWN = {
    "loops_in_one_file": ("Conv1d_stride1: conv1d.py", "Conv2d_stride1: conv2d.py", "MaxPool2d_stride1: pool.py"),
    "as_strided": ("Conv2d_stride1: conv2d.py",),
    "convolve": ("Conv1d_stride1: conv1d.py",),
    "im2col_and_prints": ("Conv2d_stride1: conv2d.py",),
    "aliases": ("Conv1d_stride1: conv1d.py", "Conv2d_stride1: conv2d.py"),
}


def test_there_are_enough() -> None:
    assert len(STYLES) >= 10


@pytest.mark.slow
@pytest.mark.parametrize("style", STYLES, ids=lambda style: style.__name__)
def test_style(style: Callable[[Path], None], tmp_path: Path, default: Rubric, earlier: Rubric) -> None:
    style(tmp_path)
    zipped = tmp_path / "handin.zip"
    source = zipped if zipped.exists() else tmp_path

    for rubric in (default, earlier):
        report = grade(source, rubric)
        assert _failures(report) == []
        assert (report.mark, report.extra) == (100, report.extra_full)
        if rubric is default:
            for own in _OWN.get(style.__name__, ()):
                assert any(note.startswith(own) for note in report.notes)


@pytest.mark.parametrize("name", names())
def test_the_reference_earns_everything_under_every_rubric(name: str, tmp_path: Path) -> None:
    rubric = load(name)
    reference.copy(tmp_path, rubric.dialect)
    report = grade(tmp_path, rubric)
    assert _failures(report) == []
    assert (report.mark, report.extra) == (100, report.extra_full)


@pytest.mark.parametrize("todo", ["print('todo')", "self.done = False\nreturn None", "return np.array(None)"])
@pytest.mark.parametrize("name", ["default", "cmu-f25", "hw1p1", "bonus"])
def test_an_empty_implementation_earns_nothing(name: str, todo: str, tmp_path: Path) -> None:
    """Constructors, zero_grads and the like are given; forward, backward and step are still to be written."""
    rubric = load(name)
    reference.copy(tmp_path, rubric.dialect)
    for path in tmp_path.rglob("*.py"):
        path.write_text(_emptied(path.read_text(), todo))
    report = grade(tmp_path, rubric)
    earned = {test.name: test.earned for test in report.tests if test.earned}
    assert earned == {}


def _emptied(text: str, todo: str) -> str:
    """A module with these statements for the bodies of its layers' methods."""
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and node.name in ("forward", "backward", "step", "init_weights"):
            node.body = ast.parse(todo).body
    return ast.unparse(tree)


def test_reference_earns_everything_in_a_minute(tmp_path: Path, default: Rubric, earlier: Rubric) -> None:
    reference.copy(tmp_path)
    before = os.times()
    report = grade(tmp_path, default)
    used = [now - then for now, then in zip(os.times()[:4], before[:4], strict=True)]
    assert sum(used) < 60  # seconds of computing, of this process and its workers: a busy machine does not count
    assert (report.mark, report.full, report.extra, report.extra_full) == (100, 100, 15, 15)
    assert (grade(tmp_path, earlier).mark, earlier.full) == (100, 100)


def test_any_seed_and_strict_float32_are_fair_to_the_reference(tmp_path: Path, default: Rubric) -> None:
    reference.copy(tmp_path)
    strict = default.model_copy(update={"float32": "dtype"})
    for seed in (0, 12345):
        report = grade(tmp_path, strict, Options(seed=seed))
        assert _failures(report) == []


def test_grading_is_deterministic(tmp_path: Path, default: Rubric) -> None:
    reference.copy(tmp_path)
    path = tmp_path / "mytorch" / "course" / "conv1d.py"
    path.write_text(path.read_text().replace("W[:, :, ::-1]", "W"))
    only = Options(seed=3, only=("Conv1d", "Conv1d_stride1", "CNN", "Dropout2d"))
    first, second = grade(tmp_path, default, only), grade(tmp_path, default, only)
    assert first.mark < first.full
    assert gradescope.render(first) == gradescope.render(second)
    assert autolab.render(first) == autolab.render(second)
    other = grade(tmp_path, default, Options(seed=4, only=only.only))
    assert gradescope.render(other) != gradescope.render(first)


def _failures(report: Report) -> list[str]:
    return [f"{test.name}: {part.failure}" for test in report.tests for part in test.parts if not part.passed]


@pytest.mark.parametrize("name", ["MLP0", "MLP1", "MLP4"])
def test_no_expected_gradient_of_an_mlp_is_all_zeros(name: str) -> None:
    """A gradient of zeros would be right where backward is not written."""
    for seed in range(40):
        for case in FAMILIES[name].build(seed, "contract"):
            assert all(value.value.any() for value in case.expected.values() if value.what != "the output")
