"""A folder of identities in memory, at the recipe's size, split as the recipe says."""

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from experiments.data.identities import Identities, find_identities, subset
from experiments.data.images import load_images
from experiments.data.splits import split
from experiments.progress import track
from experiments.recipe import Data, Recipe


@dataclass(frozen=True, eq=False)
class Faces:
    """Labelled pictures. images: (N, H, W, 3) uint8; labels: (N,) int64; names: the people; paths: where from."""

    images: np.ndarray
    labels: np.ndarray
    names: tuple[str, ...]
    paths: tuple[Path, ...]

    def __len__(self) -> int:
        return len(self.images)

    def pick(self, indices: np.ndarray | Sequence[int]) -> "Faces":
        """Those pictures only, of all the people still."""
        chosen = np.asarray(indices, dtype=np.int64)
        return Faces(self.images[chosen], self.labels[chosen], self.names, tuple(self.paths[i] for i in chosen))

    @property
    def fingerprint(self) -> str:
        """A hash of which pictures these are, by person and file name: the same wherever their folder lies."""
        listed = "\n".join(f"{path.parent.name}/{path.name}" for path in self.paths)
        return hashlib.blake2b(listed.encode("utf-8", "surrogateescape"), digest_size=8).hexdigest()


def read_split(directory: str | os.PathLike[str], recipe: Recipe) -> tuple[Faces, Faces]:
    """Training and validation pictures of a folder of identities. Raises FacesError where there are none."""
    people = find_identities(directory)
    if recipe.identities is not None:
        people = subset(people, recipe.identities, recipe.split.seed)
    train, validation = split(people.labels, recipe.split.train, recipe.split.seed, people.names)
    faces = _read(people, recipe.data)
    return faces.pick(train), faces.pick(validation)


def read_pictures(paths: Sequence[Path], data: Data, label: str = "reading") -> np.ndarray:
    """Pictures (N, H, W, 3) uint8 at the size and fit of a recipe."""
    with track(label, len(paths), "images") as advance:
        return load_images(paths, data.size, data.fit, progress=advance)


def _read(people: Identities, data: Data) -> Faces:
    return Faces(read_pictures(people.paths, data), people.labels, people.names, people.paths)
