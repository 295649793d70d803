"""`faces data get`: download a public data set with scikit-learn and store one folder per person."""

from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.error import URLError

import numpy as np
from PIL import Image

from experiments.errors import FacesError
from experiments.files import locked, new_folder, refuse_existing

Labeled = Iterator[tuple[str, np.ndarray]]
"""A person's name and an image, (H, W) or (H, W, 3), values 0 to 1."""


def download_dataset(name: str, target: Path, cache: Path | None = None, least: int = 1) -> tuple[int, int]:
    """Write a public data set as a folder, completely or not at all; return the numbers of people and images.

    cache: where downloads are kept. least: people of LFW with fewer images are left out. Raises FacesError for an
    unknown data set, a folder that is not empty, and where the download fails.
    """
    if name not in SETS:
        raise FacesError(f"no data set is called {name!r}: choose one of {', '.join(SETS)}")
    refuse_existing(target, "remove it")
    counts: dict[str, int] = {}
    try:
        images = SETS[name](cache, least)
    except (URLError, ConnectionError, TimeoutError) as error:
        raise FacesError(
            f"{name}: cannot be downloaded ({error}): connect to the network, or download it on another machine with "
            f"`faces data get {name} --cache FOLDER` and copy that folder here for the same command"
        ) from error
    with locked(target), new_folder(target) as folder:
        for person, image in images:
            counts[person] = counts.get(person, 0) + 1
            (folder / person).mkdir(exist_ok=True)
            pixels = np.rint(np.asarray(image, float) * 255).clip(0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(folder / person / f"{person}_{counts[person]:04d}.png")
    return len(counts), sum(counts.values())


def _olivetti(cache: Path | None, least: int) -> Labeled:
    """40 people, 10 images each, 64x64 gray (AT&T Laboratories Cambridge)."""
    from sklearn.datasets import fetch_olivetti_faces

    found = fetch_olivetti_faces(data_home=cache)
    return ((f"s{label + 1:02d}", image) for label, image in zip(found.target, found.images, strict=True))


def _lfw(cache: Path | None, least: int) -> Labeled:
    """Labeled Faces in the Wild, funneled, 250x250 in color."""
    from sklearn.datasets import fetch_lfw_people

    found = fetch_lfw_people(
        data_home=cache, color=True, resize=1.0, slice_=(slice(0, 250), slice(0, 250)), min_faces_per_person=least
    )
    names = [name.replace(" ", "_") for name in found.target_names]
    scale = 255.0 if found.images.max() > 1 else 1.0  # depends on the version of scikit-learn
    return ((names[label], image / scale) for label, image in zip(found.target, found.images, strict=True))


SETS: dict[str, Callable[[Path | None, int], Labeled]] = {"olivetti": _olivetti, "lfw": _lfw}
