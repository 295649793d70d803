"""Is a submission one that the competition takes? Every id once, in the sample's order, with labels it knows."""

import os
from collections import Counter
from collections.abc import Collection, Sequence
from pathlib import Path

from experiments.errors import FacesError
from experiments.submission.format import Sample, read_rows, read_sample


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
    return problems(rows, form, known)


def problems(rows: Sequence[Sequence[str]], sample: Sample, known: Collection[str] = ()) -> list[str]:
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
