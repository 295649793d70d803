"""Files of pairs of images to compare, in any of the common forms.

LFW's pairs.txt: `FOLDS PAIRS_PER_KIND`, then lines `name n1 n2` (one person) or `name1 n1 name2 n2` (two people).
Lists: lines `path1 path2 1`, or without the answer where it is withheld. CSV: the same with commas, quotes where
needed, and with or without a header.
"""

import os
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from io import StringIO
from pathlib import Path, PurePosixPath, PureWindowsPath

import numpy as np

from experiments.data.folders import existing_folder, is_image
from experiments.data.images import IMAGE_SUFFIXES
from experiments.errors import FacesError
from experiments.progress import format_count

MAX_NAME_BYTES = 255
"""Longest file name of common file systems."""

ANSWERS = {"1": True, "0": False, "true": True, "false": False, "same": True, "different": False}


@dataclass(frozen=True, eq=False)
class Pairs:
    """N pairs of images.

    paths: the images, each once; first, second (N,): places in paths; matches (N,) bool, None where the answers are
    withheld; folds (N,), None where there are none; names: the person of each image of paths, None where
    only the pairs' answers are known.
    """

    file: Path
    paths: tuple[Path, ...]
    first: np.ndarray
    second: np.ndarray
    matches: np.ndarray | None = None
    folds: np.ndarray | None = None
    names: tuple[str, ...] | None = None

    def __len__(self) -> int:
        return len(self.first)

    @property
    def answers(self) -> np.ndarray:
        """`matches`. Raises FacesError where the answers are withheld."""
        if self.matches is None:
            raise FacesError(f"{self.file}: without answers there are no error rates: give labeled pairs")
        return self.matches

    @property
    def with_itself(self) -> int:
        """Number of pairs that compare an image with itself."""
        return int((self.first == self.second).sum())


def read_pairs(file: str | os.PathLike[str], images: str | os.PathLike[str]) -> Pairs:
    """Read a file of pairs of images in the folder `images`.

    Raises FacesError naming a line of no known form, a path that leads out of the folder, and images that are missing.
    """
    path, folder = Path(file), existing_folder(images)
    rows = _rows(path)
    if not rows:
        raise FacesError(f"{path}: no pairs in it: get the file again")
    head = rows[0][1]
    if 1 <= len(head) <= 2 and all(map(_is_number, head)):
        return _lfw(path, folder, rows)
    if path.suffix.lower() == ".csv" and not any(is_image(Path(word)) for word in head):
        rows = rows[1:]
    return _listed(path, folder, rows)


def _rows(path: Path) -> list[tuple[int, list[str]]]:
    """Return the lines that are not empty as lists of words, each with its number from 1."""
    if not path.is_file():
        raise FacesError(f"{path}: no such file; give a list of pairs, such as pairs.txt")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise FacesError(f"{path}: not a text in UTF-8 ({error.reason} at byte {error.start}): get it again") from error
    lines = _csv_lines(path, text) if path.suffix.lower() == ".csv" else map(_words, text.split("\n"))
    return [(number, words) for number, words in enumerate(lines, 1) if any(words)]


def _words(line: str) -> list[str]:
    return [word.strip() for word in line.split("\t" if "\t" in line.strip() else None)]


def _csv_lines(path: Path, text: str) -> list[list[str]]:
    """Parse a CSV file without a header; missing cells at the end of a row are left out."""
    import pandas as pd

    if not text.strip():
        return []
    options = {"header": None, "dtype": str, "keep_default_na": False, "skip_blank_lines": False}
    try:
        table = pd.read_csv(StringIO(text), skipinitialspace=True, **options)
    except ValueError as error:  # pandas' own errors are ValueErrors
        raise FacesError(f"{path}: cannot be read as a table ({str(error).strip()}): correct that line") from error
    rows = ([cell.strip() for cell in row if isinstance(cell, str)] for row in table.itertuples(index=False))
    return list(rows)


def _listed(path: Path, folder: Path, rows: Sequence[tuple[int, list[str]]]) -> Pairs:
    if not rows:
        raise FacesError(f"{path}: no pairs below its header: get the file again")
    width = len(rows[0][1])
    pairs, matches = [], []
    for number, words in rows:
        where = f"{path}, line {number}"
        if width not in (2, 3) or len(words) != width:
            given = f"{len(words)} values, {' '.join(words)[:80]!r}"
            wanted = "two paths and an answer, or two paths, the same on all lines"
            raise FacesError(f"{where}: {given}; expected {wanted}")
        pairs.append([_inside(folder, name, where) for name in words[:2]])
        if width == 3:
            if words[2].lower() not in ANSWERS:
                raise FacesError(f"{where}: the answer is {words[2]!r}, expected 1 (one person) or 0 (two people)")
            matches.append(ANSWERS[words[2].lower()])
    return _gathered(path, folder, rows, pairs, np.array(matches) if width == 3 else None)


