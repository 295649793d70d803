"""The form of a competition's files: what a sample_submission.csv asks for, and whether a submission is as it asks.

An id identifies an image by its file name, by its number, or by its place. A label is a person's name or class index.
"""

import os
import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path, PurePath
from typing import Literal

from experiments.data.folders import composed, find_identities
from experiments.data.sources import is_packed, open_pack
from experiments.errors import FacesError
from experiments.files import read_user_csv
from experiments.run import Run

LabelStyle = Literal["name", "index"]
"""What identifies a person: the name of the folder, or its place among all of them, from 0, sorted as strings."""

ID_COLUMNS, LABEL_COLUMN = ("image_name", "id"), "label"
EXPECTED = "expected image_name,label, id,label or ID,Label"

INDEX = re.compile("0|[1-9][0-9]*")
"""A class index: no sign, no fraction, no leading zero, ASCII digits only."""

SCORE = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")
"""A similarity, in a competition of pairs."""


@dataclass(frozen=True)
class Sample:
    """columns: its titles; ids: the images, in its order; labels: what is next to them, in the same order."""

    path: Path
    columns: tuple[str, str]
    ids: tuple[str, ...]
    labels: tuple[str, ...]

    @property
    def filled(self) -> frozenset[str]:
        """The distinct labels, where there are several: a single one in every row is a placeholder."""
        found = frozenset(self.labels)
        return found if len(found) > 1 else frozenset()


def read_sample(path: str | os.PathLike[str]) -> Sample:
    """Read a sample. Raises FacesError where it is missing, has other columns, or names an image twice."""
    path = Path(path)
    if not path.is_file():
        raise FacesError(f"{path}: no such file; give the competition's sample_submission.csv")
    columns, rows = _read_rows(path)
    if [name.lower() for name in columns] not in [[name, LABEL_COLUMN] for name in ID_COLUMNS]:
        raise FacesError(f"{path}: columns {','.join(columns)}; {EXPECTED}")
    times = Counter(name for name, _ in rows)
    if repeated := [name for name in times if times[name] > 1]:
        raise FacesError(f"{path}: {repeated[0]} occurs more than once; get the sample again")
    if not rows:
        raise FacesError(f"{path}: names no images; get the sample again")
    return Sample(path, (columns[0], columns[1]), tuple(times), tuple(label for _, label in rows))


def _read_rows(path: Path) -> tuple[list[str], list[list[str]]]:
    """The titles and the rows of a CSV file. Raises FacesError where it is none."""
    frame = read_user_csv(path)
    return list(frame.columns), frame.to_numpy().tolist()


def detect_label_style(sample: Sample, people: Sequence[str]) -> LabelStyle:
    """Return whether the sample's labels are names of `people` or indices of them.

    `image_name` goes with names. `id` goes with indices where every label is a number below the number of people and
    is not the name of one. Raises FacesError where labels that differ from row to row include some that are neither.
    """
    known, column = {composed(name) for name in people}, sample.columns[0].lower()
    labels = {composed(label) for label in sample.labels}
    numbers = all(INDEX.fullmatch(label) and int(label) < len(people) for label in labels)
    if column != ID_COLUMNS[0] and numbers and not known.issuperset(labels):
        return "index"
    if len(labels) > 1 and (strangers := sorted(labels - known)):
        raise FacesError(
            f"{sample.path}: {len(strangers)} of its {len(labels)} labels are none of the run's {len(known)} "
            f"people, such as {strangers[0]!r} (the run knows {min(known)!r}): was it trained on this competition's "
            "folders? With --labels name or --labels index the file is written all the same"
        )
    return "name"


def label_texts(sample: Sample, people: Sequence[str], style: LabelStyle) -> list[str]:
    """Return what a submission writes for each of `people`: a name as the sample spells it, or an index."""
    if style == "index":
        return [str(label) for label in range(len(people))]
    spelled = {composed(label): label for label in sample.labels}
    return [spelled.get(composed(name), name) for name in people]


def match_ids(sample: Sample, files: Sequence[str], folder: str) -> tuple[list[int], str]:
    """Return, for each id, the place of its image among `files`, which are in natural order; and how ids were read.

    An id is a file's name (12.jpg), that name without its suffix (12), its number without leading zeros (12 for
    000012.jpg), either in another case (12.JPG), or, where ids count from 0 through all images, a place among them:
    the first of these that finds most ids. Raises FacesError, naming one, where ids find no image.
    """
    ids = [composed(name) for name in sample.ids]
    how, found = max(_readings(ids, [composed(name) for name in files]).items(), key=lambda reading: len(reading[1]))
    missing = [name for name in ids if name not in found]
    if missing:
        hint = (
            ""
            if sample.columns[0] != "ID"
            else "; if its ids are numbers of pairs, `faces verify` writes the submission"
        )
        raise FacesError(
            f"{sample.path} names {len(ids)} images, {len(missing)} of which {folder} lacks, "
            f"such as {missing[0]}: give the folder and the sample of one competition{hint}"
        )
    return [found[name] for name in ids], how


