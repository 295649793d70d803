"""Images that are not all in memory, indexed as an array (N, H, W, 3) of uint8 is.

A folder that `faces data pack` made, read as the folder that it was made from.

Images without names: a competition's test set.
"""

import csv
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from experiments.data.folders import IMAGES, Identities, contents, existing_folder, images_in
from experiments.data.images import Fit, fit_image, read_image
from experiments.errors import FacesError
from experiments.files import read_json

IN_MEMORY = 2 * 1024**3
"""Bytes of pixels up to which a folder's images are decoded once and kept; above, each is read when it is wanted."""


class ImageSource(Protocol):
    """Where images come from: how many there are, of what size, and any of them by number."""

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """(N, H, W, 3)."""

    def read(self, rows: np.ndarray) -> np.ndarray:
        """Those images, (n, H, W, 3) uint8, in memory."""


class ImageFiles:
    """Image files, each decoded whenever it is wanted. Raises ImageError, naming it, for one that cannot be."""

    def __init__(self, paths: Sequence[Path], size: tuple[int, int], fit: Fit):
        self.paths, self.size, self.fit = tuple(paths), size, fit

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """(N, H, W, 3)."""
        return len(self.paths), *self.size, 3

    def read(self, rows: np.ndarray) -> np.ndarray:
        """Decode those images, one after another: batches are prepared by several processes as it is."""
        pixels = np.empty((len(rows), *self.size, 3), np.uint8)
        for pixel, row in zip(pixels, rows, strict=True):
            pixel[...] = fit_image(read_image(self.paths[row], at_least=2 * max(self.size)), self.size, self.fit)
        return pixels


class MappedFile:
    """Pixels in a .npy file, mapped into memory when first wanted; a copy for another process maps them itself."""

    def __init__(self, path: str | os.PathLike[str], shape: tuple[int, int, int, int]):
        self.path, self.shape = Path(path), shape
        self._pixels: np.ndarray | None = None

    def read(self, rows: np.ndarray) -> np.ndarray:
        """Copy those images from the file."""
        if self._pixels is None:
            self._pixels = np.load(self.path, mmap_mode="r")
        return np.asarray(self._pixels[rows])

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_pixels": None}


class ConcatImages:
    """Images in memory or out of it, (N, H, W, 3), and after them those of a source of the same size."""

    def __init__(self, first: Any, then: ImageSource):
        self.first, self.then = first, then

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """(N, H, W, 3)."""
        return len(self.first) + self.then.shape[0], *self.then.shape[1:]

    def read(self, rows: np.ndarray) -> np.ndarray:
        """Those images, each from where it is."""
        before = rows < len(self.first)
        pixels = np.empty((len(rows), *self.shape[1:]), np.uint8)
        pixels[before] = self.first[rows[before]]
        pixels[~before] = self.then.read(rows[~before] - len(self.first))
        return pixels


class LazyImages:
    """Some of a source's images, in an order of their own: `images[i]`, `images[3:9]`, `images[[4, 2]]`.

    What is indexed is read, and nothing else; `pick` reads nothing. np.asarray reads all.
    """

    dtype = np.dtype(np.uint8)
    ndim = 4

    def __init__(self, source: ImageSource, rows: np.ndarray | None = None):
        self.source = source
        self.rows = np.arange(source.shape[0]) if rows is None else rows

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """(N, H, W, 3)."""
        return len(self.rows), *self.source.shape[1:]

    @property
    def nbytes(self) -> int:
        """Bytes that they would take in memory."""
        return int(np.prod(self.shape, dtype=np.int64))

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: Any) -> np.ndarray:
        rows = self.rows[index]
        if np.ndim(rows) == 0:
            return self.source.read(np.array([rows]))[0]
        return self.source.read(rows)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        pixels = self[:]
        return pixels if dtype is None else pixels.astype(dtype)

    def astype(self, dtype: Any) -> np.ndarray:
        """All of them, in memory, as another type."""
        return self[:].astype(dtype)

    def pick(self, rows: np.ndarray) -> "LazyImages":
        """Those images of these, still unread."""
        return LazyImages(self.source, self.rows[rows])


PACK, VERSION = "pack.json", 1
_REMEDY = "remove it and pack again"


@dataclass(frozen=True, eq=False)
class PackedPart:
    """One part of a pack. images: (N, H, W, 3), unread; paths: as in the folder that was packed, below the pack."""

    images: LazyImages
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


def open_pack(
    pack: str | os.PathLike[str], part: str, size: tuple[int, int] | None = None, fit: str = ""
) -> PackedPart:
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
    shape = (int(about["parts"][part]["images"]), *had, 3)
    _refuse_damaged(folder / f"{part}.npy", shape)
    rows = _rows(folder / f"{part}.csv", shape[0])
    paths = tuple(folder / part / row["path"] for row in rows)
    names = about["parts"][part].get("people")
    people = None if names is None else _people(folder, part, paths, rows, tuple(names))
    return PackedPart(LazyImages(MappedFile(folder / f"{part}.npy", shape)), paths, people)


def has_part(pack: str | os.PathLike[str], part: str) -> bool:
    """Whether a pack has a part."""
    about = read_json(Path(pack) / PACK)
    return isinstance(about, dict) and part in about.get("parts", ())


def read_packed(paths: Sequence[Path], size: tuple[int, int], fit: str) -> np.ndarray | None:
    """The images of paths that lie in a pack, (N, H, W, 3) uint8; None where the first one does not."""
    if not len(paths) or paths[0].exists():
        return None
    found = next(((parent.parent, parent.name) for parent in paths[0].parents if is_packed(parent.parent)), None)
    if found is None:
        return None
    part, place = _opened(*found, size, fit, (found[0] / PACK).stat().st_mtime_ns)
    return part.images[np.array([place[path] for path in paths])]


@lru_cache(maxsize=1)
def _opened(pack: Path, part: str, size: tuple[int, int], fit: str, written: int) -> tuple[PackedPart, dict[Path, int]]:
    """A part and the row of each path in it, kept: a test set is read some images at a time.

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


def find_images(directory: str | os.PathLike[str]) -> tuple[Path, ...]:
    """List the images that lie directly in a folder, or in its `images/`, in natural order (1, 2, 10).

    Those of a pack's test set are named as if they lay below it. Raises FacesError where there are none.
    """
    if part := packed_part(directory):
        return open_pack(*part).paths
    folder = existing_folder(directory)
    images = images_in(folder)
    if not images and (folder / IMAGES).is_dir():
        images = images_in(folder / IMAGES)
    if not images:
        raise FacesError(f"{folder}: no images are directly in it{contents(folder)}: give the folder that holds them")
    return images
