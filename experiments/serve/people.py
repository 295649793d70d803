"""The gallery of the service: enrolls people by photos, names the faces of a photo, verifies one person."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO

import numpy as np
from PIL import Image

from experiments.data.images import ImageError
from experiments.errors import FacesError
from experiments.evaluation.embedding import EmbedOptions, require_same_preparation
from experiments.evaluation.gallery.identify import DEFAULT_FAR, DecisionThreshold, choose_threshold
from experiments.evaluation.gallery.records import Match, NewPhoto, Person, UnknownPersonError
from experiments.evaluation.gallery.store import GalleryStore
from experiments.serve.recognizer import Comparison, FoundFace, FoundFaces, Recognizer, Upload

MAX_CANDIDATES = 20


@dataclass(frozen=True)
class Enrolled:
    """What an enrollment did. person: as it is now. added: photos. refused: the photos left out, each with why."""

    person: Person
    added: int
    refused: tuple[tuple[str, str], ...]


@dataclass(frozen=True, eq=False)
class NamedFace:
    """A face of a photo. name, id: the person's, or None below the threshold. candidates: the most similar people."""

    found: FoundFace
    best: Match | None
    candidates: tuple[Match, ...]


class People:
    """A gallery and the network that fills it. Embeds in the caller's thread, so it is called in the network's."""

    def __init__(self, recognizer: Recognizer, location: str, thumbnails: bool) -> None:
        """Open a gallery, or make it. Raises FacesError where it is another network's or its thresholds do not hold."""
        calibration, embedder = recognizer.calibration, recognizer.embedder
        options = EmbedOptions(True, calibration.flip, calibration.zooms)
        dimension = embedder.embed(np.full((1, *embedder.size, 3), 128, np.uint8)).shape[1]
        self.recognizer, self.thumbnails = recognizer, thumbnails
        self.store = GalleryStore.open_or_create(
            location, embedder.fingerprint, dimension, options, recognizer.preparation
        )
        try:
            require_same_preparation(recognizer.preparation, self.store.preparation, self.store.title, True)
            choose_threshold(embedder, self.store, DEFAULT_FAR, allow_laxer=True)
        except BaseException:
            self.store.close()
            raise

    def enroll(self, name: str, uploads: Sequence[Upload], actor: str) -> Enrolled:
        """Enroll a person, or add photos to one. Raises FacesError where no photo can be used."""
        photos, refused = [], []
        for upload, found in zip(uploads, self.recognizer.detect_all(uploads), strict=True):
            problem = _problem(found)
            if problem or not isinstance(found, FoundFaces):
                refused.append((upload.name, problem))
                continue
            face = found.main
            photos.append(
                NewPhoto(
                    upload.file or upload.name,
                    hashlib.blake2b(upload.content, digest_size=12).hexdigest(),
                    self._embed([face])[0],
                    min(1.0, max(0.0, face.face.score)),
                    _jpeg(face.image) if self.thumbnails else None,
                )
            )
        if not photos:
            why = "; ".join(f"{photo}: {problem}" for photo, problem in refused)
            raise FacesError(f"{name}: not enrolled, as no photo can be used: {why}")
        done = self.store.enroll({name: photos}, self.recognizer.embedder.fingerprint, actor)
        refused += [(image, "enrolled already, the same file") for image in done.known]
        person = done.people[0] if done.people else self.store.person(name)
        return Enrolled(person, done.added, tuple(refused))

    def threshold(self, far: float) -> DecisionThreshold:
        """Return the similarity from which at most a fraction `far` of strangers is named, or the closest to it."""
        embedder = self.recognizer.embedder
        try:
            return choose_threshold(embedder, self.store, far)
        except FacesError:
            laxer = choose_threshold(embedder, self.store, far, allow_laxer=True)
            note = f"; the calibration is too small to promise {far:g} for so many people"
            return DecisionThreshold(laxer.value, laxer.basis + note)

    def identify(self, upload: Upload, threshold: float, top: int) -> tuple[FoundFaces, list[NamedFace]]:
        """Name every face of a photo, or leave it unknown. Raises ImageError for a photo that cannot be read."""
        found = self.recognizer.detect(upload)
        if not found.faces:
            return found, []
        matches = self.store.search(self._embed(found.faces), top)
        named = []
        for face, candidates in zip(found.faces, matches, strict=True):
            best = candidates[0] if candidates and candidates[0].similarity >= threshold else None
            named.append(NamedFace(face, best, tuple(candidates)))
        return found, named

    def verify(self, key: str, upload: Upload, far: float | None) -> tuple[Person, FoundFaces, Comparison]:
        """Compare a photo's largest central face with a person. Raises FacesError where it shows none."""
        person = self.store.person(key)
        found = self.recognizer.detect(upload)
        (matches,) = self.store.search(self._embed([found.main]), self.store.count(), approximate=False)
        for match in matches:
            if match.id == person.id:
                return person, found, self.recognizer.judge(match.similarity, far)
        raise UnknownPersonError(f"{person.name}: removed in the meantime")

    def thumbnail(self, key: str) -> bytes:
        """Return the JPEG of a person's face. Raises UnknownPersonError where none is stored."""
        for photo in self.store.photos(key):
            if photo.has_thumbnail and (image := self.store.thumbnail(photo.id)):
                return image
        raise UnknownPersonError("no image is stored of this person")

    def _embed(self, faces: Sequence[FoundFace]) -> np.ndarray:
        images, options = np.stack([face.image for face in faces]), self.store.options
        return self.recognizer.embedder.embed(images, options.flip, options.zooms)


def _problem(found: FoundFaces | ImageError) -> str:
    """Why a photo cannot be enrolled, or nothing."""
    if isinstance(found, ImageError):
        return str(found)
    return found.main.problem if found.faces else "no face was found; give a photo of a face turned to the camera"


def _jpeg(image: np.ndarray) -> bytes:
    file = BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=85)
    return file.getvalue()
