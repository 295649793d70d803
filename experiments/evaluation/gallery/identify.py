"""Who of a gallery each face of a photo shows: the most similar template, or unknown if none is similar enough."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, isfinite, log10
from pathlib import Path
from typing import Any

import numpy as np

from experiments.data.align.photo import PhotoFace, describe_face, face_as_json, load_photo
from experiments.data.images import load_images
from experiments.data.photo_files import annotated_paths, expand_photos
from experiments.errors import FacesError
from experiments.evaluation.embedding import (
    files_preparation,
    input_preparation,
    read_photo_faces,
    require_same_preparation,
)
from experiments.evaluation.gallery.calibrate import SEARCHES, SearchCalibration, read_search_calibration
from experiments.evaluation.gallery.database import Location
from experiments.evaluation.gallery.snapshot import Gallery
from experiments.evaluation.gallery.store import GalleryStore
from experiments.evaluation.thresholds import THRESHOLDS, ThresholdCalibration, read_thresholds
from experiments.files import refuse_overwriting_input, write_csv
from experiments.inference.embedder import Embedder
from experiments.inference.networks import open_embedder
from experiments.progress import say

UNKNOWN = "unknown"
DEFAULT_FAR = 0.01
CSV_COLUMNS = ("image", "face", "name", "rank", "candidate", "similarity", "left", "top", "right", "bottom")

Candidates = tuple[tuple[str, float], ...]


@dataclass(frozen=True)
class Answer:
    """What a gallery says of a face of a photo.

    name: the person, or "unknown". candidates: the most similar people with their similarities, the most similar first;
    empty where no face was found, as `remark` says then. number: of the face in its photo, the largest is 1. face:
    where it is; None where photos are taken as they are, without detection. known: whether a person is named.
    """

    image: Path
    name: str
    candidates: Candidates = ()
    remark: str = ""
    number: int = 1
    face: PhotoFace | None = None
    known: bool = False

    def line(self) -> str:
        """The answer for people, without the photo."""
        listed = ", ".join(f"{person} {score:.3f}" for person, score in self.candidates)
        return self.name + f" ({listed})" * bool(listed) + f"; {self.remark}" * bool(self.remark)

    def rows(self) -> list[dict[str, object]]:
        """A row of the table per candidate; one without them where no face was found."""
        empty: dict[str, object] = {**dict.fromkeys(CSV_COLUMNS, ""), "image": str(self.image), "name": self.name}
        if not self.candidates:
            return [empty]
        if self.face is not None:
            box = (round(float(value), 2) for value in self.face.box)
            empty |= dict(zip(CSV_COLUMNS[-4:], box, strict=True))
        ranked = enumerate(self.candidates, 1)
        return [
            empty | {"face": self.number, "rank": rank, "candidate": who, "similarity": f"{score:.6f}"}
            for rank, (who, score) in ranked
        ]

    def as_json(self) -> dict[str, Any]:
        """The answer for programs: name, null for a stranger; candidates; box, score and quality of the face."""
        candidates = [{"name": who, "similarity": round(score, 6)} for who, score in self.candidates]
        about = {} if self.face is None else face_as_json(self.face)
        return {"name": self.name if self.known else None, "candidates": candidates, **about}


@dataclass(frozen=True)
class DecisionThreshold:
    """A similarity below which a face is unknown; basis: where it comes from, in words."""

    value: float
    basis: str


@dataclass(frozen=True)
class Identification:
    """The answers of a search, a photo's next to one another, with the threshold that they were given at."""

    answers: list[Answer]
    threshold: float
    people: int

    def as_json(self) -> dict[str, Any]:
        """All answers for programs, by photo; a photo without a face has an empty list."""
        photos: dict[Path, list[dict[str, Any]]] = {}
        for answer in self.answers:
            photos.setdefault(answer.image, []).extend([answer.as_json()] if answer.candidates else [])
        listed = [{"photo": str(path), "faces": faces} for path, faces in photos.items()]
        return {"threshold": self.threshold, "people": self.people, "photos": listed}


