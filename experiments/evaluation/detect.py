"""Every face of photos, with box, score and quality: `faces detect`."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from experiments.data.align.photo import (
    MEASURES,
    PhotoFace,
    describe_face,
    face_as_json,
    find_faces,
    load_photo,
    photo_detector,
    rounded,
)
from experiments.data.images import ImageError
from experiments.data.photo_files import annotated_paths, expand_photos
from experiments.data.preparation import AlignSettings, DetectorName
from experiments.errors import FacesError
from experiments.files import refuse_overwriting_input, write_csv
from experiments.plots.boxes import Box, write_boxes
from experiments.progress import say, track

POINTS = ("left_eye", "right_eye", "nose", "left_mouth", "right_mouth")
COLUMNS = (
    "photo", "face", "left", "top", "right", "bottom", "score", "quality", *MEASURES,
    *(f"{name}_{axis}" for name in POINTS for axis in "xy"), "error",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class PhotoRecord:
    """A photo's faces, the largest first, and its size in pixels; error: why it could not be read, or empty."""

    path: Path
    width: int = 0
    height: int = 0
    faces: tuple[PhotoFace, ...] = ()
    error: str = ""

    def lines(self) -> list[str]:
        """What was found, for people."""
        if self.error:
            return [self.error]
        count = len(self.faces)
        lines = [f"{self.path}: {count or 'no'} face{'s' * (count != 1)} ({self.width} x {self.height} pixels)"]
        return lines + [f"  {number}: {describe_face(face)}" for number, face in enumerate(self.faces, 1)]

    def as_json(self) -> dict[str, Any]:
        """What was found, for programs."""
        if self.error:
            return {"photo": str(self.path), "error": self.error}
        faces = [face_as_json(face) for face in self.faces]
        return {"photo": str(self.path), "width": self.width, "height": self.height, "faces": faces}

    def rows(self) -> list[dict[str, object]]:
        """A row of the table for each face; one without numbers where there is no face."""
        empty: dict[str, object] = {**dict.fromkeys(COLUMNS, ""), "photo": str(self.path), "error": self.error}
        rows: list[dict[str, object]] = []
        for number, face in enumerate(self.faces, 1):
            box = dict(zip(("left", "top", "right", "bottom"), rounded(face.box), strict=True))
            points = dict(zip(COLUMNS[-11:-1], rounded(face.landmarks.ravel()), strict=True))
            measures = {name: round(getattr(face.quality, name), 4) for name in MEASURES}
            about = {"face": number, "score": round(face.score, 5), "quality": round(face.quality.score, 4)}
            rows.append(empty | about | box | points | measures)
        return rows or [empty]


def detect(
    photos: Sequence[Path],
    out: Path | None = None,
    annotate: Path | None = None,
    detector: DetectorName = "yunet",
    min_score: float = 0.0,
) -> list[PhotoRecord]:
    """Print every face of each photo; write a CSV to `out`, and photos with boxes into the folder `annotate`.

    Folders are searched, patterns expanded. A photo that cannot be read is listed with the reason. Raises FacesError,
    before anything is written, where none can be read or an output would replace a photo.
    """
    paths = expand_photos(photos)
    if out is not None:
        refuse_overwriting_input(out, paths)
    targets = annotated_paths(paths, annotate, photos) if annotate is not None else {}
    settings = AlignSettings(detector=detector, min_score=min_score)
    find, records = photo_detector(settings), list[PhotoRecord]()
    with track("detecting", len(paths), "photos") as advance:
        for path in paths:
            try:
                image = load_photo(path)
            except ImageError as error:
                if len(paths) == 1:
                    raise
                records.append(PhotoRecord(path, error=str(error)))
            else:
                faces = find_faces(image, settings, find)
                records.append(PhotoRecord(path, image.shape[1], image.shape[0], tuple(faces)))
                if path in targets:
                    targets[path].parent.mkdir(parents=True, exist_ok=True)
                    boxes = [Box(face.box, f"{n}: {face.quality.score:.2f}") for n, face in enumerate(faces, 1)]
                    write_boxes(image, boxes, targets[path])
            for line in records[-1].lines():
                say(line)
            advance(len(records), len(paths))
    bad = sum(bool(record.error) for record in records)
    if bad == len(records):
        raise FacesError(f"none of the {bad} photos can be read; see the lines above")
    say(_summary(records))
    if out is not None:
        write_csv(out, [row for record in records for row in record.rows()], COLUMNS)
        say(f"{out}: a row for each face")
    if annotate is not None:
        say(f"{annotate}: the photos with boxes, each with its number and quality")
    return records


def require_readable(records: Sequence[PhotoRecord]) -> None:
    """Raise FacesError where a photo could not be read, so that the command ends with an error after all others."""
    if bad := [record for record in records if record.error]:
        raise FacesError(f"{len(bad)} of {len(records)} photos cannot be read, the first: {bad[0].error}")


def _summary(records: Sequence[PhotoRecord]) -> str:
    faces = sum(len(record.faces) for record in records)
    empty = sum(not record.faces and not record.error for record in records)
    bad = sum(bool(record.error) for record in records)
    parts = [f"{faces} face{'s' * (faces != 1)} in {len(records)} photo{'s' * (len(records) != 1)}"]
    parts += [f"{empty} without a face"] * bool(empty) + [f"{bad} that cannot be read"] * bool(bad)
    return "; ".join(parts)
