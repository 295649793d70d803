"""Unlabelled pictures that trained runs are sure of, in folders by person, to train on as well.

Trained anew with them, a network learns from pictures like those it will be asked about (Lee, "Pseudo-Label", 2013).

Submissions side by side: how often they name the same person, and the pictures on which enough of them do.

Where a competition keeps its answers back, how often a file agrees with one that is known to be good is the nearest
thing to its score. And what several files name alike is mostly right, so that a network may learn from it.

Unlabelled pictures sorted into folders by person, beside a table of all of them.
"""

import os
import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from experiments.data.sources import find_images, packed_part
from experiments.errors import FacesError
from experiments.files import new_folder, refuse_existing, write_csv
from experiments.inference.class_balance import balance_chunks, read_class_frequencies
from experiments.inference.predict import PathLike, Views, folder_per_run, open_ensemble, predict_files
from experiments.metrics.classification import confidence
from experiments.progress import say
from experiments.submission.format import Sample, match_ids, read_sample


def refuse_pack(folder: str | os.PathLike[str]) -> None:
    """Raise FacesError where the pictures of a folder are a pack's, and so no files that could be sorted."""
    if packed_part(folder):
        raise FacesError(f"{folder}: of a pack, which holds no files to take: give the folder it was packed from")


def sort_by_person(
    target: Path, pictures: Sequence[Path], rows: Sequence[Mapping[str, Any]], table: str, people: int
) -> int:
    """Make `target`, whole or not at all: a folder a person of the pictures taken, and `table` of all pictures.

    The number taken is returned. rows: one a picture, with its `person` and whether it is `taken`. people: how many
    there are, to be told. Files are linked where the disk allows, else copied.
    """
    taken = [(path, row["person"]) for path, row in zip(pictures, rows, strict=True) if row["taken"]]
    with new_folder(target) as folder:
        for path, person in taken:
            (folder / person).mkdir(exist_ok=True)
            _link(path, folder / person / path.name)
        write_csv(folder / table, rows, exact=True)
    named = len({person for _, person in taken})
    say(f"{target}: {len(taken)} of {len(pictures)} pictures, of {named} of {people} people")
    say(f"to train on them, too: --set data.further={target}")
    return len(taken)


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:  # another disk, or one without links
        shutil.copyfile(source, target)


def pseudo_label(
    runs: Sequence[str | os.PathLike[str]],
    test: PathLike | Sequence[PathLike],
    out: str | os.PathLike[str],
    least: float = 0.8,
    views: Views = "none",
    device: str | None = None,
    balance: str | None = None,
) -> int:
    """Make a folder of the pictures of `test` that the runs are sure of, a folder a person, whole or not at all.

    test: a folder for all runs, or one for each, of the same pictures aligned in another way; those of the first are
    taken. Sure is a mean probability of `least`. pseudo_labels.csv names for every picture its likeliest person, the
    probability, and whether it was taken. balance: each person is named as often as all others ("even"), or as has
    pictures in a folder. The number taken is returned. Raises FacesError where `test` is of a pack, `out` is in use,
    `least` is reached for fewer than two people, and where the folders hold other pictures.
    """
    folders = folder_per_run(len(runs), test, "--test")
    for folder in folders:
        refuse_pack(folder)
    if not 0 < least <= 1:
        raise FacesError(f"--min-probability {least:g}: expected a probability above 0, at most 1, such as 0.8")
    target = Path(out)
    refuse_existing(target, "remove it")
    trained = open_ensemble(runs, device)
    files = [find_images(folder) for folder in folders]
    _require_same(files, folders)
    shares = read_class_frequencies(balance, trained[0].classes) if balance else None
    found = balance_chunks(predict_files(trained, files, views), shares)
    parts = [(logits.argmax(1), confidence(logits)) for logits in found]
    people, sure = (np.concatenate(part) for part in zip(*parts, strict=True))
    taken = sure >= least
    if len(set(people[taken])) < 2:
        raise FacesError(
            f"{folders[0]}: {int(taken.sum())} pictures reach a probability of {least:g}, the surest has "
            f"{sure.max():.2f}: expected pictures of two people or more; lower --min-probability"
        )
    names, pictures = trained[0].classes, files[0]
    rows = [
        {"picture": path.name, "person": names[k], "probability": f"{share:.4f}", "taken": int(chosen)}
        for path, k, share, chosen in zip(pictures, people, sure, taken, strict=True)
    ]
    return sort_by_person(target, pictures, rows, "pseudo_labels.csv", len(names))


