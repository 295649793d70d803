"""What lies in a folder: its images and its folders, without a system's litter, in the order that people expect.

Who is in a folder: one folder a person, images within.
"""

import difflib
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from experiments.data.images import IMAGE_SUFFIXES
from experiments.errors import FacesError

IMAGES = "images"
"""What some competitions call the folder that holds the images of a part."""

_JUNK = frozenset({"__MACOSX", "Thumbs.db", "desktop.ini"})


def existing_folder(directory: str | os.PathLike[str]) -> Path:
    """Give the path of a folder that is there. Raises FacesError otherwise, with the name that was perhaps meant."""
    folder = Path(directory)
    if folder.is_dir():
        return folder
    if folder.exists():
        raise FacesError(f"{folder}: is a file, expected a folder of images or of identity folders")
    siblings = [path.name for path in folders_in(folder.parent)] if folder.parent.is_dir() else []
    near = difflib.get_close_matches(folder.name, siblings, n=1)
    remedy = f"did you mean {folder.parent / near[0]}?" if near else "check the path"
    raise FacesError(f"{folder}: no such folder: {remedy}")


def folders_in(folder: Path) -> tuple[Path, ...]:
    """List the folders in a folder that are not hidden, sorted as plain strings."""
    return tuple(sorted((path for path in _visible(folder) if path.is_dir()), key=lambda path: path.name))


def images_in(folder: Path) -> tuple[Path, ...]:
    """List the files that are images by suffix and lie directly in a folder, in natural order."""
    return tuple(sorted((path for path in _visible(folder) if is_image(path) and path.is_file()), key=natural_key))


def files_under(folder: Path) -> Iterator[Path]:
    """Every file that is not hidden, in natural order; a folder that links lead to twice is entered once."""

    def stop(error: OSError) -> None:
        raise FacesError(f"{error.filename}: cannot be listed ({error.strerror}): make the folder readable") from error

    entered = set()
    for here, folders, files in os.walk(folder, onerror=stop, followlinks=True):
        if (real := os.path.realpath(here)) in entered:
            folders.clear()
            continue
        entered.add(real)
        folders[:] = sorted(name for name in folders if not is_hidden(name))
        yield from sorted((Path(here, name) for name in files if not is_hidden(name)), key=natural_key)


def is_image(path: Path) -> bool:
    """Whether a file's name says that it is an image."""
    return path.suffix.lower() in IMAGE_SUFFIXES


def is_hidden(name: str) -> bool:
    """Whether a file or folder is a system's litter (.DS_Store, __MACOSX, Thumbs.db) or hidden."""
    return name.startswith(".") or name in _JUNK


def natural_key(path: Path) -> tuple[list[str | int], str]:
    """Sort key by which 2.jpg comes before 10.jpg; names that differ only in leading zeros keep a fixed order."""
    pieces = re.split(r"([0-9]+)", path.name)
    return [int(piece) if place % 2 else piece for place, piece in enumerate(pieces)], path.name


def contents(folder: Path) -> str:
    """What lies in a folder, as the middle of a sentence."""
    images, folders = len(images_in(folder)), folders_in(folder)
    found = [f"{images} {'image lies' if images == 1 else 'images lie'} directly in it"] if images else []
    if folders:
        found.append(f"it holds {len(folders)} folder{'s' * (len(folders) > 1)} ({folders[0].name}, ...)")
    if not found:
        found = ["it holds other files only" if any(_visible(folder)) else "it is empty"]
    return ": " + " and ".join(found)


def _visible(folder: Path) -> Iterable[Path]:
    try:
        return [path for path in folder.iterdir() if not is_hidden(path.name)]
    except PermissionError as error:
        raise FacesError(f"{folder}: permission denied: make the folder readable") from error


PARTS = frozenset({"train", "test", "dev", "val", "valid", "validation"})
VALIDATION = ("dev", "val", "valid", "validation")
LABELS, CLASSIFICATION = "labels.txt", "cls_data"


@dataclass(frozen=True, eq=False)
class Identities:
    """Labeled images: paths[i] shows the person names[labels[i]].

    names: folders' sorted as plain strings, so a label is a name's place among them; numbers of a labels.txt sorted as
    numbers, so that 0, 1, 2 ... are their own labels. paths: identity by identity, in natural
    order within one (1, 2, 10). labels: (N,) int64.
    """

    root: Path
    names: tuple[str, ...]
    paths: tuple[Path, ...]
    labels: np.ndarray

    def __len__(self) -> int:
        return len(self.paths)


