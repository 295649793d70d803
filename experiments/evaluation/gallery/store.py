"""A gallery's file: the embeddings of everybody enrolled, and whose they are.

One safetensors file, so it is written whole or not at all, and opened without running anything. Every picture's
embedding is kept, not only the person's template, so that pictures and people can be added and taken out.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from experiments.errors import FacesError
from experiments.inference.embedder import normalize_embeddings
from mytorch.files import atomic_write

FORMAT = "faces gallery 1"


@dataclass(frozen=True, eq=False)
class Gallery:
    """embeddings: (N, D) float32 of length 1. people: (N,), whose each is. pictures: (N,), the files' names.

    digests: (N,), hashes of the files, by which a picture given twice is known. network: the fingerprint of the network
    that made the embeddings. flip, zooms, align: how.
    """

    embeddings: np.ndarray
    people: tuple[str, ...]
    pictures: tuple[str, ...]
    digests: tuple[str, ...]
    network: str
    flip: bool = True
    zooms: tuple[float, ...] = (1.0,)
    align: bool = True

    @property
    def names(self) -> tuple[str, ...]:
        """Everybody enrolled, sorted."""
        return tuple(sorted(set(self.people)))

    def templates(self) -> np.ndarray:
        """One embedding a person (P, D), in the order of `names`: the mean of theirs, at length 1."""
        numbers = np.unique(np.array(self.people), return_inverse=True)[1]
        sums = np.zeros((numbers.max() + 1, self.embeddings.shape[1]))
        np.add.at(sums, numbers, self.embeddings)
        return normalize_embeddings(sums)

    def with_more(
        self, embeddings: np.ndarray, people: Sequence[str], pictures: Sequence[str], digests: Sequence[str]
    ) -> "Gallery":
        """The gallery with further pictures (M, D), of new people or of those it has."""
        return replace(
            self,
            embeddings=np.concatenate([self.embeddings, embeddings]),
            people=(*self.people, *people),
            pictures=(*self.pictures, *pictures),
            digests=(*self.digests, *digests),
        )

    def pick(self, rows: Sequence[int]) -> "Gallery":
        """Those pictures only."""
        chosen = list(rows)
        people, pictures, digests = (
            tuple(values[row] for row in chosen) for values in (self.people, self.pictures, self.digests)
        )
        return replace(self, embeddings=self.embeddings[chosen], people=people, pictures=pictures, digests=digests)

    def without(self, names: Sequence[str]) -> "Gallery":
        """The gallery without some people. Raises FacesError for one who is not in it, or where nobody is left."""
        for name in names:
            if name not in self.people:
                raise FacesError(f"{name!r} is not in the gallery, so cannot be removed; in it: {_listed(self.names)}")
        kept = [row for row, name in enumerate(self.people) if name not in set(names)]
        if not kept:
            raise FacesError("nobody would be left in the gallery: delete the file instead")
        return self.pick(kept)


def write_gallery(gallery: Gallery, path: Path) -> None:
    """Store a gallery, whole or not at all."""
    embeddings = np.ascontiguousarray(gallery.embeddings, np.float32)
    about = {
        "format": FORMAT,
        "network": gallery.network,
        "view": json.dumps({"flip": gallery.flip, "zooms": gallery.zooms, "align": gallery.align}),
        "rows": json.dumps([gallery.people, gallery.pictures, gallery.digests], ensure_ascii=False),
        "digest": _digest(embeddings),
    }
    path.absolute().parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path, private=True) as temporary:
        save_file({"embeddings": embeddings}, temporary, about)


def read_gallery(path: Path, network: str | None = None) -> Gallery:
    """Read a gallery. Raises FacesError where it is missing, truncated, damaged, or not made by `network`."""
    if path.is_dir():
        raise FacesError(f"{path} is a folder, expected the file that `faces gallery enroll ... --out GALLERY` made")
    if not path.is_file():
        raise FacesError(f"{path}: no such gallery; make one with `faces gallery enroll`")
    try:
        with safe_open(path, "numpy") as file:
            about, embeddings = file.metadata() or {}, file.get_tensor("embeddings")
        if about.get("format") != FORMAT:
            raise FacesError(f"{path}: not a gallery of this kind (it says {about.get('format')!r}): enroll anew")
        if about["digest"] != _digest(embeddings):
            raise FacesError(f"{path}: damaged, its embeddings are not those that were stored: enroll anew")
        people, pictures, digests = (tuple(values) for values in json.loads(about["rows"]))
        view = json.loads(about["view"])
    except (SafetensorError, KeyError, ValueError, OSError) as error:
        raise FacesError(f"{path}: truncated or no gallery ({error}): enroll anew, or take a copy") from error
    if network not in (None, about["network"]):
        raise FacesError(
            f"{path}: made by another network, whose embeddings mean something else: enroll anew with this one"
        )
    zooms = tuple(view["zooms"])
    return Gallery(embeddings, people, pictures, digests, about["network"], view["flip"], zooms, view["align"])


def _digest(embeddings: np.ndarray) -> str:
    return hashlib.blake2b(np.ascontiguousarray(embeddings).data, digest_size=16).hexdigest()


def _listed(names: Sequence[str], most: int = 6) -> str:
    return ", ".join(names[:most]) + (f", ... ({len(names)})" if len(names) > most else "")
