"""The models of the service, loaded once: photos to faces, faces to embeddings, two embeddings to an answer."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import cast

import numpy as np
from PIL import Image

from experiments.data.align import choose_face
from experiments.data.align.align import AlignedFace
from experiments.data.align.photo import PhotoFace, find_faces, photo_detector
from experiments.data.images import ImageError, fit_image
from experiments.data.preparation import AlignSettings, DetectorName
from experiments.errors import FacesError
from experiments.evaluation.embedding import EmbedOptions, input_preparation
from experiments.evaluation.gallery.enroll import QualityGate
from experiments.evaluation.match import PhotoMatch, describe_match
from experiments.evaluation.thresholds import Threshold, ThresholdCalibration, read_thresholds
from experiments.inference.networks import open_embedder
from experiments.serve.decoder import Decoder

MAX_FACES = 100
"""Faces of one photo that are aligned and embedded, the largest first."""


@dataclass(frozen=True, eq=False)
class Upload:
    """An uploaded photo. name: what messages call it. content: the file's bytes. file: its name, without folders."""

    name: str
    content: bytes
    file: str = ""


@dataclass(frozen=True, eq=False)
class FoundFace:
    """A face of a photo. face: box, score, landmarks and quality. image: aligned, (S, S, 3) uint8. problem: why it
    should not be enrolled, or "". main: whether it is the photo's largest central face.
    """

    face: PhotoFace
    image: np.ndarray
    problem: str
    main: bool


@dataclass(frozen=True, eq=False)
class FoundFaces:
    """The faces of a photo of (height, width), the largest first."""

    name: str
    height: int
    width: int
    faces: tuple[FoundFace, ...]

    @property
    def main(self) -> FoundFace:
        """The largest central face. Raises FacesError where the photo shows none."""
        for face in self.faces:
            if face.main:
                return face
        raise FacesError(f"{self.name}: no face was found; give a photo of a face turned to the camera")


@dataclass(frozen=True)
class Comparison:
    """Two embeddings compared. statement: the answer in words, as `faces match` prints it."""

    similarity: float
    same: bool
    threshold: Threshold
    interval: tuple[float, float] | None
    strangers: int
    statement: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class MatchedPhotos:
    """Two photos compared. best: the faces of the deciding pair. pairs: how many pairs of faces were compared.

    far_bound: how often at most photos of different people match, of which so many pairs are compared.
    """

    first: FoundFaces
    second: FoundFaces
    comparison: Comparison
    best: tuple[int, int]
    pairs: int
    far_bound: float


class Recognizer:
    """The network, its thresholds, the detector and the decoder. Not safe to call from several threads."""

    def __init__(self, network: str, decoder: Decoder, gate: QualityGate | None = None) -> None:
        """Open the network and its calibration. Raises FacesError where one is missing."""
        self.embedder = open_embedder(network)
        assert self.embedder.folder is not None
        self.calibration: ThresholdCalibration = read_thresholds(self.embedder.folder, self.embedder.fingerprint)
        self.preparation = input_preparation(self.embedder, [], EmbedOptions(align=True))
        if self.calibration.preparation not in (None, self.preparation):
            raise FacesError(
                f"{network}: its thresholds come from images {self.calibration.preparation}, but photos are "
                f"{self.preparation} here: calibrate it with `faces verify --align`"
            )
        size, template, margin = self.preparation.size, self.preparation.template, self.preparation.margin
        assert size is not None
        assert template is not None
        assert margin is not None
        detector = cast(DetectorName, self.preparation.detector)
        self.align = AlignSettings(size, template, margin, detector=detector)
        self.detector = photo_detector(self.align)
        self.decoder, self.gate = decoder, gate or QualityGate()

    def detect(self, upload: Upload) -> FoundFaces:
        """Decode a photo and find its faces. Raises ImageError where it is none."""
        image = self.decoder.decode(upload.content, upload.name)
        faces = find_faces(image, self.align, self.detector)
        height, width = image.shape[:2]
        chosen = choose_face(faces, width, height)
        found = tuple(self._found(face, face is chosen, len(faces)) for face in faces[:MAX_FACES])
        return FoundFaces(upload.name, height, width, found)

    def _found(self, face: PhotoFace, main: bool, count: int) -> FoundFace:
        aligned = fit_image(face.aligned, self.embedder.size, "crop")
        problem = self.gate.objection(AlignedFace(Path(), aligned, face, count))
        return FoundFace(face, aligned, problem, main)

    def embed(self, faces: Sequence[FoundFace]) -> np.ndarray:
        """Return the embeddings of faces, (N, D) float32 of length 1, as the thresholds were calibrated."""
        if not faces:
            return np.empty((0, 0), np.float32)
        images = np.stack([face.image for face in faces])
        return self.embedder.embed(images, self.calibration.flip, self.calibration.zooms)

    def compare(self, first: np.ndarray, second: np.ndarray, far: float | None = None) -> Comparison:
        """Compare two embeddings (D,) at the threshold of the EER, or of a FAR that was calibrated."""
        return self.judge(float(first.astype(np.float64) @ second.astype(np.float64)), far)

    def judge(self, similarity: float, far: float | None = None) -> Comparison:
        """Compare a similarity with a threshold, and put the answer into words."""
        threshold = self.calibration.for_far(far)
        similarity = float(np.clip(similarity, -1, 1))
        return Comparison(
            similarity,
            similarity >= threshold.value,
            threshold,
            self.calibration.far_interval(threshold) if threshold.far else None,
            self.calibration.strangers_above(similarity),
            tuple(describe_match(similarity, threshold, self.calibration)),
        )

    def match(self, first: Upload, second: Upload, far: float | None) -> "MatchedPhotos":
        """Compare every face of one photo with every face of another: the most similar pair decides.

        Raises FacesError where one shows no face.
        """
        threshold = self.calibration.for_far(far)
        photos = (self.detect(first), self.detect(second))
        chosen = [[photo.main] if len(photo.faces) < 2 else photo.faces for photo in photos]
        vectors = [self.embed(faces) for faces in chosen]
        table = vectors[0].astype(np.float64) @ vectors[1].astype(np.float64).T
        match = PhotoMatch((Path(first.name), Path(second.name)), table, threshold, self.calibration)
        one, other = match.best
        comparison = self.compare(vectors[0][one], vectors[1][other], far)
        return MatchedPhotos(photos[0], photos[1], comparison, match.best, table.size, match.far_bound)

    def detect_all(self, uploads: Sequence[Upload]) -> list[FoundFaces | ImageError]:
        """Find the faces of several photos; of one that cannot be read its error."""
        found: list[FoundFaces | ImageError] = []
        for upload in uploads:
            try:
                found.append(self.detect(upload))
            except ImageError as error:
                found.append(error)
        return found


def data_url(image: np.ndarray) -> str:
    """Return an image (H, W, 3) uint8 as a JPEG in a data URL."""
    file = BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=90)
    return "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode()
