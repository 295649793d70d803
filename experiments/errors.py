"""What the commands say when something given to them is wrong."""

from difflib import get_close_matches
from pathlib import Path


class FacesError(Exception):
    """An input, a file or a setting that a command cannot work with.

    The message names the file or value, what was expected, and the remedy; the command line prints it without a
    traceback and exits with status 2.
    """


class DivergenceError(FacesError):
    """A training whose loss is no number any more: another learning rate may do, where other mistakes would remain."""


def suggest_path(path: Path) -> Path | None:
    """What a path that is not there may mean: a file or folder that differs in one part, mistyped; or None."""
    missing = [path, *path.parents]
    there = next((index for index, part in enumerate(missing) if part.exists()), len(missing))
    if there in (0, len(missing)):
        return None
    wrong, folder = missing[there - 1], missing[there]
    try:
        names = [entry.name for entry in folder.iterdir()]
    except OSError:  # a file where a folder should be, or one that may not be read
        return None
    candidates = [folder / name / path.relative_to(wrong) for name in get_close_matches(wrong.name, names, 3)]
    return next((candidate for candidate in candidates if candidate.exists()), None)
