"""Unlabelled pictures that trained runs are sure of, in folders by person, to train on as well.

Trained anew with them, a network learns from pictures like those it will be asked about (Lee, "Pseudo-Label", 2013).
"""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from experiments.data.unlabelled import find_images
from experiments.errors import FacesError
from experiments.inference.class_balance import balanced_parts, known_shares
from experiments.inference.together import Folder, a_folder_each, logits_of_files, open_together
from experiments.inference.views import Views
from experiments.metrics.classification import confidence
from experiments.run import refuse_existing
from experiments.submission.by_person import refuse_pack, sort_by_person


def pseudo_label(
    runs: Sequence[str | os.PathLike[str]],
    test: Folder | Sequence[Folder],
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
    folders = a_folder_each(len(runs), test, "--test")
    for folder in folders:
        refuse_pack(folder)
    if not 0 < least <= 1:
        raise FacesError(f"--least {least:g}: expected a probability above 0, at most 1, such as 0.8")
    target = Path(out)
    refuse_existing(target, "remove it")
    trained = open_together(runs, device)
    files = [find_images(folder) for folder in folders]
    _require_same(files, folders)
    shares = known_shares(balance, trained[0].classes) if balance else None
    found = balanced_parts(logits_of_files(trained, files, views), shares)
    parts = [(logits.argmax(1), confidence(logits)) for logits in found]
    people, sure = (np.concatenate(part) for part in zip(*parts, strict=True))
    taken = sure >= least
    if len(set(people[taken])) < 2:
        raise FacesError(
            f"{folders[0]}: {int(taken.sum())} pictures reach a probability of {least:g}, the surest has "
            f"{sure.max():.2f}: expected pictures of two people or more; lower --least"
        )
    names, pictures = trained[0].classes, files[0]
    rows = [
        {"picture": path.name, "person": names[k], "probability": f"{share:.4f}", "taken": int(chosen)}
        for path, k, share, chosen in zip(pictures, people, sure, taken, strict=True)
    ]
    return sort_by_person(target, pictures, rows, "pseudo_labels.csv", len(names))


def _require_same(files: Sequence[Sequence[Path]], folders: Sequence[Folder]) -> None:
    first = {path.name for path in files[0]}
    for some, folder in zip(files[1:], folders[1:], strict=True):
        if other := first ^ {path.name for path in some}:
            raise FacesError(
                f"{folder}: other pictures than {folders[0]}, such as {min(other)}, which one of them lacks: expected "
                "the same pictures, aligned in another way"
            )
