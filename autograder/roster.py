"""Who handed something in, told from its name as learning platforms name downloads."""

import dataclasses
import re

from autograder.archives import without_suffix
from autograder.text import line

# Canvas: doejane_LATE_1234_56789_hw2.zip (the user, the submission), with -1, -2 for what was uploaded again.
_CANVAS = re.compile(r"(?P<student>[^_]+)(?P<late>_LATE)?_(?P<id>\d+)_\d+_.*?(-(?P<attempt>\d+))?", re.DOTALL)
# Moodle: Jane Doe_1234567_assignsubmission_file, a folder or followed by the file's own name.
_MOODLE = re.compile(r"(?P<student>[^_]+)_(?P<id>\d+)_assignsubmission_file.*", re.DOTALL)
_NUMBERED = re.compile(r"(?P<student>.+?)[ _.\-]+(attempt|version|try|v)[ _\-]?(?P<attempt>\d+)", re.I | re.DOTALL)


@dataclasses.dataclass(frozen=True)
class HandIn:
    """student: who, as well as it can be told. id: the platform's number of this person, or "". attempt: from 0."""

    student: str
    id: str = ""
    attempt: int = 0


def identify(name: str, pattern: re.Pattern[str] | None = None) -> HandIn:
    """Who handed in a file or folder of this name.

    pattern: a regular expression for the whole name without its suffix, with the group `student` and, if need be, `id`
    and `attempt`; by default what Canvas and Moodle write, and names such as alice_attempt2.
    """
    stem = without_suffix(name)
    stem = re.sub(r"\.(py|ipynb)$", "", stem, flags=re.IGNORECASE)
    for known in (pattern,) if pattern else (_MOODLE, _CANVAS, _NUMBERED):
        match = known.fullmatch(stem)
        if match:
            groups = match.groupdict()
            attempt = groups.get("attempt") or "0"
            return HandIn(line(groups["student"] or stem), groups.get("id") or "", int(attempt[:9]))
    return HandIn(line(stem))
