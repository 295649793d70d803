"""A competition's sample_submission.csv: which pictures to name, in which order, and what a label looks like.

Which picture an id of a sample stands for: by file name, by number, or by its place.

Is a submission one that the competition takes? Every id once, in the sample's order, with labels it knows.
"""

import csv
import os
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Literal

from experiments.errors import FacesError

LabelStyle = Literal["name", "index"]
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


def detect_label_style(sample: Sample, people: Sequence[str]) -> LabelStyle:
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


def match_ids(sample: Sample, files: Sequence[str], folder: str) -> tuple[list[int], str]:
    """For each id, the place of its picture among `files`, which are in natural order; and how ids were read.

    An id is a file's name (12.jpg), that name without its suffix (12), its number without leading zeros (12 for
    000012.jpg), or, where ids count from 0 through all pictures, a place among them: the first of these that finds
    most ids. Raises FacesError, naming one, where ids find no picture.
    """
    how, found = max(_readings(sample.ids, files).items(), key=lambda reading: len(reading[1]))
    missing = [name for name in sample.ids if name not in found]
    if missing:
        hint = (
            "" if sample.columns[0] != "ID" else "; if its ids are numbers of pairs, it is `faces verify` that answers"
        )
        raise FacesError(
            f"{sample.path} names {len(sample.ids)} images, {len(missing)} of which {folder} lacks, "
            f"such as {missing[0]}: give the folder and the sample of one competition{hint}"
        )
    return [found[name] for name in sample.ids], how


def check_sample(path: Path, files: Sequence[str], people: Sequence[str]) -> list[tuple[str, Sequence[str]]]:
    """Return why `faces submit` would refuse a sample, and the test images that the sample does not name.

    files: the names of the test images, in natural order. Each problem comes with the names it concerns. A sample whose
    ids are numbers of pairs, as for verification, is not compared with images.
    """
    try:
        sample = read_sample(path)
    except FacesError as error:
        return [(str(error), ())]
    problems: list[tuple[str, Sequence[str]]] = []
    try:
        places, _ = match_ids(sample, files, "test/")
        if unnamed := [files[place] for place in sorted(set(range(len(files))) - set(places))]:
            problems.append((f"{path.name} lacks images of test/ ({len(unnamed):,})", unnamed))
    except FacesError as error:
        if sample.columns[0] == "ID":
            return []
        problems.append((str(error), ()))
    try:
        if people:
            detect_label_style(sample, people)
    except FacesError as error:
        problems.append((str(error), ()))
    return problems


def _readings(ids: Sequence[str], files: Sequence[str]) -> Mapping[str, dict[str, int]]:
    """Each way to read ids, the plainest first, and the picture of every id that it finds."""
    stems = [PurePath(name).stem for name in files]
    digits = all(stem.isascii() and stem.isdigit() for stem in stems)
    counted = sorted(ids, key=lambda name: (len(name), name)) == [str(place) for place in range(len(files))]
    ways: dict[str, list[str]] = {"file name": list(files), "file name without suffix": stems}
    if digits:
        ways["number of the file"] = [str(int(stem)) for stem in stems]
    if counted:
        ways["place, counted from 0"] = [str(place) for place in range(len(files))]
    wanted = set(ids)
    return {
        how: {name: place for place, name in enumerate(names) if name in wanted}
        for how, names in ways.items()
        if len(set(names)) == len(names)
    }


def check_submission(
    path: str | os.PathLike[str], sample: str | os.PathLike[str], known: Collection[str] = ()
) -> list[str]:
    """What is wrong with a submission, in words; nothing where all is well.

    known: the labels that may stand in it; without them, a sample whose labels are all numbers asks for numbers, and
    any label but an empty one will do for another. Raises FacesError for a file that cannot be read.
    """
    path = Path(path)
    if not path.is_file():
        raise FacesError(f"{path}: no such file; give the submission to check")
    form = read_sample(sample)
    columns, rows = read_rows(path)
    if tuple(columns) != form.columns:
        return [f"its columns are {','.join(columns) or '(none)'}, the sample's {','.join(form.columns)}"]
    if odd := [row for row in rows if len(row) != len(columns)]:
        return [f"a row has {len(odd[0])} values ({','.join(odd[0])}), expected {len(columns)}"]
    return find_problems(rows, form, known)


def find_problems(rows: Sequence[Sequence[str]], sample: Sample, known: Collection[str] = ()) -> list[str]:
    """What is wrong with rows of (id, label)."""
    times = Counter(name for name, _ in rows)
    wanted = set(sample.ids)
    found = [
        _counted([name for name in times if times[name] > 1], "{} stand{s} there more than once"),
        _counted([name for name in sample.ids if name not in times], "{} {is} missing"),
        _counted([name for name in times if name not in wanted], "{} {is} not in the sample"),
    ]
    if not any(found) and [name for name, _ in rows] != list(sample.ids):
        place = next(n for n, (row, name) in enumerate(zip(rows, sample.ids, strict=True), 1) if row[0] != name)
        found.append(
            f"its order is not the sample's: row {place} is {rows[place - 1][0]}, expected {sample.ids[place - 1]}"
        )
    return [*filter(None, found), *_labels(rows, sample, known)]


def _labels(rows: Sequence[Sequence[str]], sample: Sample, known: Collection[str]) -> list[str]:
    labels = list(dict.fromkeys(label for _, label in rows))
    if known:
        wrong, expected = [label for label in labels if label not in set(known)], f"none of the {len(known)} labels"
    elif all(map(_is_number, sample.labels)) and sample.columns[0].lower() == "id":
        wrong, expected = [label for label in labels if not _is_number(label)], "no number, as the sample's labels are"
    else:
        wrong, expected = [label for label in labels if not label.strip()], "empty"
    several = f" and {len(wrong) - 1} more are" if len(wrong) > 1 else " is"
    return [f"label {wrong[0]!r}{several} {expected}"] if wrong else []


def _counted(names: Sequence[str], words: str) -> str:
    """ "3 ids, such as 7.jpg, are missing", or nothing where there are no names."""
    if not names:
        return ""
    one = len(names) == 1
    subject = f"id {names[0]}" if one else f"{len(names)} ids, such as {names[0]},"
    return words.format(subject, s="s" if one else "", **{"is": "is" if one else "are"})


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