def identify(
    run: Path,
    file: Location,
    photos: Sequence[Path],
    top: int = 3,
    threshold: float | None = None,
    far: float = DEFAULT_FAR,
    approximate: bool | None = None,
    out: Path | None = None,
    allow_laxer: bool = False,
    largest: bool = False,
    annotate: Path | None = None,
) -> Identification:
    """Print who each face of each photo shows, and the `top` most similar people. Folders are searched.

    Below the threshold (calibrated, so that at most `far` of the strangers are named, unless given) a face is unknown.
    out: a CSV of the answers. annotate: a folder for the photos with boxes and names. largest: the largest central face
    of a photo alone. approximate: see `GalleryStore.search`.

    Raises FacesError for a gallery that another network made, for photos prepared otherwise than the gallery's images,
    for a `far` that the calibration cannot support (see `choose_threshold`), and for a photo that cannot be read.
    """
    if threshold is not None and not isfinite(threshold):
        raise FacesError(f"--threshold {threshold}: expected a similarity from -1 to 1")
    paths = expand_photos(photos)
    if out is not None:
        refuse_overwriting_input(out, [file, *paths])
    targets = annotated_paths(paths, annotate, photos) if annotate is not None else {}
    embedder = open_embedder(run)
    with GalleryStore.open(file, embedder.fingerprint) as gallery:
        if not (people := gallery.count()):
            raise FacesError(f"{gallery.title}: the gallery is empty: enroll people with `faces gallery enroll --add`")
        if annotate is not None and not gallery.options.align:
            raise FacesError(
                f"--annotate {annotate}: {gallery.title} is of images that are taken as they are, without "
                "detection, so there are no boxes to draw: leave it out, or enroll photos with --align"
            )
        calibrated = threshold is None
        if threshold is None:
            chosen = choose_threshold(embedder, gallery, far, allow_laxer)
            threshold = chosen.value
            say(f"threshold {threshold:.4f} for {people} {'person' if people == 1 else 'people'}: {chosen.basis}")
        images, probes = _read_probes(paths, embedder, gallery, largest)
        named: list[tuple[str, Candidates]] = []
        if len(images):
            embeddings = embedder.embed(images, gallery.options.flip, gallery.options.zooms)
            named = name_probes(gallery, embeddings, threshold, top, approximate)
    answers = _answers(paths, probes, named, threshold)
    _print(paths, answers)
    if calibrated and len(named) > len(paths):
        say(f"note: {len(named)} faces were searched for; of as many strangers, {far * len(named):.2g} would be named")
    for path, target in targets.items():
        _draw(path, [answer for answer in answers if answer.image == path], target)
    if out is not None:
        write_csv(out, [row for answer in answers for row in answer.rows()], CSV_COLUMNS)
        say(f"{out}: a row for each candidate of each face")
    if annotate is not None:
        say(f"{annotate}: the photos with boxes and names")
    return Identification(answers, threshold, people)


@dataclass(frozen=True)
class _Probe:
    """A face that is searched for, and the photo that it is of."""

    path: Path
    number: int
    face: PhotoFace | None
    remark: str = ""


def _answers(
    paths: Sequence[Path], probes: Sequence[_Probe], named: Sequence[tuple[str, Candidates]], threshold: float
) -> list[Answer]:
    """Return the answers in the order of the photos; one without candidates for a photo without a face."""
    found: dict[Path, list[Answer]] = {path: [] for path in paths}
    for probe, (name, candidates) in zip(probes, named, strict=True):
        known = bool(candidates) and candidates[0][1] >= threshold
        found[probe.path].append(Answer(probe.path, name, candidates, probe.remark, probe.number, probe.face, known))
    return [
        answer for path in paths for answer in found[path] or [Answer(path, UNKNOWN, remark="no face found", number=0)]
    ]


def _print(paths: Sequence[Path], answers: Sequence[Answer]) -> None:
    """Print a line for each photo, and one for each face of a photo with several."""
    for path in paths:
        of_photo = [answer for answer in answers if answer.image == path]
        if len(of_photo) == 1:
            say(f"{path}: {of_photo[0].line()}")
            continue
        say(f"{path}: {len(of_photo)} faces")
        for answer in of_photo:
            assert answer.face is not None
            say(f"  {answer.number}: {answer.line()}; {describe_face(answer.face)}")


def _draw(path: Path, answers: Sequence[Answer], target: Path) -> None:
    """Store a photo with a box around each face, and the name in it."""
    from experiments.plots.boxes import CHOSEN, OTHER, Box, write_boxes  # matplotlib, which naming does not need

    target.parent.mkdir(parents=True, exist_ok=True)
    boxes = [
        Box(one.face.box, f"{one.number}: {one.name}", CHOSEN if one.known else OTHER)
        for one in answers
        if one.face is not None
    ]
    write_boxes(load_photo(path), boxes, target)


