"""A gallery's file: the embeddings of everybody enrolled, and whose they are.

One safetensors file, so it is written whole or not at all, and opened without running anything. Every image's
embedding is kept, not only the person's template, so that images and people can be added and removed. The file holds
biometric data: it is readable by its owner only.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Literal, Self

import numpy as np
from pydantic import Field, ValidationError, model_validator
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from experiments.data.folders import composed
from experiments.data.preparation import Preparation
from experiments.errors import FacesError, expected_words
from experiments.evaluation.embedding import EmbedOptions
from experiments.files import Record
from experiments.inference.embedder import normalize_embeddings
from mytorch.files import atomic_write

REMEDY = "enroll again, or restore a copy"

Name = Annotated[str, Field(min_length=1)]


class GalleryRecord(Record):
    """Everything in a gallery's file but the embeddings: see `Gallery`."""

    format: Literal["faces gallery 2"] = "faces gallery 2"
    network: str
    flip: bool
    zooms: Annotated[tuple[float, ...], Field(min_length=1)]
    align: bool
    preparation: Preparation | None
    people: Annotated[tuple[Name, ...], Field(min_length=1)]
    images: tuple[Name, ...]
    digests: tuple[Name, ...]

    @model_validator(mode="after")
    def _one_of_each(self) -> Self:
        if not len(self.people) == len(self.images) == len(self.digests):
            raise ValueError("expected one person, image and digest for each embedding")
        return self


@dataclass(frozen=True, eq=False)
class Gallery:
    """embeddings: (N, D) float32 of length 1. people: (N,), whose each is. images: (N,), the files' names.

    digests: (N,), hashes of the files, which recognize an image that is given twice. network: the fingerprint of the
    network that computed the embeddings. options, preparation: how.
    """

    embeddings: np.ndarray
    people: tuple[str, ...]
    images: tuple[str, ...]
    digests: tuple[str, ...]
    network: str
    options: EmbedOptions
    preparation: Preparation | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """Everybody enrolled, sorted."""
        return tuple(sorted(set(self.people)))

    def templates(self) -> np.ndarray:
        """One embedding per person (P, D), in the order of `names`: the mean of theirs, at length 1."""
        numbers = np.unique(np.array(self.people), return_inverse=True)[1]
        sums = np.zeros((numbers.max() + 1, self.embeddings.shape[1]))
        np.add.at(sums, numbers, self.embeddings)
        return normalize_embeddings(sums)

    def with_more(
        self, embeddings: np.ndarray, people: Sequence[str], images: Sequence[str], digests: Sequence[str]
    ) -> "Gallery":
        """Add images (M, D), of new people or of those it has."""
        return replace(
            self,
            embeddings=np.concatenate([self.embeddings, embeddings]),
            people=(*self.people, *people),
            images=(*self.images, *images),
            digests=(*self.digests, *digests),
        )

    def pick(self, rows: Sequence[int]) -> "Gallery":
        """Keep those images only."""
        chosen = list(rows)
        people, images, digests = (
            tuple(values[row] for row in chosen) for values in (self.people, self.images, self.digests)
        )
        return replace(self, embeddings=self.embeddings[chosen], people=people, images=images, digests=digests)

    def without(self, names: Sequence[str]) -> "Gallery":
        """Remove people. Raises FacesError for one who is not in it, or where nobody is left."""
        removed = {composed(name) for name in names}
        for name in sorted(removed):
            if name not in self.people:
                raise FacesError(f"{name!r} is not in the gallery, so cannot be removed; in it: {_listed(self.names)}")
        kept = [row for row, name in enumerate(self.people) if name not in removed]
        if not kept:
            raise FacesError("nobody would be left in the gallery: delete the file instead")
        return self.pick(kept)


def write_gallery(gallery: Gallery, path: Path) -> None:
    """Store a gallery, whole or not at all."""
    embeddings = np.ascontiguousarray(gallery.embeddings, np.float32)
    record = GalleryRecord(
        network=gallery.network,
        flip=gallery.options.flip,
        zooms=gallery.options.zooms,
        align=gallery.options.align,
        preparation=gallery.preparation,
        people=gallery.people,
        images=gallery.images,
        digests=gallery.digests,
    ).model_dump_json()
    path.absolute().parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path, private=True) as temporary:
        save_file({"embeddings": embeddings}, temporary, {"record": record, "digest": _digest(record, embeddings)})


def read_gallery(path: Path, network: str | None = None) -> Gallery:
    """Read a gallery. Raises FacesError where it is missing, truncated, damaged, or not made by `network`."""
    if path.is_dir():
        raise FacesError(f"{path} is a folder, expected the file that `faces gallery enroll ... --out GALLERY` made")
    if not path.is_file():
        raise FacesError(f"{path}: no such gallery; make one with `faces gallery enroll`")
    try:
        with safe_open(path, "numpy") as file:
            about, embeddings = file.metadata() or {}, file.get_tensor("embeddings")
    except (SafetensorError, KeyError, ValueError, OSError) as error:
        raise FacesError(f"{path}: not a gallery that `faces gallery enroll` made, or truncated: {REMEDY}") from error
    try:
        record = GalleryRecord.model_validate_json(about.get("record", ""))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "its record"
        raise FacesError(
            f"{path}: not a gallery of this version ({where}: {expected_words(first)}): {REMEDY}"
        ) from error
    if about.get("digest") != _digest(about["record"], embeddings):
        raise FacesError(f"{path}: damaged or edited, its digest is another: {REMEDY}")
    if embeddings.ndim != 2 or len(embeddings) != len(record.people):
        raise FacesError(f"{path}: embeddings of shape {embeddings.shape} for {len(record.people)} images: {REMEDY}")
    if network not in (None, record.network):
        raise FacesError(f"{path}: made by another network, whose embeddings mean something else: {REMEDY}")
    options = EmbedOptions(record.align, record.flip, record.zooms)
    return Gallery(
        embeddings, record.people, record.images, record.digests, record.network, options, record.preparation
    )


def _digest(record: str, embeddings: np.ndarray) -> str:
    digest = hashlib.blake2b(record.encode(), digest_size=16)
    digest.update(f"{embeddings.dtype} {embeddings.shape}".encode())
    digest.update(np.ascontiguousarray(embeddings).data)
    return digest.hexdigest()


def _listed(names: Sequence[str], most: int = 6) -> str:
    return ", ".join(names[:most]) + (f", ... ({len(names)})" if len(names) > most else "")
