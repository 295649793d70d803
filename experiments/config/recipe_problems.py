"""What is wrong with a recipe, in words: the key, what was given, what was expected."""

from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, get_args

from pydantic import BaseModel

Keys = Mapping[str, Sequence[str]]
"""The names of the settings of each group, and under "" those at the top."""

_SIZE = "expected two whole numbers from 8 to 1024, [height, width], such as [64, 64]"
_EXPECTED = {
    "split.train": "expected a share below 1 (0.8), or a whole number of images a person (5), or all",
    "data.size": _SIZE,
    "data.size[0]": _SIZE,
    "data.size[1]": _SIZE,
    "model.head.name": "expected linear, dense, cosine, arcface, cosface, subcenter, triplet or prototypes",
    "model.widths": "expected a list of one or more whole numbers, such as [32, 64, 128]",
}


def keys_of(group: type[BaseModel]) -> dict[str, list[str]]:
    """The names of the settings of each group in `group`; of alternatives, all that any has."""
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
    """The groups of settings that a field may hold."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _groups_in(inner)


def explain(problem: Any, keys: Keys) -> str:
    """One of pydantic's problems. An unknown key comes with the nearest known one.

    <model> in a problem's place says which alternative it is about, and is left out.
    """
    place = [part for part in problem["loc"] if not str(part).startswith("<")]
    key = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place).removeprefix(".")
    own_words = str(problem["ctx"]["error"]) if problem["type"] == "value_error" else ""
    if problem["type"] == "extra_forbidden":
        return f"{key}: unknown; {_nearest(key, keys)}"
    if own_words and isinstance(problem["input"], dict):  # said of a group, which is too long to show
        return f"{key}: {own_words}".removeprefix(": ")
    given = "nothing" if problem["type"] == "missing" else repr(problem["input"])
    return f"{key}={given}: {_EXPECTED.get(key) or own_words or _expected(key, problem['msg'], keys)}"


def _expected(key: str, message: str, keys: Keys) -> str:
    if key in keys:
        return "expected settings such as " + ", ".join(f"{key}.{name}=..." for name in keys[key][:2])
    words = {"Input should be greater": "expected a number greater", "Input should be less": "expected a number less"}
    for theirs, ours in {**words, "Input should be": "expected", "unable to": "cannot"}.items():
        message = message.replace(theirs, ours)
    return message


def _nearest(key: str, keys: Keys) -> str:
    """What an unknown key may have been meant to be; else all that its group has."""
    group, _, name = key.rpartition(".")
    full = {name: f"{part}.{name}" if part else name for part in reversed(list(keys)) for name in keys[part]}
    full |= {name: f"{group}.{name}" for name in keys.get(group, ()) if group}
    if near := get_close_matches(name, full, n=1):
        return f"did you mean {full[near[0]]!r}?"
    return f"expected one of: {', '.join(keys.get(group, keys['']))}"
