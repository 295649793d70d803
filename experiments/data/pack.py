"""`faces data pack`: every image decoded once, into files that are mapped into memory.

OUT/pack.json: the size, the fit, and the parts. OUT/<part>.npy: (N, H, W, 3) uint8. OUT/<part>.csv: a row a image,
its path in the folder that was packed and, but for test/, its person. The sample submission and the like come along.
"""

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np

from experiments.data.folders import Identities, find_identities, validation_root
from experiments.data.images import Fit, ImageError, Progress, fit_image, in_threads, read_image
from experiments.data.preparation import read_preparation, write_preparation
from experiments.data.sources import PACK, VERSION, find_images
from experiments.errors import FacesError
from experiments.files import new_folder, refuse_existing, write_csv, write_json


class PackPart:
    """A part to pack: its name, its images' paths and, but for a test set, its people."""

    def __init__(self, name: str, root: Path, paths: Sequence[Path], people: Identities | None = None):
        self.name, self.root, self.paths, self.people = name, root, paths, people

    def rows(self, kept: Sequence[int]) -> list[dict[str, str]]:
        """The table of those images that were kept."""
        rows = [{"path": self.paths[i].relative_to(self.root).as_posix()} for i in kept]
        if self.people:
            for row, i in zip(rows, kept, strict=True):
                row["person"] = self.people.names[self.people.labels[i]]
        return rows


def pack_folder(
    source: Path,
    target: Path,
    size: tuple[int, int],
    fit: Fit = "crop",
    on_bad_image: str = "stop",
    workers: int | None = None,
    progress: Progress | None = None,
) -> tuple[dict[str, int], list[str]]:
    """Pack a folder of people, or a competition's: its train/, its dev/ and test/ where it has them.

    Returns how many images each part holds, and what is wrong with those left out (`on_bad_image` "skip"; "stop"
    raises the first one's ImageError). Memory holds no more than a few blocks; the folder appears whole or not at all.
    Raises FacesError where the disk has too little room, before anything is decoded.
    """
    if on_bad_image not in ("stop", "skip"):
        raise FacesError(f"on_bad_image is {on_bad_image!r}, expected stop or skip")
    refuse_existing(target, "remove it")
    parts = find_parts(source)
    total = sum(len(part.paths) for part in parts)
    refuse_full_disk(target, total * size[0] * size[1] * 3)
    counts: dict[str, int] = {}
    described: dict[str, dict[str, object]] = {}
    bad: list[str] = []
    before = 0
    with new_folder(target) as folder:
        for part in parts:
            kept: list[int] = []
            with (folder / f"{part.name}.npy").open("wb") as file:
                _header(file, (len(part.paths), *size, 3))
                start = file.tell()
                for n, image in enumerate(_decoded(part.paths, size, fit, workers)):
                    if isinstance(image, ImageError):
                        if on_bad_image == "stop":
                            raise image
                        bad.append(str(image))
                    else:
                        file.write(image.tobytes())
                        kept.append(n)
                    if progress:
                        progress(before + n + 1, total)
                file.seek(0)
                _header(file, (len(kept), *size, 3))
                if file.tell() != start:
                    raise RuntimeError(f"the header of {part.name}.npy grew from {start} to {file.tell()} bytes")
            before += len(part.paths)
            counts[part.name] = len(kept)
            described[part.name] = {"images": len(kept), **({"people": part.people.names} if part.people else {})}
            columns = ("path", "person") if part.people else ("path",)
            write_csv(folder / f"{part.name}.csv", part.rows(kept), columns)
        for table in sorted(source.glob("*.csv")):
            if table.name not in {f"{part.name}.csv" for part in parts}:
                shutil.copyfile(table, folder / table.name)
        about = {"version": VERSION, "size": list(size), "fit": fit, "parts": described, "left_out": bad}
        write_json(folder / PACK, about)
        write_preparation(folder, read_preparation(source))
    return counts, bad


def find_parts(source: Path) -> list[PackPart]:
    """What a folder has to pack. Raises FacesError where it holds no people."""
    people = find_identities(source)
    parts = [PackPart("train", people.root, people.paths, people)]
    if people.root != source:
        if validation := validation_root(source):
            others = find_identities(validation)
            parts.append(PackPart("dev", others.root, others.paths, others))
        test = people.root.parent / "test"
        if test.is_dir() and any(test.iterdir()):  # a competition may be drawn without test images
            parts.append(PackPart("test", test, find_images(test)))
    return parts


def refuse_full_disk(target: Path, needed: int) -> None:
    """Raise FacesError where the disk of `target` has less than `needed` bytes, and one part in a hundred, free."""
    parent = next(folder for folder in target.absolute().parents if folder.is_dir())
    free = shutil.disk_usage(parent).free
    if free < needed * 1.01:
        raise FacesError(
            f"{target}: the images take {needed / 1e9:,.2f} GB, but the disk has {free / 1e9:,.2f} GB free: "
            "make room, choose another disk, or a smaller --size"
        )


def _header(file: BinaryIO, shape: tuple[int, ...]) -> None:
    """NumPy's, which leaves room for the first number to change."""
    described = {"descr": np.lib.format.dtype_to_descr(np.dtype(np.uint8)), "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, described)


def _decoded(
    paths: Sequence[Path], size: tuple[int, int], fit: Fit, workers: int | None
) -> Iterator[np.ndarray | ImageError]:
    """Each image at its size, or what is wrong with it, in order."""

    def load(path: Path) -> np.ndarray | ImageError:
        try:
            return fit_image(read_image(path, at_least=2 * max(size)), size, fit)
        except ImageError as error:
            return error

    return in_threads(load, paths, workers)
