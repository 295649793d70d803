"""Planted mistakes: each loses points in the right parts of the right test, none elsewhere, and gets the right hint."""

from pathlib import Path

import pytest
from corpus.planting import Mistake, plant
from corpus.wrong import DEFAULT, EARLIER

from autograder.grading import Options, grade
from autograder.hints.catalogue import SENTENCES
from autograder.result import Report
from autograder.rubric import Rubric

_MISTAKES = [*DEFAULT, *EARLIER]


def test_there_are_enough() -> None:
    assert len(_MISTAKES) >= 60
    assert len({mistake.name for mistake in _MISTAKES}) == len(_MISTAKES)
    assert {hint for mistake in _MISTAKES for hint in mistake.hints} <= set(SENTENCES)


@pytest.mark.slow
@pytest.mark.parametrize("mistake", _MISTAKES, ids=lambda mistake: mistake.name)
def test_mistake(mistake: Mistake, tmp_path: Path, default: Rubric, earlier: Rubric) -> None:
    rubric = default if mistake in DEFAULT else earlier
    plant(mistake, tmp_path)

    report = grade(tmp_path, rubric, Options())

    tests = {test.check: test for test in report.tests}
    faulty = tests.pop(mistake.cls)
    assert [name for name, test in tests.items() if test.status != "passed"] == []
    lost = [part.name for part in faulty.parts if not part.passed]
    assert set(mistake.parts) <= set(lost)
    assert all(part.failure for part in faulty.parts if not part.passed)
    assert set(mistake.hints) & {part.hint_key for part in faulty.parts}


def test_what_follows_from_a_mistake_is_said_to(tmp_path: Path, default: Rubric) -> None:
    """Where Conv1d is built of a faulty Conv1d_stride1 it fails as well, and the report says where to begin."""
    mistake = next(m for m in DEFAULT if m.name == "conv1d: kernel flipped")
    plant(mistake, tmp_path)
    for path in (tmp_path / "correct").glob("*.py"):
        text = path.read_text()
        path.write_text(text.replace(mistake.old, mistake.new))
    report = grade(tmp_path, default, Options(only=("Conv1d_stride1", "Conv1d")))
    assert [test.status for test in report.tests] == ["failed", "failed"]
    assert "may follow from Conv1d_stride1" in "".join(report.tests[1].remarks)


def test_hints_can_be_switched_off(tmp_path: Path, default: Rubric) -> None:
    plant(DEFAULT[0], tmp_path)
    silent = _without_hints(default)
    report = grade(tmp_path, silent, Options(only=(DEFAULT[0].cls,)))
    assert _hints(report) == []
    assert _hints(grade(tmp_path, default, Options(only=(DEFAULT[0].cls,)))) != []


def _without_hints(rubric: Rubric) -> Rubric:
    sections = [
        section.model_copy(update={"tests": [test.model_copy(update={"hints": False}) for test in section.tests]})
        for section in rubric.sections
    ]
    return rubric.model_copy(update={"sections": sections})


def _hints(report: Report) -> list[str]:
    return [hint for test in report.tests for hint in test.hints]
