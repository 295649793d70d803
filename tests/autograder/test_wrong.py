"""Planted mistakes: each loses the right parts of the right test, nothing else, and gets the right hint."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from corpus.bench import Bench
from corpus.planting import Mistake, plant
from corpus.wrong import MISTAKES

from autograder.grading import Options, grade
from autograder.hints.catalogue import SENTENCES
from autograder.result import Report
from autograder.rubric import Rubric, load


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory, default: Rubric, earlier: Rubric) -> Iterator[Bench]:
    with Bench(tmp_path_factory.mktemp("wrong"), MISTAKES, (default, earlier, load("hw1p1"))) as bench:
        yield bench


def test_there_are_enough() -> None:
    assert len(MISTAKES) >= 150
    assert len({mistake.name for mistake in MISTAKES}) == len(MISTAKES)
    assert {hint for mistake in MISTAKES for hint in mistake.hints} <= set(SENTENCES)
    assert sum(not mistake.hints for mistake in MISTAKES) <= 0.05 * len(MISTAKES)


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.name)
def test_mistake(mistake: Mistake, bench: Bench) -> None:
    """`hints` are the right ones; a mistake without any must get none, as a wrong hint is worse."""
    result = bench.grade(mistake)
    lost = {part.name: part for part in result.parts if not part.passed}
    assert set(lost) == set(mistake.parts)
    assert all(part.failure for part in lost.values())
    given = {part.hint_key for part in lost.values() if part.hint_key}
    assert given <= set(mistake.hints)
    assert bool(given) == bool(mistake.hints)


def test_a_mistake_costs_no_other_test(tmp_path: Path, default: Rubric) -> None:
    mistake = next(m for m in MISTAKES if m.name == "conv1d: kernel flipped")
    plant(mistake, tmp_path)
    report = grade(tmp_path, default)
    assert [test.check for test in report.tests if test.status != "passed"] == [mistake.cls]


def test_what_follows_from_a_mistake_is_said_to(tmp_path: Path, default: Rubric) -> None:
    """If Conv1d is built on a faulty Conv1d_stride1 it fails as well, and the report says where to begin."""
    mistake = next(m for m in MISTAKES if m.name == "conv1d: kernel flipped")
    plant(mistake, tmp_path)
    for path in (tmp_path / "correct").glob("*.py"):
        text = path.read_text()
        path.write_text(text.replace(mistake.old, mistake.new))
    report = grade(tmp_path, default, Options(only=("Conv1d_stride1", "Conv1d", "ConvTranspose1d", "Upsample1d")))
    remarks = {test.check: "".join(test.remarks) for test in report.tests}
    assert {check for check, remark in remarks.items() if "may follow from Conv1d_stride1" in remark} == {
        "Conv1d",
        "ConvTranspose1d",
    }
    assert "Upsample1d" not in "".join(remarks.values())


def test_what_does_not_follow_is_not_said_to(tmp_path: Path, default: Rubric) -> None:
    """Conv1d fails in its own padding, Conv1d_stride1 in its bias gradient: neither explains the other."""
    first = next(m for m in MISTAKES if m.name == "conv1d: dLdb over the batch only")
    second = next(m for m in MISTAKES if m.name == "conv1d: padding on one side")
    plant(second, tmp_path)
    plant(first, tmp_path, "another")
    report = grade(tmp_path, default, Options(only=("Conv1d_stride1", "Conv1d")))
    assert [test.status for test in report.tests] == ["failed", "failed"]
    assert report.tests[1].remarks == []


def test_hints_can_be_switched_off(bench: Bench, tmp_path: Path, default: Rubric) -> None:
    mistake = next(m for m in MISTAKES if m.hints)
    plant(mistake, tmp_path)
    report = grade(tmp_path, _without_hints(default), Options(only=(mistake.cls,)))
    assert _hints(report) == []
    assert bench.grade(mistake).hints != []


def _without_hints(rubric: Rubric) -> Rubric:
    sections = [
        section.model_copy(update={"tests": [test.model_copy(update={"hints": False}) for test in section.tests]})
        for section in rubric.sections
    ]
    return rubric.model_copy(update={"sections": sections})


def _hints(report: Report) -> list[str]:
    return [hint for test in report.tests for hint in test.hints]
