"""The report as PrairieLearn's external grader writes it: /grade/results/results.json.

https://prairielearn.readthedocs.io/en/latest/externalGrading/ describes the fields; `Results` is our transcription, and
what is written has passed through it.
"""

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from autograder.render.table import explanation, summary
from autograder.result import Report, TestResult

_MAX_OUTPUT = 20_000
_MAX_FILE = 1_000_000  # bytes


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Test(_Strict):
    """One entry of `tests`."""

    name: str
    description: str | None = None
    points: float
    max_points: float
    message: str | None = None
    output: str | None = None


class Results(_Strict):
    """The whole file: gradable with a score, or not gradable, which costs the student no attempt."""

    gradable: bool = True
    score: Annotated[float, Field(ge=0, le=1)] | None = None
    message: str | None = None
    output: str | None = None
    format_errors: list[str] | None = None
    tests: list[Test] | None = None

    @model_validator(mode="after")
    def _scored(self) -> Self:
        if self.gradable == (self.score is None):
            raise ValueError("a gradable result has a score, and no other has")
        return self


def render(report: Report) -> str:
    """The file's text. Hidden tests count, and only their points are shown; extra credit fills up to the full mark."""
    full = report.full or report.extra_full
    score = min(1.0, (report.mark + report.extra) / full) if full else 1.0
    results = Results(score=round(score, 6), message=summary(report), tests=list(map(_test, report.tests)))
    text = _written(results)
    if len(text.encode()) > _MAX_FILE:
        tests = [test.model_copy(update={"output": (test.output or "")[:2000]}) for test in results.tests or ()]
        text = _written(results.model_copy(update={"tests": tests}))
    return text


def ungraded(reason: str) -> str:
    """The file for a submission that could not be graded, or on which the grader failed."""
    return _written(
        Results(gradable=False, message="This submission could not be graded.", format_errors=[reason[:_MAX_OUTPUT]])
    )


def _test(test: TestResult) -> Test:
    shown = test.visibility == "visible"
    return Test(
        name=test.name,
        description=test.section,
        points=test.earned,
        max_points=test.points,
        output=explanation(test)[:_MAX_OUTPUT] if shown else None,
    )


def _written(results: Results) -> str:
    return results.model_dump_json(indent=2, exclude_none=True) + "\n"
