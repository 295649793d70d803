"""Data sets of faces: a folder of identities or a pack, at the recipe's size, split into training and validation."""

import hashlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from experiments.config.recipe import Recipe
from experiments.config.schema import DataSettings
from experiments.data.folders import Identities, find_identities, subset, validation_root
from experiments.data.images import load_images
from experiments.data.preparation import AS_THEY_ARE, Preparation, read_preparation, require_preparation
from experiments.data.sources import (
    IN_MEMORY,
    ConcatImages,
    ImageFiles,
    LazyImages,
    has_part,
    is_packed,
    open_pack,
    read_packed,
)
from experiments.errors import FacesError
from experiments.progress import track


class SplitError(FacesError):
    """Images that cannot be split as the recipe asks."""


def split(
    labels: np.ndarray, train: float | int | Literal["all"], seed: int, names: Sequence[str] | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Split images into training and validation. Return two sorted, disjoint int64 arrays that cover all indices.

    labels: (N,) integers. train: a fraction between 0 and 1 puts round(train * n) of an identity's n images into
    training, but at least one on each side; an integer puts that many of each identity there and the rest into
    validation; "all" leaves nothing to validate. names: the identities by label; without them the label is the name.

    An identity's split depends on the seed, its name and its number of images alone, not on other people. Raises
    SplitError for identities with too few images, naming them.
    """
    labels = np.asarray(labels)
    if labels.ndim != 1 or labels.dtype.kind not in "iu":
        raise ValueError(f"expected labels of shape (N,) and an integer type, got {labels.shape} {labels.dtype}")
    if train == "all":
        return np.arange(len(labels)), np.arange(0)
    fewest = _fewest_images(train)
    identities, counts = np.unique(labels, return_counts=True)
    called = {int(label): str(label) if names is None else names[label] for label in identities}
    _refuse_too_few({called[int(i)]: int(n) for i, n in zip(identities, counts, strict=True) if n < fewest}, fewest)

    in_training = np.zeros(len(labels), bool)
    grouped = np.split(np.argsort(labels, kind="stable"), np.cumsum(counts)[:-1])
    for label, rows in zip(identities, grouped, strict=True) if len(labels) else ():
        order = _shuffled(len(rows), f"{seed}/{called[int(label)]}")
        in_training[rows[order[: _in_training(len(rows), train)]]] = True
    return np.flatnonzero(in_training), np.flatnonzero(~in_training)


def _fewest_images(train: float | int) -> int:
    """Return how many images an identity needs so that both sides have one."""
    if isinstance(train, float) and 0 < train < 1:
        return 2
    if isinstance(train, int | np.integer) and not isinstance(train, bool) and train >= 1:
        return int(train) + 1
    raise SplitError(
        f"train is {train!r}, expected a fraction between 0 and 1 (0.8), or a number of images per identity (1, 2, ...)"
    )


def _in_training(count: int, train: float | int) -> int:
    return min(max(round(train * count), 1), count - 1) if isinstance(train, float) else int(train)


def _refuse_too_few(counts: dict[str, int], fewest: int) -> None:
    if not counts:
        return
    listed = ", ".join(f"{name} has {count}" for name, count in list(counts.items())[:5])
    more = f" and {len(counts) - 5} more" * (len(counts) > 5)
    raise SplitError(
        f"an identity needs at least {fewest} images to be split, but {listed}{more}: "
        f"remove its folder, add images{', or put fewer into training' * (fewest > 2)}"
    )


def _shuffled(count: int, key: str) -> list[int]:
    """Shuffle range(count) by hashes: equal on every machine and with every version of NumPy."""

    def rank(place: int) -> bytes:
        return hashlib.blake2b(f"{key}/{place}".encode(), digest_size=8).digest()

    return sorted(range(count), key=rank)


@dataclass(frozen=True, eq=False)
class Faces:
    """Labeled images. images: (N, H, W, 3) uint8; labels: (N,) int64; names: the people; paths: the files.
    preparation: how the images were prepared before they were read.

    `images` are in memory, or `LazyImages` that are read from a pack or from files when indexed.
    """

    images: Any
    labels: np.ndarray
    names: tuple[str, ...]
    paths: tuple[Path, ...]
    preparation: Preparation = AS_THEY_ARE

    def __len__(self) -> int:
        return len(self.images)

    def pick(self, indices: np.ndarray | Sequence[int]) -> "Faces":
        """Select images by index; `names` keeps all people."""
        chosen = np.asarray(indices, dtype=np.int64)
        images = self.images.pick(chosen) if isinstance(self.images, LazyImages) else self.images[chosen]
        return replace(self, images=images, labels=self.labels[chosen], paths=tuple(self.paths[i] for i in chosen))

    @property
    def fingerprint(self) -> str:
        """A hash of the images' people and file names; it does not depend on where their folder is."""
        listed = "\n".join(f"{path.parent.name}/{path.name}" for path in self.paths)
        return hashlib.blake2b(listed.encode("utf-8", "surrogateescape"), digest_size=8).hexdigest()


SplitReader = Callable[[str | os.PathLike[str], Recipe], tuple[Faces, Faces]]
"""A function that returns training and validation images, as `read_split` does."""


def read_split(directory: str | os.PathLike[str], recipe: Recipe) -> tuple[Faces, Faces]:
    """Read the training and validation images of a folder of identities or of a pack.

    The recipe's extra images are added to training. An official validation set (`dev/`, `val/`) next to `train/` is
    used where there is one; otherwise the recipe's split takes some images of each person. Raises FacesError where
    there are no people, where the validation set or the extra images show other people than the training set, and
    where the extra images were prepared in another way.
    """
    people, official, pixels = _find(directory, recipe.data)
    preparation = read_preparation(Path(directory))
    wanted = people
    if recipe.identities is not None:
        wanted = subset(people, recipe.identities, recipe.split.seed)
    faces = pixels(wanted)
    if official is not None and recipe.split.train != "all":
        training, validation = faces, pixels(relabel(official, wanted, people))
    else:
        parts = split(wanted.labels, recipe.split.train, recipe.split.seed, wanted.names)
        training, validation = (faces.pick(part) for part in parts)
    if recipe.data.extra_images is not None:
        require_preparation(preparation, Path(recipe.data.extra_images), f"the training set {os.fspath(directory)}")
    training, validation = (replace(part, preparation=preparation) for part in (training, validation))
    return _append_extra_images(training, people, recipe.data), validation


class CachedSplitReader:
    """`read_split` that keeps its last result until another folder, size, fit or split is requested.

    For several trainings in one process, such as the trials of a hyperparameter search.
    """

    def __init__(self) -> None:
        self._key: tuple[Any, ...] | None = None
        self._result: tuple[Faces, Faces] | None = None

    def __call__(self, directory: str | os.PathLike[str], recipe: Recipe) -> tuple[Faces, Faces]:
        """As `read_split`."""
        data = recipe.data
        key = (os.fspath(directory), data.size, data.fit, data.extra_images, recipe.split, recipe.identities)
        if self._result is None or key != self._key:
            self._result = None  # freed before the next are read
            self._key, self._result = key, read_split(directory, recipe)
        return self._result


def read_images(paths: Sequence[Path], data: DataSettings, label: str = "reading") -> np.ndarray:
    """Read images (N, H, W, 3) uint8 at the size and fit of a recipe, from files or from a pack's test set."""
    packed = read_packed(paths, data.size, data.fit)
    if packed is not None:
        return packed
    with track(label, len(paths), "images") as advance:
        return load_images(paths, data.size, data.fit, progress=advance)


def _find(
    directory: str | os.PathLike[str], data: DataSettings
) -> tuple[Identities, Identities | None, Callable[[Identities], Faces]]:
    """Return the people to train on, those of an official validation set, and a function that reads their images."""
    if not is_packed(directory):
        official = validation_root(directory)
        return (
            find_identities(directory),
            find_identities(official) if official else None,
            lambda some: _read(some, data),
        )
    parts = [open_pack(directory, "train", data.size, data.fit)]
    if has_part(directory, "dev"):
        parts.append(open_pack(directory, "dev", data.size, data.fit))

    def pixels(some: Identities) -> Faces:
        part = next(part for part in parts if part.people.root == some.root)
        place = {path: row for row, path in enumerate(part.paths)}
        rows = np.array([place[path] for path in some.paths], np.int64)
        return Faces(part.images.pick(rows), some.labels, some.names, some.paths)

    return parts[0].people, parts[1].people if len(parts) > 1 else None, pixels


def relabel(official: Identities, wanted: Identities, people: Identities) -> Identities:
    """Relabel an official validation set by the training set's labels, without people that are not wanted."""
    if strangers := set(official.names) - set(people.names):
        raise FacesError(
            f"{official.root}: {len(strangers)} of its people, such as {min(strangers)}, are not in {people.root}: "
            "expected the same people, as folders or labels of the same names"
        )
    place = {name: label for label, name in enumerate(wanted.names)}
    kept = [row for row, label in enumerate(official.labels) if official.names[label] in place]
    labels = np.array([place[official.names[official.labels[row]]] for row in kept], np.int64)
    return Identities(official.root, wanted.names, tuple(official.paths[row] for row in kept), labels)


def _append_extra_images(faces: Faces, people: Identities, data: DataSettings) -> Faces:
    """Append the images of the recipe's folder of extra images that show the same people."""
    if data.extra_images is None:
        return faces
    found = find_identities(data.extra_images)
    if strangers := set(found.names) - set(people.names):
        raise FacesError(
            f"{data.extra_images}: {len(strangers)} of its people, such as {min(strangers)}, are not in {people.root}: "
            "expected extra images of the same people, in folders of the same names (data.extra_images)"
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
    images = LazyImages(ConcatImages(faces.images, ImageFiles(paths, data.size, data.fit)))
    return replace(
        faces, images=images, labels=np.append(faces.labels, np.array(labels, np.int64)), paths=faces.paths + paths
    )


def _read(people: Identities, data: DataSettings) -> Faces:
    files = LazyImages(ImageFiles(people.paths, data.size, data.fit))
    images = files if files.nbytes > IN_MEMORY else read_images(people.paths, data)
    return Faces(images, people.labels, people.names, people.paths)
