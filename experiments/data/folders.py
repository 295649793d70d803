"""Images and people in folders: what is listed, in which order, and under which names.

A name that enters here is UTF-8 and is compared in Unicode's composed form (NFC), because systems and programs differ
in the form that they store. Only regular files are listed. A link to a file may lead to any file inside the data. A
link that leads out of the data is refused, and so is every link to a folder: its images would come from outside, or
count twice. The folder that is given, and its parts (train/, test/, images/ ...), may themselves be links.
"""

import difflib
import os
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from experiments.data.images import IMAGE_SUFFIXES
from experiments.errors import FacesError
from experiments.progress import format_count
from mytorch.files import kind_of_file

IMAGES = "images"
"""Some competitions put the images of a part into a folder of this name."""

PARTS = frozenset({"train", "test", "dev", "val", "valid", "validation"})
VALIDATION = ("dev", "val", "valid", "validation")
LABELS, CLASSIFICATION = "labels.txt", "cls_data"

_LINKED_PARTS = PARTS | {IMAGES, CLASSIFICATION}
"""Folders of a data set that may be links out of it."""

_MAX_PART_DEPTH = 3
"""Of cls_data/train/images."""

MAX_LOOKED_AT = 10_000
"""Files that are looked at to say what a folder without images holds."""

_JUNK = frozenset({"__MACOSX", "Thumbs.db", "desktop.ini"})


# Listing


def existing_folder(directory: str | os.PathLike[str]) -> Path:
    """Return the path of an existing folder. Raises FacesError otherwise, with the name that was perhaps meant."""
    folder = Path(directory)
    require_utf8(folder)
    if folder.is_dir():
        return folder
    if folder.exists():
        raise FacesError(f"{folder}: is a file, expected a folder of images or of identity folders")
    near = difflib.get_close_matches(folder.name, _folder_names(folder.parent), n=1)
    remedy = f"did you mean {folder.parent / near[0]}?" if near else "check the path"
    raise FacesError(f"{folder}: no such folder: {remedy}")


def require_utf8(path: Path) -> None:
    """Raise FacesError for a name that is not UTF-8: no table, recipe or run can hold it."""
    for part in path.parts:
        try:
            part.encode()
        except UnicodeEncodeError:
            raise FacesError(
                f"{path}: the name {os.fsencode(part)!r} is not UTF-8, so no table can hold it: rename it"
            ) from None


def _folder_names(folder: Path) -> list[str]:
    """The sorted names of a folder's folders that are not hidden, composed; none where it cannot be listed."""
    with suppress(OSError):
        return sorted(person_name(path) for path in folder.iterdir() if path.is_dir() and not is_hidden(path.name))
    return []


def folders_in(folder: Path, root: Path | None = None) -> tuple[Path, ...]:
    """List the folders in a folder that are not hidden, sorted by name as plain strings.

    root: the folder of the data, `folder` itself by default. Raises FacesError for a link to a folder.
    """
    found = [path for path in _visible(folder) if path.is_dir()]
    for path in found:
        is_usable(path, root or folder)
    return tuple(sorted(found, key=person_name))


def images_in(folder: Path, root: Path | None = None) -> tuple[Path, ...]:
    """List the image files directly in a folder, in natural order (1, 2, 10).

    root: the folder of the data, `folder` itself by default. Raises FacesError for a link that leads out of it.
    """
    found = [path for path in _visible(folder) if is_image(path) and is_usable(path, root or folder)]
    return tuple(sorted(found, key=natural_key))


def files_under(folder: Path) -> Iterator[Path]:
    """Yield the regular files at any depth that are not hidden. Raises FacesError for a link that leads out."""
    return (path for path in entries_under(folder) if is_usable(path, folder))


