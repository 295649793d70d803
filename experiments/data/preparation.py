"""How images were prepared before anything read them: the settings of `faces align`, and the record of them.

A network works best on images prepared as those that it learned from. So `faces align` writes `prepared.json` into its
folder, `faces data pack` copies it, and runs, galleries and thresholds keep a copy: commands that combine two of them
compare the records. Images aligned by another program are described by the same file, written by hand.
"""

import json
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from experiments.errors import FacesError, expected_words
from experiments.files import read_json, write_json

PREPARED = "prepared.json"
"""The record's file, in the topmost folder of the images that it describes."""

DetectorName = Literal["mtcnn", "yunet"]
"""The detectors of `faces align`, as it records them: MTCNN of facenet-pytorch, and OpenCV's YuNet."""

MAX_LEVELS = 5
"""How many folders above an image are searched for its record."""

Template = Literal["five-point", "margin"]


class Preparation(BaseModel):
    """How images were prepared; without a detector they are as they are.

    detector: the program that found the faces. template: "five-point" for ArcFace's five landmarks, "margin" for an
    upright square around the face. size: pixels a side. margin: how much wider the image is than the template, or than
    the face's box, as a fraction of it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    detector: str | None = Field(default=None, min_length=1, max_length=80)
    template: Template | None = None
    size: int | None = Field(default=None, ge=8, le=4096)
    margin: float | None = Field(default=None, ge=0, le=4, allow_inf_nan=False)

    @model_validator(mode="after")
    def _all_or_none(self) -> "Preparation":
        if len({value is None for value in (self.detector, self.template, self.size, self.margin)}) == 2:
            raise ValueError("expected detector, template, size and margin, or none of them")
        return self

    @property
    def aligned(self) -> bool:
        """Whether faces were aligned; otherwise the images are as they are."""
        return self.detector is not None

    def __str__(self) -> str:
        if not self.aligned:
            return "as they are"
        margin = f", margin {self.margin:g}" if self.margin else ""
        return f"aligned ({self.detector}, {self.template}, {self.size} px{margin})"

    def command(self, source: Path) -> str:
        """The command that prepares the images of a folder in this way."""
        target = source.with_name(f"{source.absolute().name}-aligned")
        options = [f"--size {self.size}"]
        if self.detector == "yunet":
            options.append("--detector yunet")
        if self.template != "five-point":
            options.append(f"--crop {self.template}")
        options.append(f"--margin {self.margin:g}" if self.margin or self.template != "five-point" else "")
        return " ".join(["faces align", shlex.quote(str(source)), shlex.quote(str(target)), *filter(None, options)])


AS_THEY_ARE = Preparation()


def write_preparation(folder: Path, preparation: Preparation) -> None:
    """Store the record in a folder of images."""
    write_json(folder / PREPARED, preparation.model_dump(mode="json"))


def read_preparation(path: Path) -> Preparation:
    """Return how the images of a folder, a pack, or an image file were prepared.

    The record is that of the folder or of the nearest folder above it; without one the images are as they are. A link
    is searched where it is and where it leads. Raises FacesError for a record that cannot be read.
    """
    path = Path(path)
    for start in dict.fromkeys((path.absolute(), path.resolve())):
        for folder in (start, *start.parents)[: 1 + MAX_LEVELS]:
            if (folder / PREPARED).is_file():
                return parse_preparation(read_json(folder / PREPARED), folder / PREPARED)
    return AS_THEY_ARE


def parse_preparation(value: object, where: Path) -> Preparation:
    """Check a stored record. Raises FacesError naming `where` it was read."""
    try:
        return Preparation.model_validate(value)
    except ValidationError as error:
        wrong = error.errors(include_url=False)[0]
        field = "".join(f"{part}: " for part in wrong["loc"])
        example = json.dumps({"detector": "mtcnn", "template": "five-point", "size": 112, "margin": 0})
        raise FacesError(
            f"{where}: {field}{expected_words(wrong)}: give a record such as {example}, or {{}} "
            "for images as they are; correct the file, or align again"
        ) from error


def require_preparation(expected: Preparation | None, path: Path, owner: str) -> Preparation:
    """Raise FacesError where the images at `path` are not prepared as `owner` expects, with the command that helps.

    expected: what `owner` (a run, a gallery, thresholds: as the message names it) recorded; None for one without a
    record, which accepts any images. Returns how the images were prepared.
    """
    found = read_preparation(path)
    if expected is None or found == expected:
        return found
    if expected.detector not in (None, *get_args(DetectorName)):
        remedy = f"align the original images with {expected.detector}, and put {PREPARED} next to them"
    elif expected.aligned:
        remedy = (
            f"run `{expected.command(path)}` and use that folder"
            if not found.aligned
            else f"align the original images again: `{expected.command(Path('ORIGINALS'))}`"
        )
    else:
        remedy = "use the original images, which were not aligned"
    raise FacesError(f"{path}: its images are {found}, but {owner} expects images {expected}: {remedy}")


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
    100. detector: what finds the faces.
    """

    size: int = 112
    crop: Crop = "five-point"
    margin: float = 0.0
    choice: Choice = "central"
    missing: Missing = "crop"
    min_score: float = 0.0
    format: Format = "same"
    quality: int = 98
    detector: DetectorName = "mtcnn"

    def __post_init__(self) -> None:
        kinds = {"crop": Crop, "choice": Choice, "missing": Missing, "format": Format, "detector": DetectorName}
        for name, allowed in kinds.items():
            if getattr(self, name) not in get_args(allowed):
                raise FacesError(f"{name} is {getattr(self, name)!r}, expected one of: {', '.join(get_args(allowed))}")
        for name, low, high in (("size", 8, 4096), ("margin", 0, 4), ("min_score", 0, 1), ("quality", 1, 100)):
            if not low <= getattr(self, name) <= high:
                raise FacesError(f"{name} is {getattr(self, name)}, expected {low} to {high}")

    @property
    def preparation(self) -> Preparation:
        """The record of images aligned with these settings."""
        return Preparation(detector=self.detector, template=self.crop, size=self.size, margin=self.margin)
