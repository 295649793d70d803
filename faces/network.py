"""A network from Python: the faces of images, their embeddings, and whether two show one person."""

import os
from collections.abc import Sequence
from functools import cache, cached_property
from pathlib import Path
from threading import Lock

import numpy as np

from experiments.data.align import choose_face
from experiments.data.align.align import Detector
from experiments.data.align.photo import Photo, PhotoFace, find_faces, load_photo, photo_detector
from experiments.data.images import fit_image
from experiments.errors import FacesError
from experiments.evaluation.embedding import EmbedOptions, input_preparation
from experiments.evaluation.face_table import align_settings
from experiments.evaluation.thresholds import ThresholdCalibration, read_thresholds, thresholds_file
from experiments.inference.embedder import Embedder
from experiments.inference.networks import DEFAULT, open_embedder
from faces.results import Face, Match


class Network:
    """A network that embeds faces, opened by `faces.load`. Threads may share it; detection runs in one at a time."""

    def __init__(self, embedder: Embedder):
        self.embedder = embedder
        self.preparation = input_preparation(embedder, [], EmbedOptions(align=True))
        self._settings = align_settings(self.preparation)
        self._lock = Lock()

    def __repr__(self) -> str:
        height, width = self.embedder.size
        return f"Network({self.embedder.title!r}, images of {height} x {width})"

    @cached_property
    def calibration(self) -> ThresholdCalibration:
        """The thresholds of the network. Raises FacesError where it was never calibrated, or on other images."""
        if self.embedder.folder is None:
            raise FacesError(f"{self.embedder.title}: not calibrated yet: `faces verify` it on pairs with answers")
        found = read_thresholds(self.embedder.folder, self.embedder.fingerprint)
        if found.preparation not in (None, self.preparation):
            raise FacesError(
                f"{self.embedder.title}: its thresholds come from images {found.preparation}, but photos are "
                f"{self.preparation} here: calibrate it with `faces verify --align`"
            )
        return found

    @property
    def options(self) -> EmbedOptions:
        """How embeddings are made: as calibrated, else with the mirror image's added."""
        folder = self.embedder.folder
        if folder is None or thresholds_file(folder) is None:
            return EmbedOptions(align=True)
        return EmbedOptions(True, self.calibration.flip, self.calibration.zooms)

    @cached_property
    def _detector(self) -> Detector:
        return photo_detector(self._settings)

    def detect(self, image: Photo, min_score: float = 0.0) -> list[Face]:
        """Return every face of an image, the largest first; none where it shows none.

        Raises FacesError for what is not an image, naming the file or the array's shape.
        """
        return [_face(one) for one in self._find(image, min_score)[0]]

    def _find(self, image: Photo, min_score: float = 0.0) -> tuple[list[PhotoFace], np.ndarray]:
        if not 0 <= min_score <= 1:
            raise FacesError(f"min_score is {min_score:g}, expected 0 to 1, such as 0.9")
        if not isinstance(image, (str, bytes, os.PathLike, np.ndarray)) and not hasattr(image, "convert"):
            raise FacesError(
                f"an image of type {type(image).__name__}, expected a path, bytes, a PIL image or an array (H, W, 3)"
            )
        pixels = load_photo(image)
        with self._lock:
            return find_faces(pixels, self._settings, self._detector, min_score), pixels

    def _main(self, image: Photo) -> PhotoFace:
        found, pixels = self._find(image)
        chosen = choose_face(found, pixels.shape[1], pixels.shape[0])
        if chosen is None:
            raise FacesError(f"{_name(image)}: no face was found; give a photo of a face turned to the camera")
        return next(face for face in found if face is chosen)

    def embed(self, images: Photo | Sequence[Photo], align: bool = True) -> np.ndarray:
        """Return the embedding of the largest central face of each image, (N, D) float32 of length 1; (D,) of one.

        align False: images are aligned faces already. Raises FacesError for an image without a face.
        """
        if isinstance(images, (str, bytes, os.PathLike)) or hasattr(images, "convert") or _is_one_array(images):
            return self.embed([images], align)[0]  # type: ignore[list-item]
        many: list[Photo] = list(images)
        if not many:
            raise FacesError("no image to embed: expected at least one")
        shown = [self._main(one).aligned if align else load_photo(one) for one in many]
        return self._vectors(shown)

    def _vectors(self, shown: Sequence[np.ndarray]) -> np.ndarray:
        options = self.options
        size = self.embedder.size
        return self.embedder.embed(
            np.stack([fit_image(one, size, "crop") for one in shown]), options.flip, options.zooms
        )

    def match(self, a: Photo, b: Photo, far: float | None = None) -> Match:
        """Compare every face of one image with every face of another: the most similar pair decides.

        far: the false-match rate of the threshold, one of those calibrated; by default that of equal error rates.
        Raises FacesError for an image without a face, and for a rate that was not calibrated.
        """
        threshold = self.calibration.for_far(far)
        found = [self._find(image)[0] for image in (a, b)]
        for image, faces in zip((a, b), found, strict=True):
            if not faces:
                raise FacesError(f"{_name(image)}: no face was found; give a photo of a face turned to the camera")
        one, other = (self._vectors([face.aligned for face in faces]).astype(np.float64) for faces in found)
        table = one @ other.T
        row, column = np.unravel_index(int(table.argmax()), table.shape)
        similarity = float(np.clip(table[row, column], -1, 1))
        rate = threshold.far or 3 / self.calibration.impostor
        return Match(
            similarity >= threshold.value, similarity, threshold.value, table.size, min(1.0, table.size * rate),
            _face(found[0][row]), _face(found[1][column]),
        )  # fmt: skip


def _face(one: PhotoFace) -> Face:
    left, top, right, bottom = (float(value) for value in one.box)
    points = tuple((float(x), float(y)) for x, y in one.landmarks)
    return Face((left, top, right, bottom), float(one.score), one.quality.score, points, one.aligned)


def _name(image: Photo) -> str:
    return str(image) if isinstance(image, (str, os.PathLike)) else "the image"


def _is_one_array(images: object) -> bool:
    return isinstance(images, np.ndarray) and images.ndim < 4


def load(run: str | os.PathLike[str] = DEFAULT) -> Network:
    """Open a network: a run's folder, a known network's name such as "sface", or an exported embedding (.onnx).

    Raises FacesError where there is none, with the command that brings it.
    """
    return Network(open_embedder(run if isinstance(run, str) else Path(run)))


@cache
def default_network() -> Network:
    """Return SFace, opened once."""
    return load()


def detect(image: Photo, min_score: float = 0.0) -> list[Face]:
    """Return every face of an image, the largest first. See `Network.detect`."""
    return default_network().detect(image, min_score)


def embed(images: Photo | Sequence[Photo], align: bool = True) -> np.ndarray:
    """Return the embeddings of images' faces by SFace. See `Network.embed`."""
    return default_network().embed(images, align)


def match(a: Photo, b: Photo, far: float | None = None) -> Match:
    """Say whether two images show one person, by SFace. See `Network.match`."""
    return default_network().match(a, b, far)
