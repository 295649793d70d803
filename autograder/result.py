"""What grading finds out, as data that every format is written from."""

from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, ConfigDict

Status = Literal["passed", "failed", "missing", "violation", "crashed"]


class _Data(BaseModel):
    model_config = ConfigDict(frozen=True)


class PartResult(_Data):
    """One part of a test."""

    name: str
    points: float
    earned: float
    failure: str = ""  # the smallest failing case, in words and numbers
    hint: str = ""  # the sentence
    hint_key: str = ""

    @property
    def passed(self) -> bool:
        """Whether nothing is missing."""
        return self.earned == self.points


class TestResult(_Data):
    """One test."""

    name: str
    section: str
    check: str
    extra: bool
    visibility: str
    status: Status
    parts: list[PartResult]
    message: str = ""  # what stands above the parts
    remarks: list[str] = []
    output: str = ""  # the end of what the submission printed
    seconds: float = 0.0

    @property
    def points(self) -> float:
        """What it is worth."""
        return sum(part.points for part in self.parts)

    @property
    def earned(self) -> float:
        """What it earned, to the cent."""
        return round(sum(part.earned for part in self.parts), 2)

    @property
    def hints(self) -> list[str]:
        """The sentences of its parts, each once."""
        return list(dict.fromkeys(part.hint for part in self.parts if part.hint))


class Report(_Data):
    """A whole submission."""

    submission: str
    rubric: str
    seed: int
    tests: list[TestResult]
    full: float  # without extra credit
    missing: list[str] = []
    notes: list[str] = []
    protections: dict[str, bool] = {}

    @property
    def mark(self) -> float:
        """Without extra credit."""
        return round(sum(test.earned for test in self.tests if not test.extra), 2)

    @property
    def extra(self) -> float:
        """Extra credit."""
        return round(sum(test.earned for test in self.tests if test.extra), 2)

    @property
    def extra_full(self) -> float:
        """The extra credit that there is."""
        return sum(test.points for test in self.tests if test.extra)

    @property
    def is_full(self) -> bool:
        """Whether the mark is the full mark; extra credit does not matter."""
        return all(test.earned >= test.points for test in self.tests if not test.extra)


@dataclass(frozen=True)
class Entry:
    """One submission of a class: its report, or why there is none."""

    name: str
    report: Report | None
    reason: str = ""
    kept: bool = False  # from an earlier run
