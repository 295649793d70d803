"""What a gallery holds, as its store gives and takes it: people, photos, changes; and which names a person may have."""

import getpass
import re
import unicodedata
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import numpy as np

from experiments.data.folders import composed
from experiments.errors import FacesError

MAX_NAME = 255
"""Characters of a name."""


class Entry:
    """A dataclass with fields that JSON has, and times."""

    def as_json(self) -> dict[str, Any]:
        """Return the fields for JSON, times as text in ISO 8601."""
        fields = asdict(self)  # type: ignore[call-overload]
        return {name: v.isoformat() if isinstance(v, datetime) else v for name, v in fields.items()}


class UnknownPersonError(FacesError):
    """Nobody of this name or id is in the gallery."""


class ConflictError(FacesError):
    """What the gallery holds already forbids the change: the name of another person, or an image of another person."""


@dataclass(frozen=True)
class Person(Entry):
    """Somebody enrolled. id: 32 hexadecimal digits that never change. photos: how many. created, changed: in UTC."""

    id: str
    name: str
    photos: int
    created: datetime
    changed: datetime


@dataclass(frozen=True)
class Photo(Entry):
    """A photo of a person, without its embedding.

    image: the file's name. digest: a hash of the image. quality: 0 to 1, the detector's confidence, where recorded.
    """

    id: int
    image: str
    digest: str
    quality: float | None
    created: datetime
    has_thumbnail: bool


@dataclass(frozen=True, eq=False)
class NewPhoto:
    """A photo to enroll.

    embedding: (D,) of length 1. digest: a hash that recognizes an image that is given twice; of the face's own crop
    where an image shows several people. thumbnail: an encoded image to show, if wanted. created: when it was enrolled
    first, of one that comes from another gallery; otherwise now.
    """

    image: str
    digest: str
    embedding: np.ndarray
    quality: float | None = None
    thumbnail: bytes | None = None
    created: datetime | None = None


@dataclass(frozen=True)
class Enrollment:
    """What an enrollment did. people: as they are now. added: photos. known: images that were there already."""

    people: tuple[Person, ...]
    added: int
    known: tuple[str, ...]


class Match(NamedTuple):
    """A person found. similarity: of the probe and the person's template, from -1 to 1."""

    id: str
    name: str
    similarity: float


@dataclass(frozen=True)
class AuditEntry(Entry):
    """A change: actor made it. action: "enroll", "remove", ... person: the id, never the name. photos: how many."""

    id: int
    time: datetime
    actor: str
    action: str
    person: str | None
    photos: int


@dataclass(frozen=True)
class GalleryStats(Entry):
    """people, photos, thumbnails: how many. oldest, newest: of the photos.

    erase_pending: something deleted is not overwritten yet, as its process was killed; the next opening does it.
    """

    people: int
    photos: int
    thumbnails: int
    dimension: int
    network: str
    created: datetime
    oldest: datetime | None
    newest: datetime | None
    changes: int
    erase_pending: bool


def check_name(name: str) -> str:
    """Return a name in Unicode's composed form, in which equal names have equal characters.

    Raises FacesError for an empty or a long one, and for one with control characters.
    """
    name = composed(name)
    if not name.strip():
        raise FacesError("a person's name is empty: give a name")
    if len(name) > MAX_NAME:
        raise FacesError(f"{name[:20] + '...'!r}: a name of {len(name)} characters, expected at most {MAX_NAME}")
    if odd := next((sign for sign in name if unicodedata.category(sign) in ("Cc", "Cs", "Zl", "Zp")), None):
        raise FacesError(f"{name!r}: a name with the character {odd!r}, expected text on one line: rename the person")
    return name


def command_line_actor() -> str:
    """Return who the audit log says made a change by a command."""
    try:
        return f"{getpass.getuser()} (command line)"
    except (KeyError, OSError):  # a user id without an entry
        return "command line"


_AGE = re.compile(r"([0-9]{1,6})\s*(h|d|w|y)", re.IGNORECASE)
_HOURS = {"h": 1, "d": 24, "w": 7 * 24, "y": 365 * 24}


def parse_age(given: str, option: str) -> timedelta:
    """Return the time that "90d", "12w", "2y" or "36h" means. Raises FacesError for anything else."""
    found = _AGE.fullmatch(given.strip())
    if not found or int(found[1]) * _HOURS[found[2].lower()] > 200 * _HOURS["y"]:
        raise FacesError(f"{option} {given}: expected a number of hours, days, weeks or years, such as 90d or 2y")
    return timedelta(hours=int(found[1]) * _HOURS[found[2].lower()])
