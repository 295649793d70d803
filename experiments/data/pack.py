"""`faces data pack`: decode every image once, into files that are mapped into memory.

OUT/pack.json: the size, the fit, and the parts. OUT/PART.npy: (N, H, W, 3) uint8. OUT/PART.csv: a row per image, its
path in the folder that was packed and, except for test/, its person. The sample submission, other tables and the record
of how the images were prepared are copied.
"""

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import BinaryIO, Literal

import numpy as np

from experiments.data.folders import Identities, find_identities, is_usable, validation_root
from experiments.data.images import Fit, ImageError, Progress, fit_image, image_size, map_in_threads, read_image
from experiments.data.preparation import read_preparation, write_preparation
from experiments.data.sources import PACK, PackedPartInfo, PackInfo, find_images
from experiments.errors import FacesError
from experiments.files import file_digest, locked, new_folder, refuse_existing, write_csv

PartName = Literal["train", "dev", "test"]


class PackPart:
    """A part to pack: its name, its images' paths and, except for a test set, its people."""

    def __init__(self, name: PartName, root: Path, paths: Sequence[Path], people: Identities | None = None):
        self.name, self.root, self.paths, self.people = name, root, paths, people

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns of the part's table."""
        return ("path", "person") if self.people else ("path",)

    def rows(self, kept: Sequence[int]) -> list[dict[str, str]]:
        """Return the table of the images that were kept."""
        rows = [{"path": self.paths[i].relative_to(self.root).as_posix()} for i in kept]
        if self.people:
            for row, i in zip(rows, kept, strict=True):
                row["person"] = self.people.names[self.people.labels[i]]
        return rows


def pack_folder(
    source: Path,
    target: Path,
    size: tuple[int, int] | None = None,
    fit: Fit = "crop",
    on_bad_image: str = "stop",
    workers: int | None = None,
    progress: Progress | None = None,
) -> PackInfo:
    """Pack a folder of people, or a competition's: its train/, its dev/ and its test/ where it has them.

    size: (height, width); by default that of the images where they are square and of one size, else 160 pixels.
    Returns
    what pack.json says. on_bad_image "stop" raises the first bad image's
    ImageError; "skip" leaves such images out and lists them. Memory holds no more than a few blocks; the folder is
    written completely or not at all. Raises FacesError where the disk has too little space, before anything is decoded.
    """
    if on_bad_image not in ("stop", "skip"):
        raise FacesError(f"on_bad_image is {on_bad_image!r}, expected stop or skip")
    refuse_existing(target, "remove it")
    parts = find_parts(source)
    size = size or common_size(parts[0].paths)
    total = sum(len(part.paths) for part in parts)
    refuse_full_disk(target, total * size[0] * size[1] * 3)
    described: dict[PartName, PackedPartInfo] = {}
    bad: list[str] = []
    done = 0
    with locked(target):
        refuse_existing(target, "remove it")  # another command may have written it while this one waited
        with new_folder(target) as folder:
            for part in parts:
                decoded = _decode_images(part.paths, size, fit, workers)
                images = _readable(decoded, on_bad_image, bad, partial(_advance, progress, done, total))
                kept = _write_npy(folder / f"{part.name}.npy", len(part.paths), size, images)
                done += len(part.paths)
                table = folder / f"{part.name}.csv"
                write_csv(table, part.rows(kept), part.columns)
                names = part.people.names if part.people else None
                described[part.name] = PackedPartInfo(images=len(kept), people=names, table=file_digest(table))
            for table in sorted(source.glob("*.csv")):
                if table.name not in {f"{part.name}.csv" for part in parts} and is_usable(table, source):
                    shutil.copyfile(table, folder / table.name)
            info = PackInfo(version=2, size=size, fit=fit, parts=described, left_out=tuple(bad))
            write_preparation(folder, read_preparation(source))
            info.write(folder / PACK)
    return info


def _advance(progress: Progress | None, before: int, total: int, done: int) -> None:
    if progress:
        progress(before + done, total)


def common_size(paths: Sequence[Path]) -> tuple[int, int]:
    """Return the size (height, width) to pack at: that of the images where they are square and of one size, else 160.

    Looks at up to SAMPLED images.
    """
    sizes = set()
    for path in paths[:: max(1, len(paths) // SAMPLED)][:SAMPLED]:
        with suppress(ImageError):  # reported when it is packed
            sizes.add(image_size(path))
    if len(sizes) == 1 and len(set(*sizes)) == 1:
        return sizes.pop()
    return DEFAULT_SIZE, DEFAULT_SIZE


DEFAULT_SIZE = 160
"""Pixels a side of packed images that had different sizes."""

SAMPLED = 64
"""Images that are opened to find the size of all."""


def _readable(
    images: Iterator[np.ndarray | ImageError], on_bad_image: str, bad: list[str], advance: Callable[[int], None]
) -> Iterator[tuple[int, np.ndarray]]:
    """Yield readable images with their places; raise the error of a bad one, or append it to `bad`."""
    for place, image in enumerate(images):
        if not isinstance(image, ImageError):
            yield place, image
        elif on_bad_image == "stop":
            raise image
        else:
            bad.append(str(image))
        advance(place + 1)


def _write_npy(file: Path, count: int, size: tuple[int, int], images: Iterator[tuple[int, np.ndarray]]) -> list[int]:
    """Write up to `count` images as a .npy file; return the places of those that came."""
    kept = []
    with file.open("wb") as out:
        _write_header(out, (count, *size, 3))
        start = out.tell()
        for place, image in images:
            out.write(image.tobytes())
            kept.append(place)
        out.seek(0)
        _write_header(out, (len(kept), *size, 3))
        if out.tell() != start:
            raise RuntimeError(f"the header of {file.name} grew from {start} to {out.tell()} bytes")
    return kept


def find_parts(source: Path) -> list[PackPart]:
    """Return the parts of a folder. Raises FacesError where it holds no people."""
    people = find_identities(source)
    parts = [PackPart("train", people.root, people.paths, people)]
    if people.root != source:
        if validation := validation_root(source):
            others = find_identities(validation)
            parts.append(PackPart("dev", others.root, others.paths, others))
        test = people.root.parent / "test"
        if test.is_dir() and any(test.iterdir()):  # a synthetic competition may have no test images
            parts.append(PackPart("test", test, find_images(test)))
    return parts


def refuse_full_disk(target: Path, needed: int) -> None:
    """Raise FacesError where the disk of `target` has less than `needed` bytes plus one percent free."""
    parent = next(folder for folder in target.absolute().parents if folder.is_dir())
    free = shutil.disk_usage(parent).free
    if free < needed * 1.01:
        raise FacesError(
            f"{target}: the images need {needed / 1e9:,.2f} GB, but the disk has {free / 1e9:,.2f} GB free: "
            "make room, choose another disk, or a smaller --size"
        )


def _write_header(file: BinaryIO, shape: tuple[int, ...]) -> None:
    """Write NumPy's header, which leaves room for the first number to change."""
    described = {"descr": np.lib.format.dtype_to_descr(np.dtype(np.uint8)), "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, described)


def _decode_images(
    paths: Sequence[Path], size: tuple[int, int], fit: Fit, workers: int | None
) -> Iterator[np.ndarray | ImageError]:
    """Yield each image at its size, or its error, in order."""

    def load(path: Path) -> np.ndarray | ImageError:
        try:
            return fit_image(read_image(path, at_least=2 * max(size)), size, fit)
        except ImageError as error:
            return error

    return map_in_threads(load, paths, workers)
