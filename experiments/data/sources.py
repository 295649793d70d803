"""Sources of images: files, packs made by `faces data pack`, and test sets; indexed like arrays (N, H, W, 3) uint8."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal, Protocol

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from experiments.data.folders import IMAGES, Identities, contents, existing_folder, images_in
from experiments.data.images import Fit, fit_image, read_image
from experiments.errors import FacesError
from experiments.files import Record, file_digest, read_csv

IN_MEMORY = 2 * 1024**3
"""Images of up to this many bytes are decoded once and kept in memory; of more, each is read when it is indexed."""


class ImageSource(Protocol):
    """Images by number, all of one size."""

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """(N, H, W, 3)."""

    def read(self, rows: np.ndarray) -> np.ndarray:
        """Read images by number, (n, H, W, 3) uint8."""


class ImageFiles:
    """Image files, decoded whenever they are read. Raises ImageError for a file that cannot be decoded."""

    def __init__(self, paths: Sequence[Path], size: tuple[int, int], fit: Fit):
        self.paths, self.size, self.fit = tuple(paths), size, fit

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """(N, H, W, 3)."""
        return len(self.paths), *self.size, 3

    def read(self, rows: np.ndarray) -> np.ndarray:
        """Decode images one after another; batches are prepared by several processes already."""
        pixels = np.empty((len(rows), *self.size, 3), np.uint8)
        for pixel, row in zip(pixels, rows, strict=True):
            pixel[...] = fit_image(read_image(self.paths[row], at_least=2 * max(self.size)), self.size, self.fit)
        return pixels


class MappedFile:
    """Pixels in a .npy file, mapped into memory at the first read; a copy in another process maps them itself."""

    def __init__(self, path: str | os.PathLike[str], shape: tuple[int, int, int, int]):
        self.path, self.shape = Path(path), shape
        self._pixels: np.ndarray | None = None

    def read(self, rows: np.ndarray) -> np.ndarray:
        """Copy images from the file."""
        if self._pixels is None:
            self._pixels = np.load(self.path, mmap_mode="r")
        return np.asarray(self._pixels[rows])

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_pixels": None}


class ConcatImages:
    """Images (N, H, W, 3), in memory or lazy, followed by those of a source of the same size."""

    def __init__(self, first: Any, then: ImageSource):
        self.first, self.then = first, then

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """(N, H, W, 3)."""
        return len(self.first) + self.then.shape[0], *self.then.shape[1:]

    def read(self, rows: np.ndarray) -> np.ndarray:
        """Read images by number, each from its source."""
        before = rows < len(self.first)
        pixels = np.empty((len(rows), *self.shape[1:]), np.uint8)
        pixels[before] = self.first[rows[before]]
        pixels[~before] = self.then.read(rows[~before] - len(self.first))
        return pixels


class LazyImages:
    """A selection of a source's images, indexed like an array: `images[i]`, `images[3:9]`, `images[[4, 2]]`.

    Indexing reads the indexed images alone, `pick` reads nothing, np.asarray reads all.
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
        """Bytes that all images take in memory."""
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
        """Read all images as another type."""
        return self[:].astype(dtype)

    def pick(self, rows: np.ndarray) -> "LazyImages":
        """Select images without reading them."""
        return LazyImages(self.source, self.rows[rows])


PACK = "pack.json"
_REMEDY = "remove it and pack again"


class PackedPartInfo(BaseModel):
    """What pack.json says of a part. people: their names, None for a test set. table: digest of the part's CSV file."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    images: int = Field(ge=0)
    people: tuple[str, ...] | None = None
    table: str


class PackInfo(Record):
    """pack.json. size: (height, width) of the images. left_out: error messages of images that could not be read."""

    version: Literal[2]
    size: Annotated[tuple[int, int], Field(min_length=2)]
    fit: Fit
    parts: dict[Literal["train", "dev", "test"], PackedPartInfo]
    left_out: tuple[str, ...] = ()

    @property
    def counts(self) -> dict[str, int]:
        """Images of each part."""
        return {name: part.images for name, part in self.parts.items()}


@dataclass(frozen=True, eq=False)
class PackedPart:
    """One part of a pack. images: (N, H, W, 3), unread; paths: as in the folder that was packed, below the pack."""

    images: LazyImages
    paths: tuple[Path, ...]
    listed: Identities | None

    @property
    def people(self) -> Identities:
        """The people of the part. Raises FacesError for a test set, which has none."""
        if self.listed is None:
            place = self.paths[0].parent if self.paths else "a test set"
            raise FacesError(f"{place}: does not say who is in it: give a pack with a train/ or dev/ part")
        return self.listed


def is_packed(directory: str | os.PathLike[str]) -> bool:
    """Whether a folder is a pack."""
    return (Path(directory) / PACK).is_file()


def pack_parts(pack: str | os.PathLike[str]) -> tuple[str, ...]:
    """Return the names of a pack's parts."""
    return tuple(PackInfo.read(Path(pack) / PACK, _REMEDY).parts)


def has_part(pack: str | os.PathLike[str], part: str) -> bool:
    """Whether a pack has a part."""
    return part in pack_parts(pack)