def _require_same(files: Sequence[Sequence[Path]], folders: Sequence[PathLike]) -> None:
    first = {path.name for path in files[0]}
    for some, folder in zip(files[1:], folders[1:], strict=True):
        if other := first ^ {path.name for path in some}:
            raise FacesError(
                f"{folder}: other pictures than {folders[0]}, such as {min(other)}, which one of them lacks: expected "
                "the same pictures, aligned in another way"
            )


File = str | os.PathLike[str]


def compare_submissions(
    submissions: Sequence[File], test: File | None = None, out: File | None = None, least: int | None = None
) -> dict[tuple[int, int], float]:
    """Say how often each two submissions name the same person, and return it: a share by the places of the two.

    With a folder `test` and a new folder `out`, the pictures that `least` of them (all of them unless told) name alike,
    and more than name anybody else, go into folders by person; agreement.csv tells of each the person and the votes.
    Raises FacesError for fewer than two files, files of different ids, a `least` that cannot be, labels that are no
    names of folders, pictures that `test` lacks, a `test` of a pack, and where `out` is in use or fewer than two people
    are agreed on.
    """
    if len(submissions) < 2:
        raise FacesError(f"{submissions[0] if submissions else 'no submission'}: expected two submissions or more")
    if (test is None) != (out is None):
        raise FacesError("--test and --out go together: the pictures, and the folder to sort them into")
    least = len(submissions) if least is None else least
    if not 1 <= least <= len(submissions):
        raise FacesError(f"--min-votes {least} of {len(submissions)} submissions: expected 1 to {len(submissions)}")
    if test is not None and out is not None:
        refuse_pack(test)
        refuse_existing(Path(out), "remove it")
    files = [read_sample(path) for path in submissions]
    name_probes = [_answers(file, files[0]) for file in files]
    shares = {
        (a, b): sum(map(str.__eq__, name_probes[a], name_probes[b])) / len(name_probes[0])
        for a, b in combinations(range(len(files)), 2)
    }
    for (a, b), share in shares.items():
        say(f"{share:6.1%}  {files[a].path}  {files[b].path}")
    votes = [_most_named(named) for named in zip(*name_probes, strict=True)]
    for count in range(len(files), 1, -1):
        alike = sum(number >= count for _, number in votes)
        say(f"{alike} of {len(votes)} pictures: {count}{' or more' if count < len(files) else ''} name the same person")
    if test is not None and out is not None:
        people = len({label for file in files for label in file.labels})
        _sort(files[0], votes, least, people, test, Path(out))
    return shares


def _answers(file: Sample, first: Sample) -> list[str]:
    """A submission's labels in the order of the first one's ids."""
    if other := set(file.ids) ^ set(first.ids):
        raise FacesError(f"{file.path}: other ids than {first.path}, such as {min(other)}, which one of them lacks")
    label = dict(zip(file.ids, file.labels, strict=True))
    return [label[name] for name in first.ids]


def _most_named(named: Sequence[str]) -> tuple[str, int]:
    """Who is named most often, and how often; nobody ("", 0) where two people are named equally often."""
    (person, most), *others = Counter(named).most_common(2)
    return ("", 0) if others and others[0][1] == most else (person, most)


def _sort(form: Sample, votes: Sequence[tuple[str, int]], least: int, people: int, test: File, out: Path) -> None:
    """The pictures on which `least` agree into folders. people: how many the submissions name together."""
    pictures = find_images(test)
    places, _ = match_ids(form, [path.name for path in pictures], str(test))
    chosen = {person for person, number in votes if number >= least}
    for person in chosen:
        if not person or person in (".", "..") or Path(person).name != person:
            raise FacesError(f"{form.path}: the label {person!r} is no name of a folder: expected people's folders")
    if len(chosen) < 2:
        raise FacesError(f"--min-votes {least}: fewer than two people are named alike so often; lower it")
    rows = [
        {"picture": pictures[place].name, "person": person, "votes": number, "taken": int(number >= least)}
        for place, (person, number) in zip(places, votes, strict=True)
    ]
    sort_by_person(out, [pictures[place] for place in places], rows, "agreement.csv", people)
