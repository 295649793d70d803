"""A folder of identities, in memory or read as wanted, at the recipe's size, split as the recipe says."""

import hashlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from experiments.config.recipe import Data, Recipe
from experiments.data.identities import Identities, find_identities, subset, validation_root
from experiments.data.images import load_images
from experiments.data.packed import has_part, is_packed, open_pack, read_packed
from experiments.data.sources import IN_MEMORY, Files, Joined, Pictures
from experiments.data.splits import split
from experiments.errors import FacesError
from experiments.progress import track


@dataclass(frozen=True, eq=False)
class Faces:
    """Labelled pictures. images: (N, H, W, 3) uint8; labels: (N,) int64; names: the people; paths: where from.

    images are in memory, or `Pictures` that read what is indexed from a pack or from files.
    """

    images: Any
    labels: np.ndarray
    names: tuple[str, ...]
    paths: tuple[Path, ...]

    def __len__(self) -> int:
        return len(self.images)

    def pick(self, indices: np.ndarray | Sequence[int]) -> "Faces":
        """Those pictures only, of all the people still."""
        chosen = np.asarray(indices, dtype=np.int64)
        images = self.images.pick(chosen) if isinstance(self.images, Pictures) else self.images[chosen]
        return Faces(images, self.labels[chosen], self.names, tuple(self.paths[i] for i in chosen))

    @property
    def fingerprint(self) -> str:
        """A hash of which pictures these are, by person and file name: the same wherever their folder lies."""
        listed = "\n".join(f"{path.parent.name}/{path.name}" for path in self.paths)
        return hashlib.blake2b(listed.encode("utf-8", "surrogateescape"), digest_size=8).hexdigest()


Read = Callable[[str | os.PathLike[str], Recipe], tuple[Faces, Faces]]
"""Gives training and validation pictures, as read_split does."""


def read_split(directory: str | os.PathLike[str], recipe: Recipe) -> tuple[Faces, Faces]:
    """Training and validation pictures of a folder of identities, or of a pack of one.

    The recipe's further pictures train, too. An official validation set (`dev/`, `val/`) beside `train/` validates,
    where there is one; else some of each person's pictures do, as the recipe says. Raises FacesError where there are no
    people, and where those of the validation set or of the further pictures are not of the training set's.
    """
    people, official, pixels = _find(directory, recipe.data)
    wanted = people
    if recipe.identities is not None:
        wanted = subset(people, recipe.identities, recipe.split.seed)
    faces = pixels(wanted)
    if official is not None and recipe.split.train != "all":
        training, validation = faces, pixels(_labelled_as(official, wanted, people))
    else:
        parts = split(wanted.labels, recipe.split.train, recipe.split.seed, wanted.names)
        training, validation = (faces.pick(part) for part in parts)
    return _with_further(training, people, recipe.data), validation


class LastRead:
    """read_split that remembers: pictures are read anew only where another folder, size, fit or split is asked for.

    For trainings of one process that share their pictures, such as a search's trials.
    """

    def __init__(self) -> None:
        self._asked: tuple[Any, ...] | None = None
        self._held: tuple[Faces, Faces] | None = None

    def __call__(self, directory: str | os.PathLike[str], recipe: Recipe) -> tuple[Faces, Faces]:
        """As `read_split`."""
        data = recipe.data
        asked = (os.fspath(directory), data.size, data.fit, data.further, recipe.split, recipe.identities)
        if self._held is None or asked != self._asked:
            self._held = None  # before the next are read, so that both are never in memory
            self._asked, self._held = asked, read_split(directory, recipe)
        return self._held


def read_pictures(paths: Sequence[Path], data: Data, label: str = "reading") -> np.ndarray:
    """Pictures (N, H, W, 3) uint8 at the size and fit of a recipe, of files or of a pack's test set."""
    packed = read_packed(paths, data.size, data.fit)
    if packed is not None:
        return packed
    with track(label, len(paths), "images") as advance:
        return load_images(paths, data.size, data.fit, progress=advance)


def _find(
    directory: str | os.PathLike[str], data: Data
) -> tuple[Identities, Identities | None, Callable[[Identities], Faces]]:
    """The people to train on, those of an official validation set, and what gives the pictures of either."""
    if not is_packed(directory):
        beside = validation_root(directory)
        return find_identities(directory), find_identities(beside) if beside else None, lambda some: _read(some, data)
    parts = [open_pack(directory, "train", data.size, data.fit)]
    if has_part(directory, "dev"):
        parts.append(open_pack(directory, "dev", data.size, data.fit))

    def pixels(some: Identities) -> Faces:
        part = next(part for part in parts if part.people.root == some.root)
        place = {path: row for row, path in enumerate(part.paths)}
        rows = np.array([place[path] for path in some.paths], np.int64)
        return Faces(part.pictures.pick(rows), some.labels, some.names, some.paths)

    return parts[0].people, parts[1].people if len(parts) > 1 else None, pixels


def _labelled_as(official: Identities, wanted: Identities, people: Identities) -> Identities:
    """The pictures of an official validation set that show those people, under their labels."""
    if strangers := set(official.names) - set(people.names):
        raise FacesError(
            f"{official.root}: {len(strangers)} of its people, such as {min(strangers)}, are not in {people.root}: "
            "expected the same people, as folders or labels of the same names"
        )
    place = {name: label for label, name in enumerate(wanted.names)}
    kept = [row for row, label in enumerate(official.labels) if official.names[label] in place]
    labels = np.array([place[official.names[official.labels[row]]] for row in kept], np.int64)
    return Identities(official.root, wanted.names, tuple(official.paths[row] for row in kept), labels)


def _with_further(faces: Faces, people: Identities, data: Data) -> Faces:
    """Training pictures and, after them, those of the recipe's further folder that show the same people."""
    if data.further is None:
        return faces
    found = find_identities(data.further)
    if strangers := set(found.names) - set(people.names):
        raise FacesError(
            f"{data.further}: {len(strangers)} of its people, such as {min(strangers)}, are not in {people.root}: "
            "expected further pictures of the same people, in folders of the same names (data.further)"
        )
    place = {name: label for label, name in enumerate(faces.names)}
    more = [
        (path, place[name])
        for path, k in zip(found.paths, found.labels, strict=True)
        if (name := found.names[k]) in place
    ]
    if not more:
        return faces
    paths, labels = zip(*more, strict=True)
    images = Pictures(Joined(faces.images, Files(paths, data.size, data.fit)))
    return Faces(images, np.append(faces.labels, np.array(labels, np.int64)), faces.names, faces.paths + paths)


def _read(people: Identities, data: Data) -> Faces:
    files = Pictures(Files(people.paths, data.size, data.fit))
    images = files if files.nbytes > IN_MEMORY else read_pictures(people.paths, data)
    return Faces(images, people.labels, people.names, people.paths)
