"""Grades many planted mistakes in one sandbox, each with the one test of its class."""

import os
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from types import TracebackType

from autograder.checks import FAMILIES
from autograder.contract import CLASSES, FILES
from autograder.discovery import Definition, Found, find
from autograder.grading import grade_test
from autograder.result import TestResult
from autograder.rubric import Rubric, Section, Test
from autograder.sandbox.host import Sandbox
from corpus.planting import Mistake, plant


class Bench:
    """A correct solution and a folder for each mistake: `with Bench(folder, mistakes, rubrics) as bench`."""

    def __init__(self, folder: Path, mistakes: Sequence[Mistake], rubrics: Sequence[Rubric]) -> None:
        self._places = {mistake.name: f"m{number}" for number, mistake in enumerate(mistakes)}
        for mistake in mistakes:
            plant(mistake, folder, self._places[mistake.name])
        os.chmod(folder, 0o755)  # a worker may run as another user
        self._tests: dict[str, tuple[Rubric, Section, Test]] = {}
        for rubric in rubrics:
            for section, test in rubric.tests:
                self._tests.setdefault(test.check, (rubric, section, test))
        self._correct = find(folder, CLASSES)
        self._box = Sandbox(folder, rubrics[0].forbidden, rubrics[0].libraries)

    def __enter__(self) -> "Bench":
        self._box.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._box.__exit__(kind, error, trace)

    def grade(self, mistake: Mistake, seed: int = 11) -> TestResult:
        """The result of the faulty class's own test."""
        rubric, section, test = self._tests[mistake.cls]
        return grade_test(section, test, seed, self._found(mistake), self._box, rubric)

    def _found(self, mistake: Mistake) -> Found:
        place = self._places[mistake.name]
        file = next(PurePosixPath(file).name for file, names in FILES.items() if mistake.cls in names)
        known = {
            name: next(d for d in (own, *self._correct.others.get(name, [])) if d.file.parts[0].startswith("correct"))
            for name, own in self._correct.classes.items()
            if name in FAMILIES[mistake.cls].uses
        }
        faulty = Definition(mistake.cls, PurePosixPath(place, file), 1, stub=False)
        folders = [(".", False), (place, False), ("correct", False), ("correct_models", False)]
        return Found({**known, mistake.cls: faulty}, {}, [], {}, folders)
