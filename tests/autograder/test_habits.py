"""Correct solutions in students' styles: the mark is what their own faults cost, and no more."""

from pathlib import Path

import pytest
from corpus.right.habits import HABITS, Habit

from autograder.grading import Options, grade
from autograder.rubric import load


def test_there_are_enough() -> None:
    assert len(HABITS) >= 40
    assert len({habit.name for habit in HABITS}) == len(HABITS)


@pytest.mark.parametrize("habit", HABITS, ids=lambda habit: habit.name)
def test_habit(habit: Habit, tmp_path: Path) -> None:
    habit.build(tmp_path)
    report = grade(tmp_path, load(habit.rubric), Options(seed=3, only=habit.only))
    parts = [(test.name, part) for test in report.tests for part in test.parts]
    lost = [f"{name}: {part.name}: {part.failure}" for name, part in parts if not part.passed]
    assert report.mark == pytest.approx(report.full - habit.cost, abs=0.01), lost
    assert bool(lost) == bool(habit.cost)
