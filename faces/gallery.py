"""People by their photos: enroll them, name the faces of a photo, remove them, and keep them in a file."""

import hashlib
import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import cast

import numpy as np

from experiments.data.align.photo import Photo, load_photo
from experiments.errors import FacesError
from experiments.evaluation.gallery.identify import UNKNOWN, choose_threshold, name_probes
from experiments.evaluation.gallery.records import NewPhoto, check_name
from experiments.evaluation.gallery.snapshot import Gallery as Snapshot
from experiments.evaluation.gallery.store import GalleryStore, read_gallery
from faces.network import Network, default_network
from faces.results import Identity


class Gallery:
    """People in memory, by embeddings of their photos. `save` and `open` use the file of `faces gallery`.

    network: what embeds them, SFace by default.
    """

    def __init__(self, network: Network | None = None):
        self.network = network or default_network()
        self._rows: list[tuple[str, NewPhoto]] = []

    @classmethod
    def open(cls, path: str | os.PathLike[str], network: Network | None = None) -> "Gallery":
        """Read a gallery's file. Raises FacesError where it is missing, damaged, or made by another network."""
        gallery = cls(network)
        found = read_gallery(Path(path), gallery.network.embedder.fingerprint)
        rows = zip(found.people, found.images, found.digests, found.embeddings, strict=True)
        gallery._rows = [(who, NewPhoto(image, digest, vector)) for who, image, digest, vector in rows]
        return gallery

    def __repr__(self) -> str:
        return f"Gallery({len(self.list())} people, {len(self._rows)} photos)"

    def __len__(self) -> int:
        return len(self.list())

    def list(self) -> dict[str, int]:
        """Return everybody enrolled, sorted, with the number of their photos."""
        return dict(sorted(Counter(name for name, _ in self._rows).items()))

    def enroll(self, name: str, images: Photo | Sequence[Photo]) -> None:
        """Add a person, or more photos of one; of each the largest central face. A photo given twice counts once.

        Raises FacesError, and adds nothing, for a photo without a face, and for one that another person has.
        """
        name = check_name(name)
        many = cast(Sequence[Photo], images if isinstance(images, (list, tuple)) else [images])
        vectors = self.network.embed(many)
        owners = {photo.digest: who for who, photo in self._rows}
        rows = []
        for number, (image, vector) in enumerate(zip(many, vectors, strict=True), 1):
            digest = _digest(image)
            if owners.setdefault(digest, name) != name:
                raise FacesError(f"image {number} of {name!r} is the same that {owners[digest]!r} is enrolled with")
            title = Path(image).name if isinstance(image, (str, os.PathLike)) else f"image {number}"
            rows.append((name, NewPhoto(title, digest, vector)))
        known = {photo.digest for _, photo in self._rows}
        self._rows += [row for place, row in enumerate(rows)
                       if row[1].digest not in known | {one.digest for _, one in rows[:place]}]  # fmt: skip

    def remove(self, name: str) -> None:
        """Remove a person. Raises FacesError for one who is not in it."""
        if name not in self.list():
            raise FacesError(f"{name!r} is not in the gallery, which holds {', '.join(self.list()) or 'nobody'}")
        self._rows = [row for row in self._rows if row[0] != name]

    def identify(
        self, image: Photo, far: float = 0.01, threshold: float | None = None, top: int = 3
    ) -> Sequence[Identity]:
        """Name every face of an image, the largest first; the name is None below the threshold.

        far: how often a stranger may be given a name; it chooses the calibrated threshold unless one is given. Raises
        FacesError where the calibration is too small for `far` and so many people, and for an empty gallery.
        """
        snapshot = self._snapshot()
        value = choose_threshold(self.network.embedder, snapshot, far).value if threshold is None else threshold
        found = self.network.detect(image)
        if not found:
            return []
        vectors = self.network.embed([face.aligned for face in found], align=False)
        answers = name_probes(snapshot, vectors, value, top)
        return [
            Identity(None if name == UNKNOWN and best[0][1] < value else name, best[0][1], best, face)
            for (name, best), face in zip(answers, found, strict=True)
        ]

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a new file, for its owner alone. Raises FacesError where it exists, or nobody is in the gallery."""
        snapshot, network = self._snapshot(), self.network
        people: dict[str, list[NewPhoto]] = {}
        for name, photo in self._rows:
            people.setdefault(name, []).append(photo)
        store = GalleryStore.create(
            Path(path), network.embedder.fingerprint, snapshot.embeddings.shape[1], network.options, network.preparation
        )
        with store:
            try:
                store.enroll(people, network.embedder.fingerprint, "python")
            except BaseException:
                store.discard()
                raise

    def _snapshot(self) -> Snapshot:
        if not self._rows:
            raise FacesError("the gallery is empty: enroll somebody first")
        names, photos = zip(*self._rows, strict=True)
        return Snapshot(
            np.stack([photo.embedding for photo in photos]),
            tuple(names),
            tuple(photo.image for photo in photos),
            tuple(photo.digest for photo in photos),
            self.network.embedder.fingerprint,
            self.network.options,
            self.network.preparation,
        )


def _digest(image: Photo) -> str:
    """Return a hash of a file's bytes, or of the pixels of an image in memory."""
    if isinstance(image, (str, os.PathLike)):
        content = Path(image).read_bytes()
    else:
        content = image if isinstance(image, bytes) else load_photo(image).tobytes()
    return hashlib.blake2b(content, digest_size=12).hexdigest()
