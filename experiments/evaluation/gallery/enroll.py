"""People into a gallery: their photographs read, their faces found, the embeddings kept.

Which photographs are good enough to enroll a person by.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from experiments.data.align.in_memory import AlignedFace, align_files
from experiments.data.folders import existing_folder, folders_in, images_in, person_name
from experiments.data.images import load_images
from experiments.errors import FacesError
from experiments.evaluation.gallery.store import Gallery, read_gallery, write_gallery
from experiments.evaluation.scoring import EmbedOptions
from experiments.inference.embedder import Embedder, open_embedder
from experiments.progress import say


@dataclass(frozen=True)
class QualityGate:
    """The least that a photograph must show.

    score: how sure the detector is of the face, 0 to 1. side: the face's, in pixels. alone: refuse a photograph with
    several faces, where otherwise the most central large one is taken.
    """

    score: float = 0.9
    side: float = 32.0
    alone: bool = False

    def objection(self, one: AlignedFace) -> str:
        """Why a photograph is left out, or nothing."""
        if one.face is None:
            return "no face found"
        if one.face.score < self.score:
            return f"a face of which the detector is only {one.face.score:.0%} sure, below {self.score:.0%}"
        if one.face.side < self.side:
            return f"a face of {one.face.side:.0f} pixels, below {self.side:.0f}"
        if self.alone and one.faces > 1:
            return f"{one.faces} faces"
        return ""


def enroll(
    run: Path,
    people: Path,
    out: Path,
    add: bool = False,
    view: EmbedOptions | None = None,
    gate: QualityGate | None = None,
) -> Gallery:
    """Enroll a folder with one folder of photographs a person, and write the gallery to `out`.

    add: into the existing gallery. Raises FacesError, leaving `out` unchanged, where it is another network's gallery,
    or nobody can be enrolled.
    """
    if out.exists() and not add:
        raise FacesError(f"{out} exists already: choose another --out, or --add to it")
    embedder = open_embedder(run)
    before = None
    if add:
        before = read_gallery(out, embedder.fingerprint)
        view = EmbedOptions(before.align, before.flip, before.zooms)
    gallery = enroll_folder(embedder, people, view or EmbedOptions(align=True), gate or QualityGate(), before)
    write_gallery(gallery, out)
    say(f"{out}: {len(gallery.names)} people by {len(gallery.people)} pictures")
    return gallery


def enroll_folder(
    embedder: Embedder, people: Path, view: EmbedOptions, gate: QualityGate, gallery: Gallery | None = None
) -> Gallery:
    """A gallery of the people in a folder, or the one given with them added; says what was left out, and why.

    A picture given twice counts once. Raises FacesError where one picture is given to two people, and where no picture
    passes the gate.
    """
    named = [
        (person_name(folder), path) for folder in folders_in(existing_folder(people)) for path in images_in(folder)
    ]
    if not named:
        raise FacesError(f"{people}: no pictures in folders of it; expected one folder a person, with pictures inside")
    owners = {} if gallery is None else dict(zip(gallery.digests, gallery.people, strict=True))
    fresh: list[tuple[str, Path, str]] = []
    for name, path in named:
        digest = hashlib.blake2b(path.read_bytes(), digest_size=12).hexdigest()
        if owners.get(digest, name) != name:
            raise FacesError(f"{path}: the very picture that {owners[digest]!r} is enrolled by: remove it from one")
        if digest in owners:
            say(f"left out {path}: enrolled already, the same file")
        else:
            fresh.append((name, path, digest))
        owners[digest] = name
    kept, images = _good(fresh, embedder, view, gate)
    if not kept and gallery is None:
        raise FacesError(f"{people}: no picture of {len(named)} can be used; see the lines above")
    lost = sorted({name for name, _ in named} - {name for name, _, _ in kept} - set(gallery.people if gallery else ()))
    if lost:
        say(f"not enrolled, as no picture of theirs can be used: {', '.join(lost)}")
    if gallery is None:
        width = embedder.embed(images[:1], view.flip, view.zooms).shape[1]
        nobody = np.empty((0, width), np.float32)
        gallery = Gallery(nobody, (), (), (), embedder.fingerprint, view.flip, view.zooms, view.align)
    if not kept:
        return gallery
    embeddings = embedder.embed(images, view.flip, view.zooms)
    names, paths, digests = zip(*kept, strict=True)
    return gallery.with_more(embeddings, names, [path.name for path in paths], digests)


def _good(
    fresh: Sequence[tuple[str, Path, str]], embedder: Embedder, view: EmbedOptions, gate: QualityGate
) -> tuple[list[tuple[str, Path, str]], np.ndarray]:
    """The pictures that pass the gate, and what the network sees of them, (N, H, W, 3)."""
    paths = [path for _, path, _ in fresh]
    if not view.align:
        return list(fresh), load_images(paths, embedder.size, "crop")
    found: list[AlignedFace] = align_files(paths, embedder.size)
    kept, images = [], []
    for row, one in zip(fresh, found, strict=True):
        if why := gate.objection(one):
            say(f"left out {one.path}: {why}")
            continue
        if one.remark:
            say(f"note: {one.remark}")
        kept.append(row)
        images.append(one.image)
    return kept, np.stack(images) if images else np.empty((0, *embedder.size, 3), np.uint8)