def _readings(ids: Sequence[str], files: Sequence[str]) -> Mapping[str, dict[str, int]]:
    """Each way to read ids, the plainest first, and the image of every id that it finds."""
    stems = [PurePath(name).stem for name in files]
    digits = all(stem.isascii() and stem.isdigit() for stem in stems)
    counted = sorted(ids, key=lambda name: (len(name), name)) == [str(place) for place in range(len(files))]
    ways: dict[str, list[str]] = {"file name": list(files), "file name without suffix": stems}
    if digits:
        ways["number of the file"] = [str(int(stem)) for stem in stems]
    if counted:
        ways["place, counted from 0"] = [str(place) for place in range(len(files))]
    wanted = set(ids)
    found = {
        how: {name: place for place, name in enumerate(names) if name in wanted}
        for how, names in ways.items()
        if len(set(names)) == len(names)
    }
    lower = {name.lower(): place for place, name in enumerate(files)}
    if len(lower) == len(files):
        found["file name, whether in capitals or not"] = {
            name: lower[name.lower()] for name in ids if name.lower() in lower
        }
    return found or {"file name": {}}


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


def known_people(run: Path | None, data: Path | None) -> list[str]:
    """Return the people, by label, of a run or of a folder of training data; none where neither is given."""
    if run is not None:
        return Run.open(run).classes()
    if data is not None:
        return list((open_pack(data, "train").people if is_packed(data) else find_identities(data)).names)
    return []


def check_submission(
    path: str | os.PathLike[str],
    sample: str | os.PathLike[str],
    people: Sequence[str] = (),
    labels: LabelStyle | None = None,
) -> list[str]:
    """Return what is wrong with a submission, in words; nothing where it is valid.

    people: those that may be named (see `known_people`), as `labels` says, or as the sample does. Without them labels
    are checked for their form only: class indices or similarities where the sample has numbers, else any text. Raises
    FacesError for a sample that cannot be read, and where there is no submission.
    """
    path = Path(path)
    if not path.is_file():
        raise FacesError(f"{path}: no such file; give the submission to check")
    form = read_sample(sample)
    try:
        columns, rows = _read_rows(path)
    except FacesError as error:
        return [str(error).removeprefix(f"{path}: ")]
    if tuple(columns) != form.columns:
        return [f"its columns are {','.join(columns)}, expected {','.join(form.columns)}, as in the sample"]
    known = label_texts(form, people, labels or detect_label_style(form, people)) if people else []
    return find_problems(rows, form, known)


def find_problems(rows: Sequence[Sequence[str]], sample: Sample, known: Collection[str] = ()) -> list[str]:
    """Return what is wrong with rows of (id, label). known: the labels that may occur, where they are known."""
    times = Counter(name for name, _ in rows)
    wanted = set(sample.ids)
    found = [
        _count([name for name in times if times[name] > 1], "{} occur{s} more than once"),
        _count([name for name in sample.ids if name not in times], "{} {is} missing"),
        _count([name for name in times if name not in wanted], "{} {is} not in the sample"),
    ]
    if not any(found) and [name for name, _ in rows] != list(sample.ids):
        place = next(n for n, (row, name) in enumerate(zip(rows, sample.ids, strict=True), 1) if row[0] != name)
        found.append(
            f"its order is not the sample's: row {place} is {rows[place - 1][0]}, expected {sample.ids[place - 1]}"
        )
    return [*filter(None, found), *_label_problems(rows, sample, known)]


def _label_problems(rows: Sequence[Sequence[str]], sample: Sample, known: Collection[str]) -> list[str]:
    labels = list(dict.fromkeys(label for _, label in rows))
    if known:
        wrong, expected = [label for label in labels if label not in set(known)], f"none of the {len(known)} labels"
    elif sample.columns[0].lower() == "id" and all(map(_is_score, sample.labels)):
        if _asks_for_scores(sample, labels):
            wrong, expected = (
                [label for label in labels if not _is_score(label)],
                "not a number, as the sample's",
            )
        else:
            wrong = [label for label in labels if not INDEX.fullmatch(label)]
            expected = "not a class index (0, 1, 2, ...), as the sample's"
    else:
        wrong, expected = [label for label in labels if not label.strip()], "empty"
    several = f" and {len(wrong) - 1} more are" if len(wrong) > 1 else " is"
    return [f"label {wrong[0]!r}{several} {expected}"] if wrong else []


def _asks_for_scores(sample: Sample, labels: Sequence[str]) -> bool:
    """Whether similarities are asked for and not class indices; of zeros next to ID, the submission decides."""
    if not all(map(INDEX.fullmatch, sample.labels)):
        return True
    return sample.columns[0] == "ID" and any(_is_score(label) and re.search("[.eE]", label) for label in labels)


def _is_score(text: str) -> bool:
    return bool(SCORE.fullmatch(text)) and isfinite(float(text))


def _count(names: Sequence[str], words: str) -> str:
    """ "3 ids, such as 7.jpg, are missing", or nothing where there are no names."""
    if not names:
        return ""
    one = len(names) == 1
    subject = f"id {names[0]}" if one else f"{len(names)} ids, such as {names[0]},"
    return words.format(subject, s="s" if one else "", **{"is": "is" if one else "are"})
