"""Which images train and which validate: a seeded split within every identity."""

import hashlib
from collections.abc import Sequence
from typing import Literal

import numpy as np

from experiments.errors import FacesError


class SplitError(FacesError):
    """Images that cannot be split as asked."""


def split(
    labels: np.ndarray, train: float | int | Literal["all"], seed: int, names: Sequence[str] | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Split images into training and validation: two sorted int64 index arrays that share none and leave none out.

    labels: (N,) integers. train: a fraction between 0 and 1 puts round(train * n) of an identity's n images into
    training, but at least one on each side; an integer puts that many of each identity there and the rest into
    validation; "all" leaves nothing to validate. names: the identities by label; without them an identity is called
    by its number.

    An identity's split depends on the seed, its name and its number of images alone: with names, it stays as it is
    when other people come or go. Raises SplitError for identities with too few images, naming them.
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
    """How many images an identity needs for both sides to have one."""
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
    """Shuffle range(count) by hashing: the same on every machine and with every version of NumPy."""

    def rank(place: int) -> bytes:
        return hashlib.blake2b(f"{key}/{place}".encode(), digest_size=8).digest()

    return sorted(range(count), key=rank)
