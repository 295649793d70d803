"""Pseudo-labels: unlabeled images sorted by person where runs are confident, or where submissions agree, to train on.

Trained again with them, a network learns from images like those that it will be tested on (Lee, "Pseudo-Label", 2013).
Where a competition withholds its answers, how often a submission agrees with one that is known to be good is the best
available estimate of its score.
"""

import os
import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from experiments.data.preparation import read_preparation, write_preparation
from experiments.data.sources import find_images, packed_part
from experiments.errors import FacesError
from experiments.files import new_folder, refuse_existing, write_csv
from experiments.inference.predict import (
    PathLike,
    Views,
    balance_chunks,
    folder_per_run,
    open_ensemble,
    predict_files,
    read_class_frequencies,
)
from experiments.metrics.classification import confidence
from experiments.progress import say
from experiments.submission.format import Sample, match_ids, read_sample
from experiments.submission.submit import require_preparations

SAVED_LABELS = "pseudo_labels.csv"
SAVED_VOTES = "agreement.csv"


def pseudo_label(
    runs: Sequence[str | os.PathLike[str]],
    test: PathLike | Sequence[PathLike],
    out: str | os.PathLike[str],
    least: float = 0.8,
    views: Views = "none",
    device: str | None = None,
    balance: str | None = None,
) -> int:
    """Make a folder of the images of `test` that the runs are confident about, one folder per person.

    test: a folder for all runs, or one for each, of the same images aligned in another way; those of the first are
    taken. An image is taken from a mean probability of `least` on. pseudo_labels.csv holds for every image the most
    likely person, the probability, and whether it was taken. balance: each person is named as often as all others
    ("even"), or as often as there are images in a folder. Returns the number taken.

    Raises FacesError, making nothing, where `test` is of a pack, `out` is in use, `least` is reached for fewer than two
    people, the folders hold different images, and where images are prepared otherwise than those of a run.
    """
    folders = folder_per_run(len(runs), test, "--test")
    for folder in folders:
        refuse_pack(folder)
    if not 0 < least <= 1:
        raise FacesError(f"--min-probability {least:g}: expected a probability above 0, at most 1, such as 0.8")
    target = Path(out)
    refuse_existing(target, "remove it")
    trained = open_ensemble(runs, device)
    require_preparations(trained, folders)
    files = [find_images(folder) for folder in folders]
    _require_same_images(files, folders)
    frequencies = read_class_frequencies(balance, trained[0].classes) if balance else None
    found = balance_chunks(predict_files(trained, files, views), frequencies)
    chunks = [(logits.argmax(1), confidence(logits)) for logits in found]
    people, probabilities = (np.concatenate(values) for values in zip(*chunks, strict=True))
    taken = probabilities >= least
    if len(set(people[taken])) < 2:
        raise FacesError(
            f"{folders[0]}: {int(taken.sum())} images reach a probability of {least:g}, the highest is "
            f"{probabilities.max():.2f}: expected images of two people or more; lower --min-probability"
        )
    names, images = trained[0].classes, files[0]
    rows = [
        {"image": path.name, "person": names[label], "probability": f"{probability:.4f}", "taken": int(chosen)}
        for path, label, probability, chosen in zip(images, people, probabilities, taken, strict=True)
    ]
    return sort_by_person(target, images, rows, SAVED_LABELS, len(names))


def refuse_pack(folder: str | os.PathLike[str]) -> None:
    """Raise FacesError where the images of a folder are a pack's, and so not files that could be sorted."""
    if packed_part(folder):
        raise FacesError(f"{folder}: of a pack, which holds no files to take: give the folder it was packed from")


def _require_same_images(files: Sequence[Sequence[Path]], folders: Sequence[PathLike]) -> None:
    first = {path.name for path in files[0]}
    for some, folder in zip(files[1:], folders[1:], strict=True):
        if other := first ^ {path.name for path in some}:
            raise FacesError(
                f"{folder}: other images than {folders[0]}, such as {min(other)}, which one of them lacks: expected "
                "the same images, aligned in another way"
            )