def entries_under(folder: Path) -> Iterator[Path]:
    """Yield everything at any depth that is not hidden and not a folder, in natural order.

    A link to a folder is yielded, not entered: `is_usable` refuses it. Raises FacesError for a folder that cannot be
    listed.
    """

    def stop(error: OSError) -> None:
        raise FacesError(f"{error.filename}: cannot be listed ({error.strerror}): make the folder readable") from error

    for here, folders, files in os.walk(folder, onerror=stop, followlinks=True):
        if Path(here) != folder and _is_loop(Path(here)):
            folders.clear()
            continue
        links = {name for name in folders if _is_linked_folder(Path(here, name), folder)}
        folders[:] = sorted(name for name in folders if not is_hidden(name) and name not in links)
        yield from sorted((Path(here, name) for name in (*files, *links) if not is_hidden(name)), key=natural_key)


def is_usable(path: Path, root: Path) -> bool:
    """Whether a path is a regular file or a link to one.

    Raises FacesError for a link to a file outside of `root`, the folder of the data, and for one to any folder.
    """
    if path.is_symlink() and path.is_file() and not _stays_inside(path, root):
        raise FacesError(f"{path}: is a link that leads out of {root}: put the file itself there, or remove the link")
    if _is_linked_folder(path, root):
        raise FacesError(f"{path}: is a link to a folder: put the folder itself there, or remove the link")
    return path.is_file()


def why_unusable(path: Path, root: Path) -> str | None:
    """Return why a file is left out or refused, with the remedy, or None for a regular file inside `root`."""
    try:
        mode = path.stat().st_mode
    except OSError as error:
        what = "is a link that leads nowhere" if path.is_symlink() else f"cannot be read ({error.strerror})"
        return f"{path}: {what}: remove it"
    try:
        is_usable(path, root)
    except FacesError as error:
        return str(error)
    return None if path.is_file() else f"{path}: is a {kind_of_file(mode)}, expected a regular file: remove it"


def _stays_inside(path: Path, root: Path) -> bool:
    """Whether a link to a file leads to a file in `root` or in the link's own folder."""
    target = path.resolve()
    return target.is_relative_to(root.resolve()) or target.is_relative_to(path.parent.resolve())


def _is_linked_folder(path: Path, root: Path) -> bool:
    """Whether a path is a link to a folder, and neither `root` nor one of its parts."""
    if not (path.is_symlink() and path.is_dir()):
        return False
    if not path.is_relative_to(root):
        return True
    parts = path.relative_to(root).parts
    return len(parts) > _MAX_PART_DEPTH or not _LINKED_PARTS.issuperset(parts)


def _is_loop(path: Path) -> bool:
    """Whether a path is a link to a folder that it is in."""
    return path.is_symlink() and path.parent.resolve().is_relative_to(path.resolve())


def is_image(path: Path) -> bool:
    """Whether a file's name says that it is an image."""
    return path.suffix.lower() in IMAGE_SUFFIXES


def is_hidden(name: str) -> bool:
    """Whether a name is hidden or of a system's own files (.DS_Store, __MACOSX, Thumbs.db)."""
    return name.startswith(".") or name in _JUNK


def composed(name: str) -> str:
    """Return a name in Unicode's composed form (NFC), in which equal names have equal characters."""
    return unicodedata.normalize("NFC", name)


def person_name(folder: Path) -> str:
    """Return the person whose images a folder holds: its name, composed."""
    return composed(folder.name)


def natural_key(path: Path) -> tuple[list[str | int], str]:
    """Sort key by which 2.jpg comes before 10.jpg; names that differ only in leading zeros keep a fixed order."""
    pieces = re.split(r"([0-9]+)", composed(path.name))
    return [int(piece) if place % 2 else piece for place, piece in enumerate(pieces)], path.name


def other_files(folder: Path) -> str:
    """Say what a folder without images holds instead, as the end of a sentence; nothing of an empty one."""
    suffixes = Counter(path.suffix.lower() for path in islice(entries_under(folder), MAX_LOOKED_AT))
    if not suffixes:
        return ""
    (suffix, count), *_ = suffixes.most_common(1)
    named = f"{count} file{'s' * (count != 1)} {f'ending in {suffix}' if suffix else 'without a suffix'}"
    return f"; found {named}, which {'is' if count == 1 else 'are'} not read as images: expected .jpg, .png, .webp ..."


