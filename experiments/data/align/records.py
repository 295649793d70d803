"""What was found in each image, kept in a table that grows with the job, so that a stopped one goes on.

What `faces align` has to do: every image below a folder, the name each is stored under, the tables beside them.
"""

import csv
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path, PurePosixPath

import numpy as np

from experiments.data.align.detector import Face
from experiments.data.align.settings import Format
from experiments.data.folders import files_under, is_image
from experiments.errors import FacesError
from experiments.files import write_csv
from mytorch.files import atomic_write

TABLE, FAILURES, SETTINGS = "aligned.csv", "failures.csv", "align.json"
_POINTS = ("left_eye", "right_eye", "nose", "left_mouth", "right_mouth")
_NUMBERS = ("left", "top", "right", "bottom", *(f"{name}_{axis}" for name in _POINTS for axis in "xy"))


@dataclass(frozen=True)
class Record:
    """One image. path, output: relative to the two folders, output empty where nothing was written.

    width, height: of the image in pixels. faces: how many were found. how: "face", or "usual place" (no face, cut
    where the folder's faces are), "skipped", "unreadable"; why: what stood in the way. score, box and landmarks: of
    the face that was chosen.
    """

    path: str
    output: str
    width: int
    height: int
    faces: int
    how: str
    why: str = ""
    score: float | None = None
    box: tuple[float, ...] = ()
    landmarks: tuple[float, ...] = ()

    @classmethod
    def of_face(cls, path: str, output: str, width: int, height: int, faces: int, face: Face) -> "Record":
        """A image in which a face was found and chosen."""
        box, points = (tuple(round(float(x), 2) for x in array.ravel()) for array in (face.box, face.landmarks))
        return cls(path, output, width, height, faces, "face", "", round(face.score, 5), box, points)

    @property
    def points(self) -> np.ndarray:
        """The landmarks, (5, 2)."""
        return np.array(self.landmarks).reshape(5, 2)

    def row(self) -> dict[str, object]:
        """The record as a row of the table."""
        plain = {name: value for name, value in asdict(self).items() if name not in ("box", "landmarks")}
        numbers = (*self.box, *self.landmarks) or ("",) * len(_NUMBERS)
        return {**plain, "score": "" if self.score is None else self.score, **dict(zip(_NUMBERS, numbers, strict=True))}

    @classmethod
    def of_row(cls, row: dict[str, str]) -> "Record":
        """A row of the table as a record. Raises ValueError, KeyError or TypeError for anything else."""
        if row["how"] == "face" and not row["score"]:
            raise ValueError("a face without a score")
        record = cls(
            row["path"], row["output"], int(row["width"]), int(row["height"]), int(row["faces"]), row["how"], row["why"]
        )
        if not row["score"]:
            return record
        numbers = tuple(float(row[name]) for name in _NUMBERS)
        return replace(record, score=float(row["score"]), box=numbers[:4], landmarks=numbers[4:])


COLUMNS = (*(field.name for field in fields(Record) if field.name not in ("box", "landmarks")), *_NUMBERS)


class Table:
    """The table of a job: records are added a chunk at a time, each chunk flushed, and at the end it is put in order.

    A line that a kill cut off is left out when the table is read, and its image done again.
    """

    def __init__(self, folder: Path):
        self.path = folder / TABLE
        self.failures = folder / FAILURES

    def read(self) -> dict[str, Record]:
        """The records by path; empty where there is no table yet. Writes it anew without a line that was cut off."""
        if not self.path.is_file():
            return {}
        records = {}
        with self.path.open(newline="", encoding="utf-8", errors="surrogateescape") as file:
            for row in csv.DictReader((line.replace("\0", "") for line in file if line.endswith("\n")), restval=""):
                try:
                    record = Record.of_row(row)
                except (ValueError, KeyError, TypeError):
                    continue
                records[record.path] = record
        self.write(records.values())
        return records

    def add(self, records: Iterable[Record]) -> None:
        """Add records at the end, and see them written."""
        if not self.path.is_file():
            self.write(())
        with self.path.open("a", newline="", encoding="utf-8", errors="surrogateescape") as file:
            csv.DictWriter(file, COLUMNS, lineterminator="\n").writerows(record.row() for record in records)

    def write(self, records: Iterable[Record]) -> None:
        """The whole table, whole or not at all."""
        write_csv(self.path, [record.row() for record in records], COLUMNS)

    def write_failures(self, records: Iterable[Record]) -> None:
        """Beside the table, those images in which no face was found or that could not be read."""
        write_csv(self.failures, [record.row() for record in records if record.how != "face"], COLUMNS)


_TABLES = frozenset({".csv", ".txt", ".json"})
_JPEG = frozenset({".jpg", ".jpeg"})


def list_images(source: Path, form: Format) -> dict[str, str]:
    """Every image below `source`, in natural order, and the name it is stored under, both relative.

    Raises FacesError where there is none, or where two would be stored under one name.
    """
    outputs: dict[str, str] = {}
    taken: dict[str, str] = {}
    for path in _relative(source):
        if not is_image(Path(path)):
            continue
        output = _stored_as(path, form)
        if output in taken:
            raise FacesError(
                f"{source}: {taken[output]} and {path} would both be stored as {output}: rename or remove one"
            )
        outputs[path], taken[output] = output, path
    if not outputs:
        raise FacesError(f"{source}: no images in it or in its folders; expected those of a data set")
    return outputs


def copy_tables(source: Path, target: Path, reserved: Iterable[str]) -> None:
    """Copy the tables of a data set (the sample, lists of pairs), all but names that the job itself uses."""
    for path in _relative(source):
        if Path(path).suffix.lower() in _TABLES and path not in reserved:
            (target / path).parent.mkdir(parents=True, exist_ok=True)
            with atomic_write(target / path) as temporary:
                shutil.copyfile(source / path, temporary)


def _relative(source: Path) -> Iterator[str]:
    for path in files_under(source):
        name = path.relative_to(source).as_posix()
        try:
            name.encode()
        except UnicodeEncodeError:
            raise FacesError(f"{source}: the name {name!r} is not UTF-8, so no table can hold it: rename it") from None
        yield name


def _stored_as(path: str, form: Format) -> str:
    suffix = PurePosixPath(path).suffix.lower()
    if suffix == ".png" if form == "png" else suffix in _JPEG if form == "jpeg" else suffix in {".png", *_JPEG}:
        return path
    return str(PurePosixPath(path).with_suffix(".jpg" if form == "jpeg" else ".png"))
