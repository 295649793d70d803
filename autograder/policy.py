"""What lateness costs, and which of several attempts counts. Written in YAML by the teacher, checked here."""

import csv
import dataclasses
import datetime as dt
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from autograder.result import Entry
from autograder.roster import HandIn, identify
from autograder.submission import SubmissionError, files_below
from autograder.text import expected_words, line

_DAY = 24 * 60 * 60


class PolicyError(ValueError):
    """A policy, or a list of times, that cannot be used; the message names the file and each mistake in it."""


class Policy(BaseModel):
    """due: a time; without a time zone, it is this machine's. Each day begun after `grace_minutes` costs `per_day`
    percent of what was earned, from `max_days` on all of it. extensions: days for single students, by name or id.

    attempts: which of a student's hand-ins counts. student: a regular expression for names of hand-ins, see `roster`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    due: dt.datetime | None = None
    grace_minutes: float = Field(default=0, ge=0)
    per_day: float = Field(default=0, ge=0, le=100)
    max_days: int | None = Field(default=None, ge=0)
    extensions: dict[str, Annotated[float, Field(ge=0)]] = {}
    attempts: Literal["best", "last", "all"] = "best"
    student: str | None = None

    @field_validator("student")
    @classmethod
    def _usable(cls, pattern: str | None) -> str | None:
        if pattern is not None:
            try:
                groups = re.compile(pattern).groupindex
            except re.error as error:
                raise ValueError(f"not a regular expression: {error}") from error
            if "student" not in groups:
                raise ValueError("expected a group called student: (?P<student>...)")
        return pattern

    @field_validator("due")
    @classmethod
    def _aware(cls, due: dt.datetime | None) -> dt.datetime | None:
        return due.astimezone() if due is not None and due.tzinfo is None else due


@dataclasses.dataclass(frozen=True)
class Scored:
    """An entry under a policy.

    final: the points after lateness, None where the grader failed. counts: whether it is its student's mark.
    """

    entry: Entry
    hand_in: HandIn
    days_late: int
    final: float | None
    counts: bool


def load(path: Path) -> Policy:
    """A policy from a YAML file; PolicyError names the file and every mistake."""
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
        if not isinstance(values, Mapping):
            raise PolicyError(f"{path}: expected a mapping, with `due`, `per_day` or `attempts`")
        return Policy.model_validate(values)
    except OSError as error:
        raise PolicyError(f"{path}: {error.strerror}") from error
    except ValidationError as error:
        lines = [
            f"  {'.'.join(map(str, item['loc'])) or 'policy'}: {expected_words(item['msg'])}" for item in error.errors()
        ]
        raise PolicyError("\n".join([f"{path}:", *lines])) from error
    except (yaml.YAMLError, ValueError) as error:
        if isinstance(error, PolicyError):
            raise
        raise PolicyError(f"{path}: not YAML: {line(str(error))}") from error


def read_times(path: Path) -> dict[str, dt.datetime]:
    """When each submission was handed in, from a CSV file with the columns `submission` and `time` (ISO 8601)."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise PolicyError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from error
    found = {}
    for number, row in enumerate(rows, 2):
        name, text = row.get("submission"), row.get("time")
        if not name or not text:
            raise PolicyError(f"{path}, line {number}: expected a `submission` and a `time`")
        try:
            found[name] = dt.datetime.fromisoformat(text.strip()).astimezone()
        except ValueError as error:
            raise PolicyError(
                f"{path}, line {number}: expected a time such as 2026-03-01T23:59, got {text!r}"
            ) from error
    return found


def handed_in(source: Path) -> dt.datetime | None:
    """When a submission was last changed: a folder when the newest file in it was; None where that cannot be read."""
    try:
        files = list(files_below(source)) if source.is_dir() else [source]
        times = [path.lstat().st_mtime for path in files]
        return dt.datetime.fromtimestamp(max(times)).astimezone() if times else None
    except (OSError, SubmissionError):
        return None


def apply(policy: Policy, entries: Sequence[Entry], times: Mapping[str, dt.datetime | None]) -> list[Scored]:
    """What each entry comes to; `times` are by the entries' names."""
    pattern = re.compile(policy.student) if policy.student else None
    found = []
    for entry in entries:
        hand_in = identify(entry.name, pattern)
        days = _days_late(policy, hand_in, times.get(entry.name))
        found.append(Scored(entry, hand_in, days, _final(policy, entry, days), counts=True))
    if policy.attempts == "all":
        return found
    counting: dict[str, tuple[tuple[float, ...], int]] = {}
    for place, scored in enumerate(found):
        student = scored.hand_in.id or scored.hand_in.student
        time = times.get(scored.entry.name)
        last: tuple[float, ...] = (scored.hand_in.attempt, time.timestamp() if time else 0.0, place)
        rank = last if policy.attempts == "last" else (-1.0 if scored.final is None else scored.final, *last)
        if student not in counting or rank > counting[student][0]:
            counting[student] = (rank, place)
    chosen = {place for _, place in counting.values()}
    return [dataclasses.replace(scored, counts=place in chosen) for place, scored in enumerate(found)]


def _days_late(policy: Policy, hand_in: HandIn, time: dt.datetime | None) -> int:
    """Days begun after what the student had, 0 where nothing says that it was late."""
    if policy.due is None or time is None:
        return 0
    more = policy.extensions.get(hand_in.student, policy.extensions.get(hand_in.id, 0.0))
    late = (time - policy.due).total_seconds() - more * _DAY - policy.grace_minutes * 60
    return math.ceil(late / _DAY) if late > 0 else 0


def _final(policy: Policy, entry: Entry, days: int) -> float | None:
    if entry.failed:
        return None
    earned = entry.report.mark + entry.report.extra if entry.report else 0.0
    if policy.max_days is not None and days > policy.max_days:
        return 0.0
    return round(earned * max(0.0, 1 - policy.per_day * days / 100), 2)
