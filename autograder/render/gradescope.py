"""The report as Gradescope's results.json.

https://gradescope-autograders.readthedocs.io/en/latest/specs/ describes the fields; `Results` is our transcription, and
what is written has passed through it.
"""

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from autograder.render.table import explanation, summary, weaknesses
from autograder.result import Report
from autograder.rubric import Rubric

Visibility = Literal["hidden", "after_due_date", "after_published", "visible"]
OutputFormat = Literal["text", "html", "simple_format", "md", "ansi"]
_MAX_OUTPUT = 20_000


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Test(_Strict):
    """One entry of `tests`."""

    score: float | None = None
    max_score: float | None = None
    status: Literal["passed", "failed"] | None = None
    name: str | None = None
    name_format: OutputFormat | None = None
    number: str | None = None
    output: str | None = None
    output_format: OutputFormat | None = None
    tags: list[str] | None = None
    visibility: Visibility | None = None
    extra_data: dict[str, Any] | None = None


class Leader(_Strict):
    """One entry of `leaderboard`."""

    name: str
    value: float | str
    order: Literal["asc", "desc"] | None = None


class Results(_Strict):
    """The whole file. It has a score of its own or tests, of which Gradescope then adds up the scores."""

    score: float | None = None
    execution_time: Annotated[float, Field(ge=0)] | None = None
    output: str | None = None
    output_format: OutputFormat | None = None
    test_output_format: OutputFormat | None = None
    test_name_format: OutputFormat | None = None
    visibility: Visibility | None = None
    stdout_visibility: Visibility | None = None
    extra_data: dict[str, Any] | None = None
    tests: list[Test] | None = None
    leaderboard: list[Leader] | None = None

    @model_validator(mode="after")
    def _scored(self) -> Self:
        if self.score is None and not self.tests:
            raise ValueError("either `score` or `tests` has to be there")
        return self


def render(report: Report) -> str:
    """The file's text. Extra credit counts above the assignment's points, as Gradescope has it: max_score 0."""
    tests = [
        Test(
            score=test.earned,
            max_score=0 if test.extra else test.points,
            status="passed" if test.status == "passed" else "failed",
            name=test.name,
            name_format="text",
            number=str(number),
            output=explanation(test)[:_MAX_OUTPUT],
            output_format="text",
            tags=[test.section],
            visibility=test.visibility,  # type: ignore[arg-type]
            extra_data={"parts": {part.name: part.earned for part in test.parts}, "hints": test.hints},
        )
        for number, test in enumerate(report.tests, 1)
    ]
    return _written(
        Results(
            score=round(report.mark + report.extra, 2),
            output="\n".join([summary(report), *_missing(report)])[:_MAX_OUTPUT],
            output_format="text",
            visibility="visible",
            stdout_visibility="hidden",
            tests=tests,
            leaderboard=_leaders(report),
            extra_data={"seed": report.seed, "rubric": report.rubric, "notes": report.notes + weaknesses(report)},
        )
    )


def ungraded(rubric: Rubric, reason: str) -> str:
    """The file for a submission that could not be graded."""
    return _written(
        Results(
            score=0.0,
            output=f"This submission could not be graded: {reason}"[:_MAX_OUTPUT],
            output_format="text",
            visibility="visible",
            stdout_visibility="hidden",
            tests=[],
            extra_data={"rubric": rubric.title},
        )
    )


def _leaders(report: Report) -> list[Leader] | None:
    """The leaderboard's columns; a value that could not be measured is 0."""
    standing = report.standing
    if standing is None:
        return None
    return [
        Leader(name="Accuracy", value=standing.accuracy or 0.0, order="desc"),
        Leader(name="Samples per second", value=standing.speed or 0.0, order="desc"),
    ]


def _missing(report: Report) -> list[str]:
    return [f"Not found: {', '.join(report.missing)}"] if report.missing else []


def _written(results: Results) -> str:
    return results.model_dump_json(indent=2, exclude_none=True) + "\n"
