"""What lies in a folder: its images and its folders, without a system's litter, in the order that people expect."""

import difflib
import os
import re
from collections.abc import Iterable
from pathlib import Path

from experiments.data.images import IMAGE_SUFFIXES
from experiments.errors import FacesError

IMAGES = "images"
"""What some competitions call the folder that holds the pictures of a part."""

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