def choose_threshold(
    embedder: Embedder, gallery: Gallery | GalleryStore, far: float = DEFAULT_FAR, allow_laxer: bool = False
) -> DecisionThreshold:
    """Return the calibrated similarity from which this gallery names at most a fraction `far` of the strangers.

    That of whole searches, where `faces gallery calibrate` has stored them. Else of pairs: a stranger is compared with
    everybody, so the FAR of a single comparison must be `far` divided by the number of people (Bonferroni's bound).

    Raises FacesError where the calibration is too small to support `far`, with the smallest that it can support;
    `allow_laxer` takes that one instead. Also where the embeddings were calibrated with other options, or on images
    prepared otherwise, than the gallery's.
    """
    if not 0 < far < 1:
        raise FacesError(f"--far {far:g}: expected a fraction between 0 and 1, such as 0.01")
    assert embedder.folder is not None
    people = gallery.count()
    if searches := read_search_calibration(embedder.folder, embedder.fingerprint):
        _refuse_other_options(embedder.folder / SEARCHES, gallery, searches, "faces gallery calibrate")
        far = _supported(far, searches.min_far(people), f"{searches.people:,} people", people, allow_laxer)
        basis = f"a stranger named in {far:.2%} of searches, calibrated on {searches.people:,} other people"
        return DecisionThreshold(searches.threshold(people, far), basis)
    calibration = read_thresholds(embedder.folder, embedder.fingerprint)
    _refuse_other_options(embedder.folder / THRESHOLDS, gallery, calibration, "faces verify")
    points = calibration.by_far()
    smallest = points[0][0] * people if points else 1.0
    far = _supported(far, smallest, f"{calibration.impostor:,} pairs of different people", people, allow_laxer)
    points = [(target, point) for target, point in points if target * people <= far * (1 + 1e-9)]
    point = points[-1][1] if points else calibration.for_far()
    return DecisionThreshold(
        point.value, f"{point.name.upper()} of single comparisons; `faces gallery calibrate` measures whole searches"
    )


def _supported(far: float, smallest: float, calibrated_on: str, people: int, allow_laxer: bool) -> float:
    """`far`, or the smallest FAR that the calibration supports where a laxer one is allowed."""
    if far >= smallest * (1 - 1e-9):
        return far
    if allow_laxer:
        say(f"note: --far {far:g} is not supported by {calibrated_on}: a stranger may be named more often")
        return smallest
    usable = _round_up(smallest)
    can = f"the smallest that they support is {usable:g}: give --far {usable:g}" if usable < 1 else "they support none"
    raise FacesError(
        f"--far {far:g}: calibrated on {calibrated_on}, too few to measure it for a gallery of {people:,}: {can}, "
        "calibrate on more people (`faces gallery calibrate`), or give --allow-laxer"
    )


def _round_up(value: float) -> float:
    """The next value with two significant digits, so that it can be typed."""
    unit = 10.0 ** (ceil(log10(value)) - 2)
    return ceil(value / unit - 1e-9) * unit


def _refuse_other_options(
    path: Path, gallery: Gallery | GalleryStore, calibrated: SearchCalibration | ThresholdCalibration, command: str
) -> None:
    options = gallery.options
    if (calibrated.flip, calibrated.zooms) != (options.flip, options.zooms):
        raise FacesError(
            f"{path}: calibrated with {_describe(calibrated.flip, calibrated.zooms)}, and the gallery is of "
            f"{_describe(options.flip, options.zooms)}, whose similarities are others: `{command}` with the gallery's, "
            "enroll again, or give --threshold"
        )
    if gallery.preparation is not None:
        require_same_preparation(gallery.preparation, calibrated.preparation, str(path), options.align)


def _describe(flip: bool, zooms: Sequence[float]) -> str:
    return f"{'flip' if flip else 'no flip'} and zooms {' '.join(f'{zoom:g}' for zoom in zooms)}"


def _read_probes(
    paths: Sequence[Path], embedder: Embedder, gallery: Gallery | GalleryStore, largest: bool
) -> tuple[np.ndarray, list[_Probe]]:
    """Return the faces (N, H, W, 3) and which photo each is of; photos are taken whole if the gallery's images are."""
    if not gallery.options.align:
        files_preparation(paths, gallery.preparation, "the gallery")
        return load_images(paths, embedder.size, "crop"), [_Probe(path, 1, None) for path in paths]
    preparation = gallery.preparation or input_preparation(embedder, paths, gallery.options)
    probes: list[_Probe] = []
    images = [np.empty((0, *embedder.size, 3), np.uint8)]
    for photo in read_photo_faces(embedder, paths, preparation, largest):
        several = f"{photo.found} faces, only the largest central one was searched for"
        remark = several if largest and photo.found > 1 else ""
        probes += [_Probe(photo.path, number, face, remark) for number, face in enumerate(photo.faces, 1)]
        images.append(photo.inputs)
    return np.concatenate(images), probes


def name_probes(
    gallery: Gallery | GalleryStore,
    probes: np.ndarray,
    threshold: float,
    top: int = 1,
    approximate: bool | None = None,
) -> list[tuple[str, Candidates]]:
    """Name each probe (P, D), or "unknown" below the threshold; and list the `top` candidates with similarities.

    approximate: see `GalleryStore.search`.
    """
    candidates = [
        tuple((match.name, match.similarity) for match in row) for row in gallery.search(probes, top, approximate)
    ]
    return [(best[0][0] if best and best[0][1] >= threshold else UNKNOWN, best) for best in candidates]
