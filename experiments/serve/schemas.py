"""What the API answers, with an example of each."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from experiments.evaluation.thresholds import Threshold
from experiments.serve.recognizer import Comparison, FoundFace, FoundFaces, data_url

Rate = Annotated[float, Field(ge=0, le=1)]
Point = Annotated[list[float], Field(min_length=2, max_length=2)]


def _example(**values: Any) -> ConfigDict:
    return ConfigDict(json_schema_extra={"examples": [values]})


BOX = {"left": 84.2, "top": 60.9, "right": 171.5, "bottom": 180.3}
FACE = {
    "box": BOX,
    "score": 0.93,
    "landmarks": [[106.1, 107.4], [148.9, 106.8], [127.2, 131.0], [110.0, 152.6], [146.3, 152.1]],
    "side": 102.1,
    "main": True,
    "quality": 0.81,
    "weakest": "sharpness",
    "problem": "",
    "crop": None,
}
THRESHOLD = {"name": "far 0.001", "value": 0.3355, "false_match_rate": 0.001, "false_non_match_rate": 0.0107}


class ErrorDetail(BaseModel):
    """code: for programs. message: for people, the words of the command line."""

    code: str
    message: str


class ErrorAnswer(BaseModel):
    """Why a request was refused."""

    model_config = _example(
        error={"code": "unusable", "message": "first: no face was found; give a photo of a face turned to the camera"}
    )
    error: ErrorDetail


class Health(BaseModel):
    """The server answers, and with which network."""

    model_config = _example(status="ok", version="0.1.0", network="sface", waiting=0)
    status: str
    version: str
    network: str
    waiting: int = Field(description="Requests that wait for the network.")


class Box(BaseModel):
    """A face's box, in the pixels of the upright photo."""

    left: float
    top: float
    right: float
    bottom: float


class FaceAnswer(BaseModel):
    """A face of a photo."""

    model_config = _example(**FACE)
    box: Box
    score: Rate = Field(description="How sure the detector is.")
    landmarks: list[Point] = Field(
        min_length=5,
        max_length=5,
        description="Left and right eye as seen in the photo, nose, left and right corner of the mouth: x, y.",
    )
    side: float = Field(description="Side in pixels of a square with the box's area.")
    main: bool = Field(description="Whether this is the largest central face, which embed takes.")
    quality: Rate = Field(description="How usable the face is: size, sharpness, pose, exposure and score together.")
    weakest: str = Field(description="The lowest of these five measures.")
    problem: str = Field(description="Why this face should not be enrolled; empty where it is good enough.")
    crop: str | None = Field(default=None, description="The aligned face as a data URL, where `crops` asks for it.")

    @classmethod
    def of(cls, found: FoundFace, crops: bool) -> "FaceAnswer":
        """Put a face into an answer."""
        left, top, right, bottom = (float(value) for value in found.face.box)
        return cls(
            box=Box(left=left, top=top, right=right, bottom=bottom),
            score=min(1.0, max(0.0, found.face.score)),
            landmarks=found.face.landmarks.tolist(),
            side=found.face.side,
            main=found.main,
            quality=min(1.0, max(0.0, found.face.quality.score)),
            weakest=found.face.quality.weakest,
            problem=found.problem,
            crop=data_url(found.image) if crops else None,
        )


class PhotoAnswer(BaseModel):
    """A photo's faces, the largest first; or why it could not be read."""

    model_config = _example(photo="group.jpg", width=256, height=256, faces=[FACE], error=None)
    photo: str
    width: int
    height: int
    faces: list[FaceAnswer]
    error: str | None = None

    @classmethod
    def of(cls, found: FoundFaces, crops: bool) -> "PhotoAnswer":
        """Put a photo's faces into an answer."""
        faces = [FaceAnswer.of(face, crops) for face in found.faces]
        return cls(photo=found.name, width=found.width, height=found.height, faces=faces)


class DetectAnswer(BaseModel):
    """The faces of each photo, in the order in which they were sent."""

    photos: list[PhotoAnswer]


class ThresholdAnswer(BaseModel):
    """A similarity from which two photos count as one person, with its measured error rates."""

    model_config = _example(**THRESHOLD)
    name: str
    value: float
    false_match_rate: Rate
    false_non_match_rate: Rate

    @classmethod
    def of(cls, threshold: Threshold) -> "ThresholdAnswer":
        """Put a threshold into an answer."""
        return cls(
            name=threshold.name,
            value=threshold.value,
            false_match_rate=threshold.far,
            false_non_match_rate=threshold.frr,
        )


class CalibrationAnswer(BaseModel):
    """The thresholds that can be asked for, and what they were measured on."""

    network: str
    pairs: str = Field(description="The pairs that the network was calibrated on.")
    same: int = Field(description="Pairs of one person.")
    different: int = Field(description="Pairs of different people.")
    thresholds: list[ThresholdAnswer]


class ComparisonAnswer(BaseModel):
    """How similar two faces are, and what that means."""

    similarity: float = Field(ge=-1, le=1, description="Cosine of the two embeddings.")
    same_person: bool
    threshold: ThresholdAnswer
    false_match_interval: list[Rate] | None = Field(description="95 % interval of the false-match rate.")
    different_people_above: int = Field(
        description="How many calibration pairs of different people were as similar as this."
    )
    statement: list[str] = Field(description="The answer in words.")

    @classmethod
    def values(cls, found: Comparison) -> dict[str, Any]:
        """Return the fields of a comparison."""
        return {
            "similarity": found.similarity,
            "same_person": found.same,
            "threshold": ThresholdAnswer.of(found.threshold),
            "false_match_interval": None if found.interval is None else list(found.interval),
            "different_people_above": found.strangers,
            "statement": list(found.statement),
        }


class MatchAnswer(ComparisonAnswer):
    """Whether one person is on two photos: every face of one is compared with every face of the other."""

    model_config = _example(
        similarity=0.7421,
        same_person=True,
        threshold=THRESHOLD,
        false_match_interval=[0.0002, 0.0029],
        different_people_above=0,
        statement=["ONE PERSON: similarity 0.7421, at least the threshold 0.3355 (FAR 0.001)"],
        pairs=1,
        false_match_bound=0.001,
        best=[0, 0],
        first={"photo": "anna1.jpg", "width": 256, "height": 256, "faces": [FACE], "error": None},
        second={"photo": "anna2.jpg", "width": 256, "height": 256, "faces": [FACE], "error": None},
    )
    pairs: int = Field(ge=1, description="Pairs of faces that were compared; the most similar one decides.")
    false_match_bound: Rate = Field(
        description="How often at most photos of different people match, where so many pairs are compared."
    )
    best: list[int] = Field(min_length=2, max_length=2, description="The faces of the deciding pair, from 0.")
    first: PhotoAnswer
    second: PhotoAnswer


class EmbeddedFace(FaceAnswer):
    """A face with its embedding."""

    model_config = _example(**FACE, embedding=[0.0421, -0.1187, 0.0032])
    embedding: list[float] = Field(description="Numbers of length 1; a cosine compares two of one network.")


class EmbeddedPhoto(BaseModel):
    """A photo's faces with their embeddings; or why it could not be read."""

    photo: str
    faces: list[EmbeddedFace]
    error: str | None = None


class EmbedAnswer(BaseModel):
    """The embeddings of each photo's faces. network: the fingerprint that embeddings to be compared must share."""

    network: str
    photos: list[EmbeddedPhoto]
