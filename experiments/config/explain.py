"""What is wrong with a recipe, in words: the key, what was given, what was expected."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from experiments.errors import expected_words, nearest_name

SettingNames = Mapping[str, Sequence[str]]
"""The names of the settings of each group; under "" those at the top."""

MAX_SHOWN = 80
"""Characters of a wrong value that a message shows."""

_SIZE = "expected two whole numbers from 8 to 1024, [height, width], such as [64, 64]"
_EXPECTED = {
    "split.train": "expected a fraction below 1 (0.8), a whole number of images per person (5), or all",
    "data.size": _SIZE,
    "data.size[0]": _SIZE,
    "data.size[1]": _SIZE,
    "model.head.name": "expected linear, dense, cosine, arcface, cosface, subcenter, triplet or prototypes",
    "model.widths": "expected a list of one or more whole numbers, such as [32, 64, 128]",
}


def explain_errors(error: ValidationError, group: type[BaseModel]) -> list[str]:
    """Return everything that pydantic found wrong with a group of settings, one line each.

    A default that depends on a wrong setting is not worth a line of its own.
    """
    names, found = setting_names(group), error.errors(include_url=False)
    return [explain_problem(problem, names) for problem in found if problem["type"] != "default_factory_not_called"]


def explain_problem(problem: Any, names: SettingNames) -> str:
    """Return one of pydantic's problems in words. An unknown key comes with the most similar known one.

    <model> in a problem's location says which alternative of a union it is about, and is left out.
    """
    location = [part for part in problem["loc"] if not str(part).startswith("<")]
    key = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location).removeprefix(".")
    own_words = expected_words(problem) if problem["type"] == "value_error" else ""
    if problem["type"] == "extra_forbidden":
        return f"{key}: unknown; {_suggest(key, names)}"
    if own_words and isinstance(problem["input"], dict):  # about a group, which is too long to show
        return f"{key}: {own_words}".removeprefix(": ")
    given = "nothing" if problem["type"] == "missing" else repr(problem["input"])
    if len(given) > MAX_SHOWN:
        given = f"{given[:MAX_SHOWN]}..."
    return f"{key}={given}: {own_words or _EXPECTED.get(key) or _expected(key, problem, names)}"


def setting_names(group: type[BaseModel]) -> dict[str, list[str]]:
    """Return the names of the settings of each group in `group`; of alternatives, all that any has."""
    found: dict[str, list[str]] = {"": []}

    def collect(kind: type[BaseModel], path: str) -> None:
        for name, field in kind.model_fields.items():
            if name not in found.setdefault(path, []):
                found[path].append(name)
            for inner in _groups_in(field.annotation):
                collect(inner, f"{path}.{name}".removeprefix("."))

    collect(group, "")
    return found


def _groups_in(annotation: Any) -> Iterator[type[BaseModel]]:
    """Yield the groups of settings that a field may hold."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _groups_in(inner)


def _expected(key: str, problem: Any, names: SettingNames) -> str:
    if key in names:
        return "expected settings such as " + ", ".join(f"{key}.{name}=..." for name in names[key][:2])
    return expected_words(problem)


def _suggest(key: str, names: SettingNames) -> str:
    """Return what an unknown key may mean; otherwise all settings of its group."""
    group, _, name = key.rpartition(".")
    full = {name: f"{part}.{name}" if part else name for part in reversed(list(names)) for name in names[part]}
    full |= {name: f"{group}.{name}" for name in names.get(group, ()) if group}
    if key in full.values():  # in a file, as one word with dots
        return f"in a file, settings are nested: {key.replace('.', ': {')}: ...{'}' * key.count('.')}"
    near = nearest_name(name, full)
    if near and full[near] != key:
        return f"did you mean {full[near]!r}?"
    return f"expected one of: {', '.join(names.get(group, names['']))}"
