"""The report as Autolab reads it: anything for the student, and the scores as JSON in the last line.

https://docs.autolabproject.com/lab/ : `{"scores": {"Problem": points, ...}}`, a problem for each section of the rubric;
and with a leaderboard `"scoreboard": [...]`, whose columns `COLUMNS` names to Autolab.
"""

import json

from autograder.render import table
from autograder.result import Report, Standing
from autograder.rubric import Rubric

COLUMNS = json.dumps({"scoreboard": [{"hdr": "Accuracy"}, {"hdr": "Samples per second"}]})


def render(report: Report) -> str:
    """Hidden tests count, and are not explained."""
    tests = [test if test.visibility == "visible" else test.model_copy(update={"parts": []}) for test in report.tests]
    shown = report.model_copy(update={"tests": [test for test in tests if test.parts]})
    hidden = len(tests) - len(shown.tests)
    lines = [table.text(shown), f"{hidden} hidden tests count as well." if hidden else ""]
    scores: dict[str, float] = {}
    for test in report.tests:
        scores[test.section] = round(scores.get(test.section, 0.0) + test.earned, 2)
    return _with_scores("\n".join(lines), scores, report.standing)


def ungraded(rubric: Rubric, reason: str) -> str:
    """Zeros, and why."""
    return _with_scores(
        f"This submission could not be graded: {reason}", {section.name: 0.0 for section in rubric.sections}
    )


def _with_scores(text: str, scores: dict[str, float], standing: Standing | None = None) -> str:
    values: dict[str, object] = {"scores": scores}
    if standing is not None:
        values["scoreboard"] = [standing.accuracy or 0.0, standing.speed or 0.0]
    return f"{text.rstrip()}\n\n{json.dumps(values)}\n"