def packed_part(directory: str | os.PathLike[str]) -> tuple[Path, str] | None:
    """Return the pack and the part of a path: PACK itself means its test set, or PACK/test; None for other paths."""
    path = Path(directory)
    if is_packed(path):
        return path, "test"
    return (path.parent, path.name) if is_packed(path.parent) and not path.exists() else None


def open_pack(
    pack: str | os.PathLike[str], part: str, size: tuple[int, int] | None = None, fit: str = ""
) -> PackedPart:
    """Open a part of a pack ("train", "dev", "test") and check its files; images are read when indexed.

    Raises FacesError for a part that the pack lacks, for another size or fit than wanted, and for damaged files.
    """
    folder = Path(pack)
    info = PackInfo.read(folder / PACK, _REMEDY)
    about = next((value for name, value in info.parts.items() if name == part), None)
    if about is None:
        raise FacesError(f"{folder}: has no {part}, only {', '.join(info.parts)}: pack a folder that holds one")
    height, width = info.size
    if size is not None and (info.size != size or fit != info.fit):
        raise FacesError(
            f"{folder}: packed at {height} x {width} pixels with fit {info.fit}, but {size[0]} x {size[1]} with "
            f"{fit} is wanted: pack again, or set data.size=[{height},{width}] and data.fit={info.fit}"
        )
    shape = (about.images, height, width, 3)
    _refuse_damaged(folder / f"{part}.npy", shape)
    paths, owners = _read_table(folder, part, about)
    people = None if about.people is None else Identities(folder / part, about.people, paths, owners)
    return PackedPart(LazyImages(MappedFile(folder / f"{part}.npy", shape)), paths, people)


def read_packed(paths: Sequence[Path], size: tuple[int, int], fit: str) -> np.ndarray | None:
    """Read the images of paths in a pack, (N, H, W, 3) uint8; return None where the first is not in a pack."""
    if not len(paths) or paths[0].exists():
        return None
    found = next(((parent.parent, parent.name) for parent in paths[0].parents if is_packed(parent.parent)), None)
    if found is None:
        return None
    part, place = _opened(*found, size, fit, (found[0] / PACK).stat().st_mtime_ns)
    return part.images[np.array([place[path] for path in paths])]


@lru_cache(maxsize=1)
def _opened(pack: Path, part: str, size: tuple[int, int], fit: str, written: int) -> tuple[PackedPart, dict[Path, int]]:
    """Open a part and index its paths; cached, because a test set is read some images at a time.

    written: modification time of the pack, so that another pack of the same name is opened again.
    """
    opened = open_pack(pack, part, size, fit)
    return opened, {path: row for row, path in enumerate(opened.paths)}


def _refuse_damaged(path: Path, shape: tuple[int, int, int, int]) -> None:
    """Raise FacesError where a file of pixels is not of its length, type and shape."""
    try:
        with path.open("rb") as file:
            np.lib.format.read_magic(file)
            found, fortran, dtype = np.lib.format.read_array_header_1_0(file)
            start = file.tell()
        length = path.stat().st_size
    except (OSError, ValueError) as error:
        raise FacesError(f"{path}: its pixels cannot be read ({error}): {_REMEDY}") from error
    wanted = start + int(np.prod(shape, dtype=np.int64))
    if found != shape or fortran or dtype != np.uint8:
        raise FacesError(f"{path}: holds {found} {dtype}, expected {shape} uint8: {_REMEDY}")
    if length != wanted:
        raise FacesError(f"{path}: is {length:,} bytes long, expected {wanted:,}, so it was cut off: {_REMEDY}")


def _read_table(folder: Path, part: str, about: PackedPartInfo) -> tuple[tuple[Path, ...], np.ndarray]:
    """Read a part's table: the images' paths below the pack, and their labels, all 0 for a test set."""
    file = folder / f"{part}.csv"
    table = read_csv(file, _REMEDY, ("path",) if about.people is None else ("path", "person"))
    if len(table) != about.images:
        raise FacesError(f"{file}: has {len(table):,} rows, expected {about.images:,}: {_REMEDY}")
    if file_digest(file) != about.table:
        raise FacesError(f"{file}: is not as it was packed: {_REMEDY}")
    names = [PurePosixPath(name) for name in table["path"]]
    if leading_out := [name for name in names if name.is_absolute() or ".." in name.parts or not name.parts]:
        raise FacesError(f"{file}: the path {str(leading_out[0])!r} leads out of the pack: {_REMEDY}")
    label = {name: place for place, name in enumerate(about.people or ())}
    people = list(table["person"]) if about.people is not None else []
    if unknown := set(people) - set(label):
        raise FacesError(f"{file}: {min(unknown)!r} is not one of the people of {folder / PACK}: {_REMEDY}")
    labels = np.array([label[name] for name in people], np.int64) if people else np.zeros(len(names), np.int64)
    return tuple(folder / part / name for name in names), labels


def find_images(directory: str | os.PathLike[str]) -> tuple[Path, ...]:
    """List the images directly in a folder, or in its `images/`, in natural order (1, 2, 10).

    Those of a pack's test set are named as if they were below it. Raises FacesError where there are none.
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
