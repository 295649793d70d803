"""Settings of `faces align`: two jobs with the same settings write the same files."""

from dataclasses import dataclass
from typing import Literal, get_args

from experiments.data.preparation import OUR_DETECTOR, Preparation, Template
from experiments.errors import FacesError

Crop = Template
Choice = Literal["central", "largest", "score"]
Missing = Literal["crop", "skip"]
Format = Literal["same", "jpeg", "png"]


@dataclass(frozen=True)
class AlignSettings:
    """How faces are chosen, cropped and stored.

    size: pixels a side. crop: "five-point" rotates, scales and moves the face so that its landmarks fall on ArcFace's
    template; "margin" crops an upright square around the face's box. margin: how much wider the image is than the
    template, or than the box's longer side, as a fraction of it. choice: which of several faces, see `choose_face`.
    missing: an image without a face is cropped where the faces of its folder usually are ("crop"), or left out
    ("skip"). format: "same" keeps a file's name and stores JPEG as JPEG, everything else as PNG. quality: JPEG's, 1 to
    100.
    """

    size: int = 112
    crop: Crop = "five-point"
    margin: float = 0.0
    choice: Choice = "central"
    missing: Missing = "crop"
    min_score: float = 0.0
    format: Format = "same"
    quality: int = 98

    def __post_init__(self) -> None:
        for name, allowed in (("crop", Crop), ("choice", Choice), ("missing", Missing), ("format", Format)):
            if getattr(self, name) not in get_args(allowed):
                raise FacesError(f"{name} is {getattr(self, name)!r}, expected one of: {', '.join(get_args(allowed))}")
        for name, low, high in (("size", 8, 4096), ("margin", 0, 4), ("min_score", 0, 1), ("quality", 1, 100)):
            if not low <= getattr(self, name) <= high:
                raise FacesError(f"{name} is {getattr(self, name)}, expected {low} to {high}")

    @property
    def preparation(self) -> Preparation:
        """The record of images aligned with these settings."""
        return Preparation(detector=OUR_DETECTOR, template=self.crop, size=self.size, margin=self.margin)
