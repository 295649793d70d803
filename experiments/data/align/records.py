"""What was found in each picture, kept in a table that grows with the job, so that a stopped one goes on."""

import csv
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

import numpy as np

from experiments.data.align.face import Face
from experiments.run import write_csv

TABLE, FAILURES, SETTINGS = "aligned.csv", "failures.csv", "align.json"
_POINTS = ("left_eye", "right_eye", "nose", "left_mouth", "right_mouth")
_NUMBERS = ("left", "top", "right", "bottom", *(f"{name}_{axis}" for name in _POINTS for axis in "xy"))


@dataclass(frozen=True)
class Record:
    """One picture. path, output: relative to the two folders, output empty where nothing was written.

    width, height: of the picture in pixels. faces: how many were found. how: "face", or "usual place" (no face, cut
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
        """A picture in which a face was found and chosen."""
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

    A line that a kill cut off is left out when the table is read, and its picture done again.
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
        """Beside the table, those pictures in which no face was found or that could not be read."""
        write_csv(self.failures, [record.row() for record in records if record.how != "face"], COLUMNS)