def contents(folder: Path) -> str:
    """Describe what is in a folder, as the middle of a sentence."""
    images, folders = len(images_in(folder)), _folder_names(folder)
    found = [f"{images} image{' is' if images == 1 else 's are'} directly in it"] if images else []
    if folders:
        found.append(f"it holds {len(folders)} folder{'s' * (len(folders) > 1)} ({folders[0]}, ...)")
    if not found:
        found = ["it holds other files only" if _visible(folder) else "it is empty"]
    return ": " + " and ".join(found)


def _visible(folder: Path) -> list[Path]:
    """List what is in a folder and not hidden. Raises FacesError for a name that is not UTF-8."""
    try:
        found = [path for path in folder.iterdir() if not is_hidden(path.name)]
    except PermissionError as error:
        raise FacesError(f"{folder}: permission denied: make the folder readable") from error
    for path in found:
        require_utf8(path)
    return found


# People


@dataclass(frozen=True, eq=False)
class Identities:
    """Labeled images: paths[i] shows the person names[labels[i]].

    names: the folders' names, composed and sorted as plain strings; the numbers of a labels.txt sorted as numbers, so
    that 0, 1, 2 ... are their own labels. paths: person by person, in natural order within one (1, 2, 10). labels: (N,)
    int64.
    """

    root: Path
    names: tuple[str, ...]
    paths: tuple[Path, ...]
    labels: np.ndarray

    def __len__(self) -> int:
        return len(self.paths)


def find_identities(directory: str | os.PathLike[str]) -> Identities:
    """Find the people of a folder of identity folders, or of the `train/` in a competition's folder.

    Instead of identity folders there may be `images/` and a `labels.txt` of lines `file.jpg 17`. Hidden files, files
    that are not images by suffix, and identity folders without images are left out. Raises FacesError, saying what is
    there instead, where that leaves fewer than two people.
    """
    root = identity_root(directory)
    if is_listed(root):
        return _listed(root)
    people = {folder: images for folder in folders_in(root) if (images := images_in(folder, root))}
    if len(people) < 2:
        raise FacesError(f"{root}: {_what_is_wrong(root, people)}")
    if PARTS.issuperset(folder.name for folder in people):
        raise FacesError(
            f"{root}: its folders ({', '.join(folder.name for folder in people)}) are parts of a data set, not people: "
            "give a folder that holds one folder per person, or a train/ of such folders"
        )
    names = tuple(map(person_name, people))
    _refuse_equal_names(names, tuple(people))
    counts = [len(images) for images in people.values()]
    return Identities(
        root=root,
        names=names,
        paths=tuple(path for images in people.values() for path in images),
        labels=np.repeat(np.arange(len(people), dtype=np.int64), counts),
    )


def subset(identities: Identities, count: int, seed: int) -> Identities:
    """Keep `count` random people, relabeled from 0. A larger count keeps all people of a smaller one.

    Raises FacesError for a count that is not between 2 and all of them.
    """
    total = len(identities.names)
    if not 2 <= count <= total:
        raise FacesError(f"{identities.root}: cannot keep {count} identities of {total}: choose from 2 to {total}")
    if seed < 0:
        raise FacesError(f"seed is {seed}, expected 0 or more")
    kept = np.sort(np.random.default_rng(seed).permutation(total)[:count])
    rows = np.flatnonzero(np.isin(identities.labels, kept))
    return Identities(
        root=identities.root,
        names=tuple(identities.names[label] for label in kept),
        paths=tuple(identities.paths[row] for row in rows),
        labels=np.searchsorted(kept, identities.labels[rows]).astype(np.int64),
    )


def identity_root(directory: str | os.PathLike[str]) -> Path:
    """Return the folder that holds the identity folders: `train/` where there is one, else the folder itself.

    Of a folder that holds `cls_data/` next to the data of other tasks, that one is used.
    """
    folder = existing_folder(directory)
    if (folder / CLASSIFICATION / "train").is_dir():
        folder = folder / CLASSIFICATION
    return folder / "train" if (folder / "train").is_dir() else folder


