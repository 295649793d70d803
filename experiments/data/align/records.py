"""What `faces align` has to do and what it found: the images of a folder, and a table that grows with the job."""

import shutil
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields, replace
from io import StringIO
from pathlib import Path, PurePosixPath

import numpy as np

from experiments.data.align import Face
from experiments.data.folders import entries_under, files_under, is_image, is_usable, other_files, require_utf8
from experiments.data.preparation import AlignSettings, Format
from experiments.errors import FacesError
from experiments.files import Record, append_csv, restore, write_csv
from mytorch.files import atomic_write

TABLE, FAILURES, SETTINGS, LOWEST = "aligned.csv", "failures.csv", "align.json", "lowest_scores.pdf"
_POINTS = ("left_eye", "right_eye", "nose", "left_mouth", "right_mouth")
_NUMBERS = ("left", "top", "right", "bottom", *(f"{name}_{axis}" for name in _POINTS for axis in "xy"))


class AlignJob(Record):
    """align.json: the folder of the original images, the settings of the job, and the digest of its finished table."""

    source: str
    settings: AlignSettings
    table: str | None = None


@dataclass(frozen=True)
class ImageRecord:
    """What was found in one image. path, output: relative to the two folders; output is empty where nothing was stored.

    width, height: of the image in pixels. faces: how many were found. how: "face", "usual place" (no face: cropped
    where the folder's faces are), "skipped" or "unreadable". why: the reason, except for "face". score, box and
    landmarks: of the chosen face, also where its score was too low.
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
    def of_face(cls, path: str, output: str, width: int, height: int, faces: int, face: Face) -> "ImageRecord":
        """Record an image in which a face was found and chosen."""
        box, points = (tuple(round(float(x), 2) for x in array.ravel()) for array in (face.box, face.landmarks))
        return cls(path, output, width, height, faces, "face", "", round(face.score, 5), box, points)

    @property
    def points(self) -> np.ndarray:
        """The landmarks as an array (5, 2)."""
        return np.array(self.landmarks).reshape(5, 2)

    def row(self) -> dict[str, object]:
        """Return the record as a row of the table."""
        plain = {name: value for name, value in asdict(self).items() if name not in ("box", "landmarks")}
        numbers = (*self.box, *self.landmarks) or ("",) * len(_NUMBERS)
        return {**plain, "score": "" if self.score is None else self.score, **dict(zip(_NUMBERS, numbers, strict=True))}

    @classmethod
    def of_row(cls, row: dict[str, str]) -> "ImageRecord":
        """Parse a row of the table. Raises ValueError, KeyError or TypeError for anything else."""
        if row["how"] == "face" and not row["score"]:
            raise ValueError("a face without a score")
        record = cls(
            row["path"], row["output"], int(row["width"]), int(row["height"]), int(row["faces"]), row["how"], row["why"]
        )
        if not row["score"]:
            return record
        numbers = tuple(float(row[name]) for name in _NUMBERS)
        return replace(record, score=float(row["score"]), box=numbers[:4], landmarks=numbers[4:])


COLUMNS = (*(field.name for field in fields(ImageRecord) if field.name not in ("box", "landmarks")), *_NUMBERS)


class RecordTable:
    """The table of a job: records are appended as they come, and sorted at the end.

    A line that a kill cut off is dropped when the table is read, and its image is aligned again.
    """

    def __init__(self, folder: Path):
        self.path = folder / TABLE
        self.failures = folder / FAILURES

    def read(self) -> dict[str, ImageRecord]:
        """Return the records by path, and rewrite the table without damaged lines. Empty where there is no table."""
        if not self.path.is_file():
            return {}
        records = {}
        for row in _whole_rows(self.path.read_bytes()):
            try:
                record = ImageRecord.of_row(row)
            except (ValueError, KeyError, TypeError):
                continue
            records[record.path] = record
        self.write(records.values())
        return records

    def add(self, records: Iterable[ImageRecord]) -> None:
        """Append records to the file."""
        if not self.path.is_file():
            self.write(())
        append_csv(self.path, [record.row() for record in records], COLUMNS)

    def write(self, records: Iterable[ImageRecord]) -> None:
        """Write all records, completely or not at all."""
        write_csv(self.path, [record.row() for record in records], COLUMNS)

    def write_failures(self, records: Iterable[ImageRecord]) -> None:
        """Write the records of images without a face and of those that cannot be read to a table of their own."""
        write_csv(self.failures, [record.row() for record in records if record.how != "face"], COLUMNS)


def _whole_rows(content: bytes) -> list[dict[str, str]]:
    """Parse a table up to the last whole line."""
    import pandas as pd

    lines = content.decode("utf-8", "replace").replace("\0", "").splitlines(keepends=True)
    if lines and not lines[-1].endswith("\n"):
        lines.pop()
    while lines:
        try:
            table = pd.read_csv(StringIO("".join(lines)), dtype=str, keep_default_na=False, on_bad_lines="skip")
        except ValueError:  # a quoted cell that is not closed: its line was cut off behind a line break in the cell
            lines.pop()
            continue
        rows: list[dict[str, str]] = table.fillna("").map(restore).to_dict("records")
        return rows
    return []


_TABLES = frozenset({".csv", ".txt", ".json"})
_JPEG = frozenset({".jpg", ".jpeg"})


def list_images(source: Path, form: Format) -> dict[str, str]:
    """Return every image below `source`, in natural order, and the name it is stored under, both relative.

    Raises FacesError where there is none, where two would be stored under one name, for names that are not UTF-8, and
    for links that `is_usable` refuses.
    """
    outputs: dict[str, str] = {}
    taken: dict[str, str] = {}
    for entry in entries_under(source):
        require_utf8(entry.relative_to(source))
        is_usable(entry, source)
        if not is_image(entry):
            continue
        path = entry.relative_to(source).as_posix()
        output = _stored_as(path, form)
        if output in taken:
            raise FacesError(
                f"{source}: {taken[output]} and {path} would both be stored as {output}: rename or remove one"
            )
        outputs[path], taken[output] = output, path
    if not outputs:
        expected = "expected those of a data set"
        raise FacesError(f"{source}: no images in it or in its folders; {expected}{other_files(source)}")
    return outputs


def copy_tables(source: Path, target: Path, reserved: Iterable[str]) -> None:
    """Copy the tables of a data set (the sample, lists of pairs), except names that the job itself uses."""
    for file in files_under(source):
        path = file.relative_to(source).as_posix()
        if file.suffix.lower() in _TABLES and path not in reserved:
            (target / path).parent.mkdir(parents=True, exist_ok=True)
            with atomic_write(target / path) as temporary:
                shutil.copyfile(file, temporary)


def _stored_as(path: str, form: Format) -> str:
    suffix = PurePosixPath(path).suffix.lower()
    if suffix == ".png" if form == "png" else suffix in _JPEG if form == "jpeg" else suffix in {".png", *_JPEG}:
        return path
    return str(PurePosixPath(path).with_suffix(".jpg" if form == "jpeg" else ".png"))
