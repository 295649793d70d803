"""Enroll people into a gallery: read their photos, find the faces, keep the embeddings of the usable ones."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from experiments.data.align.align import AlignedFace
from experiments.data.folders import PARTS, composed, folders_in, identity_root, images_in, other_files, person_name
from experiments.data.images import load_images
from experiments.data.preparation import Preparation
from experiments.errors import FacesError
from experiments.evaluation.embedding import EmbedOptions, align_images, input_preparation, require_same_preparation
from experiments.evaluation.gallery.database import Location, exists, shown
from experiments.evaluation.gallery.records import Enrollment, NewPhoto, check_name, command_line_actor
from experiments.evaluation.gallery.snapshot import Gallery
from experiments.evaluation.gallery.store import GalleryStore
from experiments.inference.embedder import Embedder
from experiments.inference.networks import open_embedder
from experiments.progress import say


@dataclass(frozen=True)
class QualityGate:
    """What a photo must have.

    score: the detector's least confidence in the face, 0 to 1. side: the least side of the face in pixels. alone:
    refuse a photo with several faces, where otherwise the largest central one is taken.
    """

    score: float = 0.9
    side: float = 32.0
    alone: bool = False

    def objection(self, one: AlignedFace) -> str:
        """Why a photo is left out, or nothing."""
        if one.face is None:
            return "no face found"
        if one.face.score < self.score:
            return f"the detector is only {one.face.score:.0%} sure of the face, below {self.score:.0%}"
        if one.face.side < self.side:
            return f"a face of {one.face.side:.0f} pixels, below {self.side:.0f}"
        if self.alone and one.faces > 1:
            return f"{one.faces} faces"
        return ""


class Photo(NamedTuple):
    """A photo to enroll a person with; digest: of the file."""

    person: str
    path: Path
    digest: str


@dataclass(frozen=True, eq=False)
class EmbeddedPeople:
    """Photos with their embeddings, by person; how the images were prepared, where there is one."""

    photos: dict[str, list[NewPhoto]]
    preparation: Preparation | None


def enroll(
    run: str | Path,
    people: Path,
    out: Location,
    add: bool = False,
    options: EmbedOptions | None = None,
    gate: QualityGate | None = None,
) -> Enrollment:
    """Enroll a folder with one folder of photos per person into a gallery: a file, or PostgreSQL by its URL.

    add: into the gallery that is there. All people or none, in one transaction; other commands may change the gallery
    at the same time. Raises FacesError, leaving what was at `out`, where it is another network's gallery, or no person
    can be enrolled.
    """
    embedder = open_embedder(run)
    if not add and exists(out):
        raise FacesError(f"{shown(out)} exists already: choose another --out, or --add to it")
    options, known, expected = options or EmbedOptions(align=True), {}, None
    if add:
        with GalleryStore.open(out, embedder.fingerprint) as store:
            options, known, expected = store.options, store.digests(), store.preparation
    found = embed_people(embedder, people, options, gate, known)
    if add and found.preparation is not None:
        require_same_preparation(found.preparation, expected, "the gallery", options.align)
    return store_people(out, add, embedder.fingerprint, options, found.preparation, found.photos)


def store_people(
    out: Location,
    add: bool,
    network: str,
    options: EmbedOptions,
    preparation: Preparation | None,
    photos: Mapping[str, Sequence[NewPhoto]],
    action: str = "enroll",
) -> Enrollment:
    """Add people to a gallery, or to a new one, which is not made where that fails; print how many it holds then."""
    if add:
        store = GalleryStore.open(out, network)
    else:
        dimension = len(next(iter(photos.values()))[0].embedding)
        store = GalleryStore.create(out, network, dimension, options, preparation)
    with store:
        try:
            done = store.enroll(photos, network, command_line_actor(), action)
        except BaseException:
            if not add:
                store.discard()
            raise
        say(f"{store.title}: {store.summary()}")
    return done


def enroll_folder(embedder: Embedder, people: Path, options: EmbedOptions, gate: QualityGate | None = None) -> Gallery:
    """Make a gallery of the people in a folder in memory; prints what is left out and why. Raises as `embed_people`."""
    found = embed_people(embedder, people, options, gate)
    rows = [(name, photo) for name, own in found.photos.items() for photo in own]
    return Gallery(
        np.stack([photo.embedding for _, photo in rows]),
        tuple(name for name, _ in rows),
        tuple(photo.image for _, photo in rows),
        tuple(photo.digest for _, photo in rows),
        embedder.fingerprint,
        options,
        found.preparation,
    )


def embed_people(
    embedder: Embedder,
    people: Path,
    options: EmbedOptions,
    gate: QualityGate | None = None,
    known: Mapping[str, str] | None = None,
) -> EmbeddedPeople:
    """Embed the usable photos of a folder of people; prints what is left out and why. An image given twice counts once.

    known: the digests of the images that a gallery has, and whose they are; these are left out. Raises FacesError where
    one image is given for two people, where no image passes the gate and none is known, and for images prepared
    otherwise than those of the network.
    """
    photos = find_photos(people)
    for name in dict.fromkeys(photo.person for photo in photos):
        check_name(name)
    kept, images, scores, preparation = _usable(
        _new_photos(photos, known or {}), embedder, options, gate or QualityGate()
    )
    if not kept and not known:
        raise FacesError(f"{people}: no image of {len(photos)} can be used; see the lines above")
    present = {photo.person for photo in kept} | set((known or {}).values())
    if lost := sorted({photo.person for photo in photos} - present):
        say(f"not enrolled, as none of their images can be used: {', '.join(lost)}")
    found: dict[str, list[NewPhoto]] = {}
    if kept:
        embeddings = embedder.embed(images, options.flip, options.zooms)
        for photo, embedding, score in zip(kept, embeddings, scores, strict=True):
            new = NewPhoto(composed(photo.path.name), photo.digest, embedding, score)
            found.setdefault(photo.person, []).append(new)
    return EmbeddedPeople(found, preparation)


def find_photos(people: Path) -> list[Photo]:
    """Find the photos of a folder of people, or of the `train/` in a competition's folder.

    Raises FacesError where there are none, or where the folders are parts of a data set and not people.
    """
    root = identity_root(people)
    folders = [folder for folder in folders_in(root) if images_in(folder, root)]
    if not folders:
        expected = "expected one folder per person, with images inside"
        raise FacesError(f"{root}: no images in folders of it; {expected}{other_files(root)}")
    if PARTS.issuperset(folder.name for folder in folders):
        raise FacesError(
            f"{root}: its folders ({', '.join(folder.name for folder in folders)}) are parts of a data set, not "
            "people: give a folder that holds one folder per person"
        )
    return [
        Photo(person_name(folder), path, hashlib.blake2b(path.read_bytes(), digest_size=12).hexdigest())
        for folder in folders
        for path in images_in(folder, root)
    ]


def _new_photos(photos: Sequence[Photo], known: Mapping[str, str]) -> list[Photo]:
    """Those that are not in the gallery yet, each once."""
    owners = dict(known)
    fresh: list[Photo] = []
    for photo in photos:
        if (owner := owners.get(photo.digest, photo.person)) != photo.person:
            raise FacesError(f"{photo.path}: the same image that {owner!r} is enrolled with: remove it from one")
        if photo.digest in owners:
            say(f"left out {photo.path}: enrolled already, the same file")
        else:
            fresh.append(photo)
        owners[photo.digest] = photo.person
    return fresh


def _usable(
    photos: Sequence[Photo], embedder: Embedder, options: EmbedOptions, gate: QualityGate
) -> tuple[list[Photo], np.ndarray, list[float | None], Preparation | None]:
    """The photos that pass the gate, their faces (N, H, W, 3), the detector's scores, and the preparation."""
    nothing = np.empty((0, *embedder.size, 3), np.uint8)
    if not photos:
        return [], nothing, [], None
    paths = [photo.path for photo in photos]
    preparation = input_preparation(embedder, paths, options)
    if not options.align:
        return list(photos), load_images(paths, embedder.size, "crop"), [None] * len(photos), preparation
    kept: list[Photo] = []
    images, scores = [], []
    for photo, one in zip(photos, align_images(embedder, paths, preparation), strict=True):
        if why := gate.objection(one):
            say(f"left out {one.path}: {why}")
            continue
        if one.remark:
            say(f"note: {one.remark}")
        assert one.face is not None
        kept.append(photo)
        images.append(one.image)
        scores.append(float(one.face.score))
    return kept, np.stack(images) if images else nothing, [*scores], preparation
