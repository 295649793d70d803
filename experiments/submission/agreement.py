"""Submissions side by side: how often they name the same person, and the pictures on which enough of them do.

Where a competition keeps its answers back, how often a file agrees with one that is known to be good is the nearest
thing to its score. And what several files name alike is mostly right, so that a network may learn from it.
"""

import os
from collections import Counter
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path

from experiments.data.unlabelled import find_images
from experiments.errors import FacesError
from experiments.progress import say
from experiments.run import refuse_existing
from experiments.submission.by_person import refuse_pack, sort_by_person
from experiments.submission.format import Sample, read_sample
from experiments.submission.matching import match

File = str | os.PathLike[str]


def agree(
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
        raise FacesError(f"--least {least} of {len(submissions)} submissions: expected 1 to {len(submissions)}")
    if test is not None and out is not None:
        refuse_pack(test)
        refuse_existing(Path(out), "remove it")
    files = [read_sample(path) for path in submissions]
    answers = [_answers(file, files[0]) for file in files]
    shares = {
        (a, b): sum(map(str.__eq__, answers[a], answers[b])) / len(answers[0])
        for a, b in combinations(range(len(files)), 2)
    }
    for (a, b), share in shares.items():
        say(f"{share:6.1%}  {files[a].path}  {files[b].path}")
    votes = [_most_named(named) for named in zip(*answers, strict=True)]
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
    places, _ = match(form, [path.name for path in pictures], str(test))
    chosen = {person for person, number in votes if number >= least}
    for person in chosen:
        if not person or person in (".", "..") or Path(person).name != person:
            raise FacesError(f"{form.path}: the label {person!r} is no name of a folder: expected people's folders")
    if len(chosen) < 2:
        raise FacesError(f"--least {least}: fewer than two people are named alike so often; lower --least")
    rows = [
        {"picture": pictures[place].name, "person": person, "votes": number, "taken": int(number >= least)}
        for place, (person, number) in zip(places, votes, strict=True)
    ]
    sort_by_person(out, [pictures[place] for place in places], rows, "agreement.csv", people)