def sort_by_person(
    target: Path, images: Sequence[Path], rows: Sequence[Mapping[str, Any]], table: str, people: int
) -> int:
    """Make `target`, completely or not at all: one folder per person of the images taken, and `table` of all images.

    rows: one per image, with its `person` and whether it is `taken`. people: how many there are, to print. Files are
    linked where the disk allows, else copied; the record of how they were prepared is kept. Returns the number taken.
    """
    taken = [(path, row["person"]) for path, row in zip(images, rows, strict=True) if row["taken"]]
    preparation = read_preparation(images[0].parent)
    with new_folder(target) as folder:
        for path, person in taken:
            (folder / person).mkdir(exist_ok=True)
            _link(path, folder / person / path.name)
        write_csv(folder / table, rows, exact=True)
        if preparation.aligned:
            write_preparation(folder, preparation)
    named = len({person for _, person in taken})
    say(f"{target}: {len(taken)} of {len(images)} images, of {named} of {people} people")
    say(f"to train on them, too: --set data.extra_images={target}")
    return len(taken)


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source.resolve(), target)
    except OSError:  # another disk, or one without links
        shutil.copyfile(source, target)


def compare_submissions(
    submissions: Sequence[PathLike], test: PathLike | None = None, out: PathLike | None = None, least: int | None = None
) -> dict[tuple[int, int], float]:
    """Print how often each two submissions name the same person; return that fraction by the places of the two.

    With a folder `test` and a new folder `out`, the images that `least` of them (all by default) label alike, and more
    than label anybody else, are sorted by person; agreement.csv holds each image's person and votes.

    Raises FacesError for fewer than two files, files of different ids, an impossible `least`, labels that are not names
    of folders, images that `test` lacks, a `test` of a pack, and where `out` is in use or fewer than two people are
    agreed on.
    """
    if len(submissions) < 2:
        raise FacesError(f"{submissions[0] if submissions else 'no submission'}: expected two submissions or more")
    if (test is None) != (out is None):
        raise FacesError("--test and --out go together: the images, and the folder to sort them into")
    least = len(submissions) if least is None else least
    if not 1 <= least <= len(submissions):
        raise FacesError(f"--min-votes {least} of {len(submissions)} submissions: expected 1 to {len(submissions)}")
    if test is not None and out is not None:
        refuse_pack(test)
        refuse_existing(Path(out), "remove it")
    files = [read_sample(path) for path in submissions]
    answers = [_labels_in_order(file, files[0]) for file in files]
    fractions = {
        (a, b): sum(map(str.__eq__, answers[a], answers[b])) / len(answers[0])
        for a, b in combinations(range(len(files)), 2)
    }
    for (a, b), fraction in fractions.items():
        say(f"{fraction:6.1%}  {files[a].path}  {files[b].path}")
    votes = [_majority(labels) for labels in zip(*answers, strict=True)]
    for count in range(len(files), 1, -1):
        alike = sum(number >= count for _, number in votes)
        say(f"{alike} of {len(votes)} images: {count}{' or more' if count < len(files) else ''} name the same person")
    if test is not None and out is not None:
        people = len({label for file in files for label in file.labels})
        _sort_by_votes(files[0], votes, least, people, test, Path(out))
    return fractions


def _labels_in_order(file: Sample, first: Sample) -> list[str]:
    """A submission's labels in the order of the first one's ids."""
    if other := set(file.ids) ^ set(first.ids):
        raise FacesError(
            f"{file.path}: other ids than {first.path}, such as {min(other)}, which one of them lacks: give "
            "submissions of one competition"
        )
    label = dict(zip(file.ids, file.labels, strict=True))
    return [label[name] for name in first.ids]


def _majority(labels: Sequence[str]) -> tuple[str, int]:
    """The most common label, and how often it occurs; none ("", 0) where two are equally common."""
    (person, most), *others = Counter(labels).most_common(2)
    return ("", 0) if others and others[0][1] == most else (person, most)


def _sort_by_votes(
    form: Sample, votes: Sequence[tuple[str, int]], least: int, people: int, test: PathLike, out: Path
) -> None:
    """Sort the images on which `least` agree. people: how many the submissions name together."""
    images = find_images(test)
    places, _ = match_ids(form, [path.name for path in images], str(test))
    chosen = {person for person, number in votes if number >= least}
    for person in chosen:
        if not person or person in (".", "..") or Path(person).name != person or "\0" in person:
            raise FacesError(f"{form.path}: the label {person!r} is not a folder's name: expected people's folders")
    if len(chosen) < 2:
        raise FacesError(f"--min-votes {least}: fewer than two people are named alike so often; lower it")
    rows = [
        {"image": images[place].name, "person": person, "votes": number, "taken": int(number >= least)}
        for place, (person, number) in zip(places, votes, strict=True)
    ]
    sort_by_person(out, [images[place] for place in places], rows, SAVED_VOTES, people)
