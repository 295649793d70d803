"""A folder that `faces data pack` made, read as the folder that it was made from."""

import csv
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from experiments.data.identities import Identities
from experiments.data.sources import Pictures, Stored
from experiments.errors import FacesError
from experiments.run import read_json

PACK, VERSION = "pack.json", 1
_REMEDY = "remove it and pack again"


@dataclass(frozen=True, eq=False)
class Packed:
    """One part of a pack. pictures: (N, H, W, 3), unread; paths: as in the folder that was packed, below the pack."""

    pictures: Pictures
    paths: tuple[Path, ...]
    listed: Identities | None

    @property
    def people(self) -> Identities:
        """Who is in it. Raises FacesError for a test set, which does not say."""
        if self.listed is None:
            raise FacesError(f"{self.paths[0].parent if self.paths else 'a test set'}: does not say who is in it")
        return self.listed


def is_packed(directory: str | os.PathLike[str]) -> bool:
    """Whether a folder is a pack."""
    return (Path(directory) / PACK).is_file()


def packed_part(directory: str | os.PathLike[str]) -> tuple[Path, str] | None:
    """The pack and the part that a path means: a pack's own (its test set), or PACK/test; None for any other."""
    path = Path(directory)
    if is_packed(path):
        return path, "test"
    return (path.parent, path.name) if is_packed(path.parent) and not path.exists() else None


def open_pack(pack: str | os.PathLike[str], part: str, size: tuple[int, int] | None = None, fit: str = "") -> Packed:
    """Open a part of a pack ("train", "dev", "test"), whole and at the wanted size and fit.

    Raises FacesError for a part that is not there, another size or fit, or files that are not what was written.
    """
    folder = Path(pack)
    about = read_json(folder / PACK)
    if not isinstance(about, dict) or about.get("version") != VERSION or not isinstance(about.get("parts"), dict):
        raise FacesError(f"{folder / PACK}: not what `faces data pack` writes: {_REMEDY}")
    if part not in about["parts"]:
        raise FacesError(f"{folder}: has no {part}, only {', '.join(about['parts'])}: pack a folder that holds one")
    had = tuple(about["size"])
    if size is not None and (had != size or fit != about["fit"]):
        raise FacesError(
            f"{folder}: packed at {had[0]} x {had[1]} pixels with fit {about['fit']}, but {size[0]} x {size[1]} with "
            f"{fit} is wanted: pack again, or set data.size=[{had[0]},{had[1]}] and data.fit={about['fit']}"
        )
    shape = (int(about["parts"][part]["pictures"]), *had, 3)
    _refuse_damaged(folder / f"{part}.npy", shape)
    rows = _rows(folder / f"{part}.csv", shape[0])
    paths = tuple(folder / part / row["path"] for row in rows)
    names = about["parts"][part].get("people")
    people = None if names is None else _people(folder, part, paths, rows, tuple(names))
    return Packed(Pictures(Stored(folder / f"{part}.npy", shape)), paths, people)


def has_part(pack: str | os.PathLike[str], part: str) -> bool:
    """Whether a pack has a part."""
    about = read_json(Path(pack) / PACK)
    return isinstance(about, dict) and part in about.get("parts", ())


def read_packed(paths: Sequence[Path], size: tuple[int, int], fit: str) -> np.ndarray | None:
    """The pictures of paths that lie in a pack, (N, H, W, 3) uint8; None where the first one does not."""
    if not len(paths) or paths[0].exists():
        return None
    found = next(((parent.parent, parent.name) for parent in paths[0].parents if is_packed(parent.parent)), None)
    if found is None:
        return None
    part, place = _opened(*found, size, fit, (found[0] / PACK).stat().st_mtime_ns)
    return part.pictures[np.array([place[path] for path in paths])]


@lru_cache(maxsize=1)
def _opened(pack: Path, part: str, size: tuple[int, int], fit: str, written: int) -> tuple[Packed, dict[Path, int]]:
    """A part and the row of each path in it, kept: a test set is read some pictures at a time.

    written: when the pack was, so that another one in its place is opened anew.
    """
    opened = open_pack(pack, part, size, fit)
    return opened, {path: row for row, path in enumerate(opened.paths)}


def _people(
    pack: Path, part: str, paths: tuple[Path, ...], rows: list[dict[str, str]], names: tuple[str, ...]
) -> Identities:
    number = {name: label for label, name in enumerate(names)}
    if unknown := {row.get("person", "") for row in rows} - set(names):
        raise FacesError(f"{pack / f'{part}.csv'}: {sorted(unknown)[0]!r} is nobody of {pack / PACK}: {_REMEDY}")
    return Identities(pack / part, names, paths, np.array([number[row["person"]] for row in rows], np.int64))


def _refuse_damaged(path: Path, shape: tuple[int, int, int, int]) -> None:
    """Raise FacesError where a file of pixels is not of its length, type and shape."""
    try:
        with path.open("rb") as file:
            np.lib.format.read_magic(file)
            found, fortran, dtype = np.lib.format.read_array_header_1_0(file)
            start = file.tell()
        length = path.stat().st_size
    except (OSError, ValueError) as error:
        raise FacesError(f"{path}: no pixels to be read ({error}): {_REMEDY}") from error
    wanted = start + int(np.prod(shape, dtype=np.int64))
    if found != shape or fortran or dtype != np.uint8:
        raise FacesError(f"{path}: holds {found} {dtype}, expected {shape} uint8: {_REMEDY}")
    if length != wanted:
        raise FacesError(f"{path}: is {length:,} bytes long, expected {wanted:,}, so it was cut off: {_REMEDY}")


def _rows(path: Path, count: int) -> list[dict[str, str]]:
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
    except (OSError, ValueError, csv.Error) as error:
        raise FacesError(f"{path}: cannot be read as a table ({error}): {_REMEDY}") from error
    if len(rows) != count or any(None in row.values() for row in rows):
        raise FacesError(f"{path}: has {len(rows):,} whole rows, expected {count:,}: {_REMEDY}")
    return rows
