"""Files and folders written whole or not at all, and refused where they would overwrite something."""

import csv
import json
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from experiments.errors import FacesError
from mytorch.files import replacing


def refuse_inside(path: Path, people: Path) -> None:
    """Raise FacesError where `path` lies in a folder of people: its pictures would be taken for a person's."""
    if path.resolve().is_relative_to(people.resolve()):
        raise FacesError(f"{path} lies inside {people}, where it would be taken for a person: choose another --out")


def refuse_existing(path: Path, remedy: str) -> None:
    """Raise FacesError where something but an empty folder stands at `path`, or its parent is no folder."""
    if path.exists() and not (path.is_dir() and not any(path.iterdir())):
        raise FacesError(f"{path} exists already: choose another --out, or {remedy}")
    parent = next((p for p in path.absolute().parents if p.exists()), Path("/"))
    if not parent.is_dir() or not os.access(parent, os.W_OK):
        raise FacesError(f"{path} cannot be made: {parent} is not a folder that you may write to")


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """Yield an empty folder beside `path` that becomes `path` when the block ends well, and is removed otherwise."""
    path = path.absolute()
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        temporary.mkdir()
        yield temporary
        if path.is_dir():
            path.rmdir()
        temporary.rename(path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def write_text(path: Path, text: str) -> None:
    """Write a text file whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    """Write a JSON file whole or not at all."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def read_json(path: Path) -> Any:
    """Read a JSON file. Raises FacesError naming it where it cannot be read."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise FacesError(
            f"{path}: cannot be read as JSON ({error}); was the run cut off, or the file edited?"
        ) from error


def write_csv(path: Path, rows: Sequence[Mapping[str, Any]], columns: Sequence[str] = ()) -> None:
    """Write rows with the same keys as a CSV file, whole or not at all. columns: needed where there may be no rows."""
    with replacing(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=columns or list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
