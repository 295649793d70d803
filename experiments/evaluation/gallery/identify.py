"""Which person of a gallery is on a photo, or nobody: the most similar template, if it is similar enough."""

from collections.abc import Sequence
from dataclasses import dataclass
from glob import glob
from math import ceil, isfinite, log10
from pathlib import Path

import numpy as np

from experiments.data.folders import files_under, is_image, natural_key, other_files, require_utf8
from experiments.data.images import load_images
from experiments.errors import FacesError
from experiments.evaluation.embedding import (
    align_images,
    files_preparation,
    input_preparation,
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

NOBODY = "nobody"
DEFAULT_FAR = 0.01
CSV_COLUMNS = ("image", "name", "rank", "candidate", "similarity")


@dataclass(frozen=True)
class Answer:
    """What a gallery says of a photo.

    name: the person, or "nobody". candidates: the most similar people with their similarities, the most similar first;
    empty where no face was found, as `remark` says then.
    """

    image: Path
    name: str
    candidates: tuple[tuple[str, float], ...] = ()
    remark: str = ""


@dataclass(frozen=True)
class DecisionThreshold:
    """A similarity below which the answer is nobody; basis: where it comes from, in words."""

    value: float
    basis: str


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
) -> list[Answer]:
    """Print who is on each photo, and the `top` most similar people; with `out` also as a CSV. Folders are searched.

    Below the threshold (calibrated, so that at most `far` of the strangers are named, unless given) it is nobody.
    Raises FacesError for a gallery that another network made, for photos prepared otherwise than the gallery's images,
    for a `far` that the calibration cannot support (see `choose_threshold`), and for a photo that cannot be read.
    approximate: see `GalleryStore.search`.
    """
    if threshold is not None and not isfinite(threshold):
        raise FacesError(f"--threshold {threshold}: expected a similarity from -1 to 1")
    paths = expand_photos(photos)
    if out is not None:
        refuse_overwriting_input(out, [file, *paths])
    embedder = open_embedder(run)
    with GalleryStore.open(file, embedder.fingerprint) as gallery:
        if not (people := gallery.count()):
            raise FacesError(f"{gallery.title}: nobody is enrolled: `faces gallery enroll` people, with --add")
        if threshold is None:
            chosen = choose_threshold(embedder, gallery, far, allow_laxer)
            threshold = chosen.value
            say(f"threshold {threshold:.4f} for {people} {'person' if people == 1 else 'people'}: {chosen.basis}")
        images, rows, remarks = _read_probes(paths, embedder, gallery)
        found = {}
        if len(images):
            probes = embedder.embed(images, gallery.options.flip, gallery.options.zooms)
            found = dict(zip(rows, name_probes(gallery, probes, threshold, top, approximate), strict=True))
    result = []
    for row, path in enumerate(paths):
        name, candidates = found.get(row, (NOBODY, ()))
        result.append(Answer(path, name, candidates, remarks.get(row, "")))
        listed = ", ".join(f"{person} {score:.3f}" for person, score in candidates)
        say(f"{path}: {name}" + f" ({listed})" * bool(listed) + f"; {remarks.get(row)}" * (row in remarks))
    if out is not None:
        write_csv(out, [row for answer in result for row in _csv_rows(answer)], CSV_COLUMNS)
    return result


def expand_photos(photos: Sequence[Path]) -> list[Path]:
    """List the photos that are meant, each once: files as they are, all images in folders, those that match patterns.

    Raises FacesError for what is missing or not a regular file, for folders without images, and for patterns that match
    nothing.
    """
    photos = [path for photo in photos for path in _expand_pattern(photo)]
    if missing := [path for path in photos if not path.is_file() and not path.is_dir()]:
        what = "not a regular file" if missing[0].exists() else "no such photo"
        raise FacesError(f"{missing[0]}: {what} ({len(missing)} of {len(photos)} cannot be used); check the path")
    paths: list[Path] = []
    for photo in photos:
        if not photo.is_dir():
            paths.append(photo)
            continue
        found = [path for path in files_under(photo) if is_image(path) and path.is_file()]
        if not found:
            raise FacesError(f"{photo}: no images in it or its folders; expected photos{other_files(photo)}")
        paths += found
    for path in paths:
        require_utf8(path)
    return list(dict.fromkeys(paths))


def _expand_pattern(photo: Path) -> list[Path]:
    """What a pattern such as *.jpg matches, which shells other than Unix ones leave as it is; else the path itself."""
    if photo.exists() or not set("*?[") & set(str(photo)):
        return [photo]
    found = sorted(map(Path, glob(str(photo), recursive=True)), key=lambda path: (str(path.parent), natural_key(path)))
    if not found:
        raise FacesError(f"{photo}: no file matches this pattern; check the path")
    return found


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
    paths: Sequence[Path], embedder: Embedder, gallery: Gallery | GalleryStore
) -> tuple[np.ndarray, list[int], dict[int, str]]:
    """The faces (N, H, W, 3), the row of the photo that each is of, and remarks on photos by row."""
    if not gallery.options.align:
        files_preparation(paths, gallery.preparation, "the gallery")
        return load_images(paths, embedder.size, "crop"), list(range(len(paths))), {}
    preparation = gallery.preparation or input_preparation(embedder, paths, gallery.options)
    found = align_images(embedder, paths, preparation)
    remarks = {
        row: "no face found" if one.face is None else f"{one.faces} faces, only the largest central one was identified"
        for row, one in enumerate(found)
        if one.face is None or one.faces > 1
    }
    rows = [row for row, one in enumerate(found) if one.face is not None]
    return np.stack([found[row].image for row in rows]) if rows else np.empty(0), rows, remarks


def _csv_rows(answer: Answer) -> list[dict[str, object]]:
    """A row per candidate, or one without where no face was found."""
    common = {"image": str(answer.image), "name": answer.name}
    ranked = enumerate(answer.candidates, 1)
    rows = [{**common, "rank": n, "candidate": who, "similarity": f"{score:.6f}"} for n, (who, score) in ranked]
    return rows or [{**common, "rank": "", "candidate": "", "similarity": ""}]


def name_probes(
    gallery: Gallery | GalleryStore,
    probes: np.ndarray,
    threshold: float,
    top: int = 1,
    approximate: bool | None = None,
) -> list[tuple[str, tuple[tuple[str, float], ...]]]:
    """Name each probe (P, D), or "nobody" below the threshold; and list the `top` candidates with similarities.

    approximate: see `GalleryStore.search`.
    """
    candidates = [
        tuple((match.name, match.similarity) for match in row) for row in gallery.search(probes, top, approximate)
    ]
    return [(best[0][0] if best and best[0][1] >= threshold else NOBODY, best) for best in candidates]
