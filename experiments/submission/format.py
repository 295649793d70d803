"""A competition's sample_submission.csv: which pictures to name, in which order, and what a label looks like."""

import csv
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from experiments.errors import FacesError

Labels = Literal["name", "index"]
"""What stands for a person: the name of the folder, or its place among all of them, from 0, sorted as strings."""

PICTURE, LABEL = ("image_name", "id"), "label"
EXPECTED = "expected image_name,label, id,label or ID,Label"


@dataclass(frozen=True)
class Sample:
    """columns: its head; ids: the pictures, in its order; labels: what stands beside them, in the same order."""

    path: Path
    columns: tuple[str, str]
    ids: tuple[str, ...]
    labels: tuple[str, ...]

    @property
    def filled(self) -> frozenset[str]:
        """The different labels, where they tell anything: a single one that stands in every row is a placeholder."""
        found = frozenset(self.labels)
        return found if len(found) > 1 else frozenset()


def read_sample(path: str | os.PathLike[str]) -> Sample:
    """Read a sample. Raises FacesError where it is missing, has other columns, or names an image twice."""
    path = Path(path)
    if not path.is_file():
        raise FacesError(f"{path}: no such file; give the competition's sample_submission.csv")
    columns, rows = read_rows(path)
    if [name.lower() for name in columns] not in [[name, LABEL] for name in PICTURE]:
        raise FacesError(f"{path}: columns {','.join(columns) or '(none)'}; {EXPECTED}")
    if odd := [row for row in rows if len(row) != 2]:
        shown = ",".join(odd[0])
        raise FacesError(f"{path}: a row with {len(odd[0])} values, {shown}; expected {','.join(columns)}")
    times = Counter(name for name, _ in rows)
    if repeated := [name for name in times if times[name] > 1]:
        raise FacesError(f"{path}: {repeated[0]} stands there more than once; get the sample again")
    if not rows:
        raise FacesError(f"{path}: names no images; get the sample again")
    return Sample(path, (columns[0], columns[1]), tuple(times), tuple(label for _, label in rows))


def read_rows(path: Path) -> tuple[list[str], list[list[str]]]:
    """The head and the rows of a CSV file, empty lines left out. Raises FacesError where it is none."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            columns, *rows = [row for row in csv.reader(file, strict=True) if row] or [[]]
    except (UnicodeDecodeError, csv.Error) as error:
        raise FacesError(f"{path}: not a CSV file in UTF-8: {error}") from error
    return columns, rows


def label_style(sample: Sample, people: Sequence[str]) -> Labels:
    """Whether the sample's labels are names of `people` or indices of them.

    `image_name` goes with names. `id` goes with indices where every label is a number below the number of people and
    is not the name of one. Raises FacesError where labels that differ from row to row hold some that are neither.
    """
    known, column = set(people), sample.columns[0].lower()
    numbers = all(label.isascii() and label.isdigit() and int(label) < len(people) for label in sample.labels)
    if column != PICTURE[0] and numbers and not known.issuperset(sample.labels):
        return "index"
    if strangers := sorted(sample.filled - known):
        raise FacesError(
            f"{sample.path}: {len(strangers)} of its {len(sample.filled)} labels are none of the run's {len(known)} "
            f"people, such as {strangers[0]!r} (the run knows {min(known)!r}): was it trained on this competition's "
            "folders? With --labels name or --labels index the file is written all the same"
        )
    return "name"