def validation_root(directory: str | os.PathLike[str]) -> Path | None:
    """Return the official validation set next to `train/` (`dev/`, `val/` ...), or None where none holds people."""
    train = identity_root(directory)
    if train == Path(directory):
        return None
    candidates = (train.parent / name for name in VALIDATION)
    return next((f for f in candidates if f.is_dir() and (_folder_names(f) or is_listed(f))), None)


def is_listed(root: Path) -> bool:
    """Whether a folder holds `images/` and a `labels.txt` instead of identity folders."""
    return (root / LABELS).is_file() and (root / IMAGES).is_dir()


def _listed(root: Path) -> Identities:
    """Read the people of `images/` from lines `file.jpg 17` of labels.txt. Raises FacesError naming a wrong line."""
    file, labels = root / LABELS, dict[str, str]()
    is_usable(file, root)
    try:
        lines = file.read_text(encoding="utf-8-sig").split("\n")
    except (OSError, ValueError) as error:
        raise FacesError(f"{file}: cannot be read as text ({error}): get it again") from error
    images = images_in(root / IMAGES, root)
    _refuse_equal_names([composed(path.name) for path in images], images)
    there = {composed(path.name): path for path in images}
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        name, _, label = composed(line).strip().replace("\t", " ").replace(",", " ").rpartition(" ")
        name = name.strip().removeprefix(f"{IMAGES}/")
        if not name or name not in there:
            raise FacesError(f"{file}, line {number}: {line.strip()!r}: expected an image of {IMAGES}/ and its label")
        if labels.setdefault(name, label) != label:
            raise FacesError(
                f"{file}, line {number}: {name} is labeled {label} here and {labels[name]} above: correct one of them"
            )
    if missing := [name for name in there if name not in labels]:
        raise FacesError(
            f"{file}: lacks {format_count(len(missing), 'image')} of {IMAGES}/, such as {missing[0]}: "
            "label or remove them"
        )
    found = set(labels.values())
    names = sorted(found, key=_number_key if all(map(_is_number, found)) else str)
    if len(names) < 2:
        raise FacesError(f"{file}: names {len(names)} people, expected at least two: add the images of others")
    place = {name: label for label, name in enumerate(names)}
    rows = sorted((place[label], natural_key(there[name]), there[name]) for name, label in labels.items())
    return Identities(
        root, tuple(names), tuple(path for *_, path in rows), np.array([row[0] for row in rows], np.int64)
    )


def _is_number(label: str) -> bool:
    return re.fullmatch("[0-9]{1,1000}", label) is not None


def _number_key(label: str) -> tuple[int, str]:
    """Sort key of numbers as text, in which 07 and 7, two people, have a fixed order."""
    return int(label), label


def _refuse_equal_names(names: Sequence[str], paths: Sequence[Path]) -> None:
    """Raise FacesError where two paths differ only in the Unicode form of their names."""
    first: dict[str, Path] = {}
    for name, path in zip(names, paths, strict=True):
        if name in first:
            raise FacesError(
                f"{path.parent}: two entries are named {name!r}, in different Unicode forms "
                f"({first[name].name.encode()!r} and {path.name.encode()!r}): merge or rename one"
            )
        first[name] = path


def _what_is_wrong(root: Path, people: Mapping[Path, tuple[Path, ...]]) -> str:
    """Explain why a folder with fewer than two people cannot be used, and what to do."""
    if people:
        (folder,) = people
        return f"only one identity ({folder.name}) has images, expected at least two: add the folders of other people"
    folders = folders_in(root)
    if not folders:
        return f"no identity folders{contents(root)}; expected one folder per person, with images inside"
    if deeper := next((f for f in folders if any(images_in(inner, root) for inner in folders_in(f, root))), None):
        return f"its folders hold no images, but those in {deeper} do: give that folder instead"
    expected = "expected one folder per person, with images inside"
    return f"no images in any of its {len(folders)} folders; {expected}{other_files(root)}"
