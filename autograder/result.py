"""The results of grading as data; every report format is written from them."""

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict

from autograder.text import line, plain

# What a submission wrote may be in any of these: every renderer gets it free of control characters.
Text = Annotated[str, AfterValidator(plain)]
Line = Annotated[str, AfterValidator(line)]

Status = Literal["passed", "failed", "missing", "violation", "crashed", "unwritten", "ungraded"]
"""ungraded: the grader lacks PyTorch, which this test needs. Such a test has no mark; its points are not counted."""


class _Data(BaseModel):
    model_config = ConfigDict(frozen=True)


class PartResult(_Data):
    """One part of a test."""

    name: str
    points: float
    earned: float
    failure: Text = ""  # the smallest failing case
    hint: Text = ""  # the sentence
    hint_key: str = ""
    case: dict[str, Any] | None = None  # the failing case, as mytorch.explain stores it
    drawing: Text = ""  # the file that shows it, where one was written

    @property
    def passed(self) -> bool:
        """Whether it earned all its points."""
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
    message: Text = ""  # what is shown above the parts
    remarks: list[Text] = []
    output: Text = ""  # the end of its printed output
    seconds: float = 0.0

    @property
    def points(self) -> float:
        """Its points."""
        return sum(part.points for part in self.parts)

    @property
    def earned(self) -> float:
        """The points that it earned, to two decimals."""
        return round(sum(part.earned for part in self.parts), 2)

    @property
    def hints(self) -> list[str]:
        """The hints of its parts, each once."""
        return list(dict.fromkeys(part.hint for part in self.parts if part.hint))


class Standing(_Data):
    """What a leaderboard ranks: samples per second, accuracy from 0 to 1, and why one of them is missing."""

    speed: float | None = None
    accuracy: float | None = None
    epochs: int = 0
    reason: Text = ""


class Report(_Data):
    """A whole submission."""

    submission: Line
    rubric: str
    seed: int
    tests: list[TestResult]
    full: float  # of the graded tests, without extra credit
    missing: list[str] = []
    notes: list[Text] = []
    protections: dict[str, bool] = {}
    standing: Standing | None = None

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
        """The extra credit that is possible."""
        return sum(test.points for test in self.tests if test.extra and test.status != "ungraded")

    @property
    def unwritten(self) -> list[str]:
        """The tests whose class is not written yet."""
        return [test.name for test in self.tests if test.status == "unwritten"]

    @property
    def ungraded(self) -> list[str]:
        """The tests that the grader could not grade, because PyTorch is not installed."""
        return [test.name for test in self.tests if test.status == "ungraded"]

    @property
    def is_full(self) -> bool:
        """Whether the mark is the full mark and every test was graded; extra credit does not matter."""
        return not self.ungraded and all(test.earned >= test.points for test in self.tests if not test.extra)


@dataclass(frozen=True)
class Entry:
    """One submission of a class: its report, or why there is none.

    failed: the grader failed, not the submission, which therefore has no mark. page: the file in reports/ that draws
    its failed cases.
    """

    name: str
    report: Report | None
    reason: str = ""
    kept: bool = False  # from an earlier run
    failed: bool = False
    page: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", line(self.name))
        object.__setattr__(self, "reason", plain(self.reason))

    @property
    def mark(self) -> float | None:
        """Without extra credit; 0 where the submission cannot be read, None where the grader failed."""
        if self.failed:
            return None
        return self.report.mark if self.report else 0.0
