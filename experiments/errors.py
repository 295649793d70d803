"""The errors that commands report in one line: what was expected, in plain words, and what a mistyped name may mean."""

from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path
from typing import Any


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


_WORDS = {
    "int_parsing": "expected a whole number",
    "int_type": "expected a whole number",
    "int_from_float": "expected a whole number",
    "int_parsing_size": "expected a smaller whole number",
    "float_parsing": "expected a number, such as 0.01",
    "float_type": "expected a number, such as 0.01",
    "finite_number": "expected a finite number",
    "bool_parsing": "expected yes or no",
    "bool_type": "expected yes or no",
    "string_type": "expected text",
    "string_too_short": "expected text of at least {min_length} characters",
    "list_type": "expected a list, such as [1, 2]",
    "tuple_type": "expected a list, such as [1, 2]",
    "too_short": "expected at least {min_length} entries",
    "too_long": "expected at most {max_length} entries",
    "greater_than": "expected a number greater than {gt}",
    "greater_than_equal": "expected a number greater than or equal to {ge}",
    "less_than": "expected a number less than {lt}",
    "less_than_equal": "expected a number less than or equal to {le}",
    "literal_error": "expected {expected}",
    "missing": "expected a value",
    "enum": "expected {expected}",
}
"""What pydantic expected, by the type of its problem; in braces what it adds to it."""


def expected_words(problem: Any) -> str:
    """Return what was expected in plain words, for one of pydantic's problems; for a ValueError of ours, its words."""
    if problem["type"] == "value_error":
        return str(problem["ctx"]["error"])
    words = _WORDS.get(problem["type"])
    if words is None:
        return str(problem["msg"])
    bounds = problem.get("ctx", {}).items()
    return words.format(**{name: f"{v:g}" if isinstance(v, float) else v for name, v in bounds})
