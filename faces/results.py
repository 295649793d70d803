"""What the functions of `faces` return: plain values, frozen, with a short repr."""

from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True, repr=False)
class Face:
    """A face of a photo.

    box: left, top, right, bottom in pixels. score: the detector's, 0 to 1. quality: 0 (useless) to 1 (good). landmarks:
    (x, y) of the eyes, the nose and the corners of the mouth, left to right in the image. aligned: the upright face,
    (S, S, 3) uint8 RGB.
    """

    box: tuple[float, float, float, float]
    score: float
    quality: float
    landmarks: tuple[tuple[float, float], ...]
    aligned: np.ndarray = field(compare=False)

    def __repr__(self) -> str:
        left, top, right, bottom = (round(one) for one in self.box)
        return f"Face({left}, {top}, {right}, {bottom}; score {self.score:.2f}, quality {self.quality:.2f})"


@dataclass(frozen=True, repr=False)
class Match:
    """Whether two photos show one person; `bool(match)` is `match.same`.

    similarity: of the most similar pair of their faces, -1 to 1. threshold: from which it is one person. pairs: how
    many pairs of faces were compared. far: how often at most photos of different people match, from the calibration's
    rate of one pair times `pairs`. first, second: the faces of the pair.
    """

    same: bool
    similarity: float
    threshold: float
    pairs: int
    far: float
    first: Face
    second: Face

    def __bool__(self) -> bool:
        return self.same

    def __repr__(self) -> str:
        answer = "one person" if self.same else "two people"
        return f"Match({answer}: similarity {self.similarity:.3f}, threshold {self.threshold:.3f}, FAR {self.far:.2%})"


@dataclass(frozen=True, repr=False)
class Identity:
    """Who a face of a photo is.

    name: the person, None where nobody of the gallery is similar enough. similarity: to the most similar person.
    candidates: the most similar people with their similarities. face: of the photo.
    """

    name: str | None
    similarity: float
    candidates: tuple[tuple[str, float], ...]
    face: Face

    def __repr__(self) -> str:
        return f"Identity({self.name!r}, similarity {self.similarity:.3f})"