def find_identities(directory: str | os.PathLike[str]) -> Identities:
    """Find the people of a folder of identity folders, or of the `train/` in a competition's folder.

    In place of identity folders there may be `images/` and a `labels.txt` of lines `file.jpg 17`. Hidden files, files
    that are not images by suffix, and identity folders without images are left out. Raises FacesError, saying what
    stands there instead, where that leaves fewer than two people.
    """
    root = identity_root(directory)
    if (root / LABELS).is_file() and (root / IMAGES).is_dir():
        return _listed(root)
    people = {folder.name: images for folder in folders_in(root) if (images := images_in(folder))}
    if len(people) < 2:
        raise FacesError(f"{root}: {_what_is_wrong(root, people)}")
    if PARTS.issuperset(people):
        raise FacesError(
            f"{root}: its folders ({', '.join(people)}) are parts of a data set, not people: "
            "give a folder that holds one folder per person, or a train/ of such folders"
        )
    counts = [len(images) for images in people.values()]
    return Identities(
        root=root,
        names=tuple(people),
        paths=tuple(path for images in people.values() for path in images),
        labels=np.repeat(np.arange(len(people), dtype=np.int64), counts),
    )


def subset(identities: Identities, count: int, seed: int) -> Identities:
    """Keep `count` of the people, drawn by `seed`, labeled anew from 0. A larger count keeps all of a smaller one's.

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
    """Give the folder that holds the identity folders: `train/` where there is one, else the folder itself.

    A folder that holds `cls_data/` beside the data of other tasks stands for that.
    """
    folder = existing_folder(directory)
    if (folder / CLASSIFICATION / "train").is_dir():
        folder = folder / CLASSIFICATION
    return folder / "train" if (folder / "train").is_dir() else folder


def validation_root(directory: str | os.PathLike[str]) -> Path | None:
    """Give the official validation set beside `train/` (`dev/`, `val/` ...), where there is one with people in it."""
    train = identity_root(directory)
    if train == Path(directory):
        return None
    beside = (train.parent / name for name in VALIDATION)
    return next((f for f in beside if f.is_dir() and (folders_in(f) or (f / LABELS).is_file())), None)


def _listed(root: Path) -> Identities:
    """The people of `images/` by a labels.txt of lines `file.jpg 17`. Raises FacesError naming a line that is none."""
    file, seen = root / LABELS, dict[str, str]()
    try:
        lines = file.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, ValueError) as error:
        raise FacesError(f"{file}: cannot be read as text ({error}): get it again") from error
    there = {path.name: path for path in images_in(root / IMAGES)}
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        name, _, label = line.strip().replace("\t", " ").replace(",", " ").rpartition(" ")
        name = name.strip().removeprefix(f"{IMAGES}/")
        if not name or name not in there:
            raise FacesError(f"{file}, line {number}: {line.strip()!r}: expected an image of {IMAGES}/ and its label")
        if seen.setdefault(name, label) != label:
            raise FacesError(f"{file}, line {number}: {name} is labeled {label} here and {seen[name]} above: mend it")
    if missing := [name for name in there if name not in seen]:
        raise FacesError(
            f"{file}: lacks {len(missing)} images of {IMAGES}/, such as {missing[0]}: label or remove them"
        )
    found = set(seen.values())
    names = sorted(found, key=int) if all(re.fullmatch("[0-9]+", label) for label in found) else sorted(found)
    if len(names) < 2:
        raise FacesError(f"{file}: names {len(names)} people, expected at least two: add the images of others")
    place = {name: label for label, name in enumerate(names)}
    rows = sorted((place[label], natural_key(there[name]), there[name]) for name, label in seen.items())
    labels = np.array([label for label, _, _ in rows], np.int64)
    return Identities(root, tuple(names), tuple(path for _, _, path in rows), labels)


def _what_is_wrong(root: Path, people: dict[str, tuple[Path, ...]]) -> str:
    """Why a folder with fewer than two people cannot be used, and what to do."""
    if people:
        (name,) = people
        return f"only one identity ({name}) has images, expected at least two: add the folders of other people"
    folders = folders_in(root)
    if not folders:
        return f"no identity folders{contents(root)}; expected one folder per person, with images inside"
    if deeper := next((f for f in folders if any(images_in(inner) for inner in folders_in(f))), None):
        return f"its folders hold no images, but those in {deeper} do: give that folder instead"
    return f"no images in any of its {len(folders)} folders; expected one folder per person, with images inside"