def _lfw(path: Path, folder: Path, rows: Sequence[tuple[int, list[str]]]) -> Pairs:
    head, *rest = rows
    count, each = (int(word) for word in (head[1] if len(head[1]) == 2 else ["1", *head[1]]))
    if len(rest) != 2 * count * each:
        wanted = f"{count} folds of {each} pairs of one person and {each} of two, {2 * count * each} lines"
        listed = format_count(len(rest), "pair")
        raise FacesError(f"{path}: {listed}, though its first line promises {wanted}: get the file again")
    pairs, matches, names = [], [], {}
    for number, words in rest:
        where = f"{path}, line {number}"
        if len(words) not in (3, 4) or not all(map(_is_number, (words[1], words[-1]))):
            raise FacesError(f"{where}: {' '.join(words)[:80]!r}; expected `name n1 n2` or `name1 n1 name2 n2`")
        sides = [(words[0], words[1]), (words[0] if len(words) == 3 else words[2], words[-1])]
        found = [_of_person(folder, name, int(n), where) for name, n in sides]
        names.update({image: name for image, (name, _) in zip(found, sides, strict=True)})
        pairs.append(found)
        matches.append(sides[0][0] == sides[1][0])
    folds = np.repeat(np.arange(count), 2 * each) if count > 1 else None
    return _gathered(path, folder, rest, pairs, np.array(matches), folds, names)


def _gathered(
    path: Path,
    folder: Path,
    rows: Sequence[tuple[int, list[str]]],
    pairs: list[list[Path]],
    matches: np.ndarray | None,
    folds: np.ndarray | None = None,
    names: dict[Path, str] | None = None,
) -> Pairs:
    """Collect the images of all pairs, each once. Raises FacesError with the number of missing images and the first."""
    paths = tuple(sorted({image for pair in pairs for image in pair}))
    missing = {image for image in paths if not image.is_file()}
    if missing:
        number, lacking = next(
            (line[0], image) for line, pair in zip(rows, pairs, strict=True) for image in pair if image in missing
        )
        raise FacesError(
            f"{path}: {len(missing)} of its {len(paths)} images are not in {folder}, the first on line {number}: "
            f"{lacking.relative_to(folder)}; give --images the folder that its paths start from"
        )
    place = {image: n for n, image in enumerate(paths)}
    first, second = np.array([[place[image] for image in pair] for pair in pairs], np.int64).T
    who = None if names is None else tuple(names[image] for image in paths)
    return Pairs(path, paths, first, second, matches, folds, who)


def _inside(folder: Path, name: str, where: str) -> Path:
    """Return the path of an image in the folder. Raises FacesError for a name that leads out of it."""
    relative = PurePosixPath(name.replace("\\", "/"))
    if "\0" in name or any(len(os.fsencode(part)) > MAX_NAME_BYTES for part in relative.parts):
        raise FacesError(f"{where}: {name[:80]!r} is no path: expected one below {folder}")
    if not name or relative.is_absolute() or PureWindowsPath(name).drive or ".." in relative.parts:
        raise FacesError(f"{where}: {name!r} leads out of {folder}: expected a path below that folder")
    image = _existing_form(folder, relative)
    if not image.resolve().is_relative_to(folder.resolve()):
        raise FacesError(f"{where}: {name!r} is a link that leads out of {folder}: put the image itself there")
    return image


def _of_person(folder: Path, name: str, number: int, where: str) -> Path:
    """Return LFW's path of an image, `name/name_0001.jpg`, or with another suffix where only that exists."""
    usual = _inside(folder, f"{name}/{name}_{number:04d}.jpg", where)
    others = (usual.with_suffix(suffix) for suffix in sorted(IMAGE_SUFFIXES))
    return usual if usual.is_file() else next((path for path in others if path.is_file()), usual)


def _existing_form(folder: Path, relative: PurePosixPath) -> Path:
    """Return the path with each name in the Unicode form that exists: programs and systems differ in it."""
    path = folder / relative
    if path.exists():
        return path
    path = folder
    for part in relative.parts:
        forms = (part, *(unicodedata.normalize(form, part) for form in ("NFC", "NFD")))
        path = next((path / form for form in forms if (path / form).exists()), path / part)
    return path


def _is_number(word: str) -> bool:
    return re.fullmatch("[0-9]{1,9}", word) is not None
