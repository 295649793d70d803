"""Enroll people into a gallery: read their photos, find the faces, keep the embeddings of the usable ones."""

import hashlib
from collections.abc import Sequence
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
from experiments.evaluation.gallery.store import Gallery, read_gallery, write_gallery
from experiments.files import locked, refuse_overwriting_input
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


def enroll(
    run: Path,
    people: Path,
    out: Path,
    add: bool = False,
    options: EmbedOptions | None = None,
    gate: QualityGate | None = None,
) -> Gallery:
    """Enroll a folder with one folder of photos per person, and write the gallery to `out`.

    add: into the gallery that is there. Of two commands that write one gallery the second waits for the
    first. Raises FacesError, leaving what was at `out`, where it is another network's gallery, or nobody can be
    enrolled.
    """
    embedder = open_embedder(run)
    with locked(out):
        if out.exists() and not add:
            raise FacesError(f"{out} exists already: choose another --out, or --add to it")
        before = read_gallery(out, embedder.fingerprint) if add else None
        gallery = enroll_folder(embedder, people, options or EmbedOptions(align=True), gate, before, out)
        write_gallery(gallery, out)
    say(f"{out}: {len(gallery.names)} people with {len(gallery.people)} images")
    return gallery


def remove_people(file: Path, names: Sequence[str]) -> Gallery:
    """Remove people from a gallery's file, with all that it holds about them. Raises FacesError for one not in it."""
    with locked(file):
        gallery = read_gallery(file).without(names)
        write_gallery(gallery, file)
    say(f"{file}: {len(gallery.names)} people with {len(gallery.people)} images")
    return gallery


def enroll_folder(
    embedder: Embedder,
    people: Path,
    options: EmbedOptions,
    gate: QualityGate | None = None,
    gallery: Gallery | None = None,
    out: Path | None = None,
) -> Gallery:
    """Make a gallery of the people in a folder, or add them to one, with its options; prints what is left out and why.

    An image given twice counts once. Raises FacesError where one image is given for two people, where no image passes
    the gate, and for images prepared otherwise than those of the network or the gallery.
    """
    photos = find_photos(people)
    if out is not None:
        refuse_overwriting_input(out, [photo.path for photo in photos])
    if gallery is not None:
        options = gallery.options
    fresh = _new_photos(photos, gallery)
    kept, images, preparation = _usable(fresh, embedder, options, gate or QualityGate())
    if gallery is not None and preparation is not None:
        require_same_preparation(preparation, gallery.preparation, "the gallery", options.align)
    if not kept and gallery is None:
        raise FacesError(f"{people}: no image of {len(photos)} can be used; see the lines above")
    present = {photo.person for photo in kept} | set(gallery.people if gallery else ())
    if lost := sorted({photo.person for photo in photos} - present):
        say(f"not enrolled, as none of their images can be used: {', '.join(lost)}")
    if not kept:
        assert gallery is not None
        return gallery
    embeddings = embedder.embed(images, options.flip, options.zooms)
    if gallery is None:
        nothing = np.empty((0, embeddings.shape[1]), np.float32)
        gallery = Gallery(nothing, (), (), (), embedder.fingerprint, options, preparation)
    names, paths, digests = zip(*kept, strict=True)
    return gallery.with_more(embeddings, names, [composed(path.name) for path in paths], digests)


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


def _new_photos(photos: Sequence[Photo], gallery: Gallery | None) -> list[Photo]:
    """Those that are not in the gallery yet, each once."""
    owners = {} if gallery is None else dict(zip(gallery.digests, gallery.people, strict=True))
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
) -> tuple[list[Photo], np.ndarray, Preparation | None]:
    """The photos that pass the gate, what the network sees of them (N, H, W, 3), and how that is prepared."""
    if not photos:
        return [], np.empty((0, *embedder.size, 3), np.uint8), None
    paths = [photo.path for photo in photos]
    preparation = input_preparation(embedder, paths, options)
    if not options.align:
        return list(photos), load_images(paths, embedder.size, "crop"), preparation
    kept, images = [], []
    for photo, one in zip(photos, align_images(embedder, paths, preparation), strict=True):
        if why := gate.objection(one):
            say(f"left out {one.path}: {why}")
            continue
        if one.remark:
            say(f"note: {one.remark}")
        kept.append(photo)
        images.append(one.image)
    return kept, np.stack(images) if images else np.empty((0, *embedder.size, 3), np.uint8), preparation
