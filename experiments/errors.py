"""The errors that commands report in one line, and suggestions for what was mistyped."""

from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path


class FacesError(Exception):
    """An input, a file or a setting that a command cannot work with.

    The message names the file or value, what was expected, and the remedy. The command line prints it without a
    traceback and exits with status 2.
    """


class DivergenceError(FacesError):
    """The loss of a training run is not finite. Another learning rate may help, which is not so for other errors."""


def nearest_name(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that is most similar to an unknown one, whatever its case; or None."""
    folded: dict[str, str] = {}
    for one in known:
        folded.setdefault(one.casefold(), one)
    near = get_close_matches(name.casefold(), folded, n=1)
    return folded[near[0]] if near else None


def suggest_path(path: Path) -> Path | None:
    """Return an existing path that differs from a missing one in one mistyped part, or None."""
    missing = [path, *path.parents]
    existing = next((index for index, part in enumerate(missing) if part.exists()), len(missing))
    if existing in (0, len(missing)):
        return None
    wrong, folder = missing[existing - 1], missing[existing]
    try:
        names = [entry.name for entry in folder.iterdir()]
    except OSError:  # a file where a folder should be, or a folder without permission
        return None
    candidates = [folder / name / path.relative_to(wrong) for name in get_close_matches(wrong.name, names, 3)]
    return next((candidate for candidate in candidates if candidate.exists()), None)
