"""Unlabelled pictures sorted into folders by person, beside a table of all of them."""

import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from experiments.data.packed import packed_part
from experiments.errors import FacesError
from experiments.progress import say
from experiments.run import new_folder, write_csv


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
        write_csv(folder / table, rows)
    named = len({person for _, person in taken})
    say(f"{target}: {len(taken)} of {len(pictures)} pictures, of {named} of {people} people")
    say(f"to train on them, too: --set data.further={target}")
    return len(taken)


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:  # another disk, or one without links
        shutil.copyfile(source, target)
