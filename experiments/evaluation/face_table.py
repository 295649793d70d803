"""Every face of many images as a table: where it is, and its embedding. `faces embed` stores one.

Images that are recorded as prepared for the network are one face each, as they are. In all others faces are detected
and aligned in memory. Unreadable files of a folder are listed and left out.
"""

import json
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np

from experiments.data.align import Face, choose_face
from experiments.data.align.align import align_face
from experiments.data.align.photo import PhotoFace, find_faces, photo_detector
from experiments.data.images import ImageError, available_processors, fit_image, map_in_threads, read_image
from experiments.data.photo_files import expand_photos
from experiments.data.preparation import AlignSettings, DetectorName, Preparation, parse_preparation, read_preparation
from experiments.errors import FacesError
from experiments.evaluation.embedding import EmbedOptions, input_preparation
from experiments.evaluation.thresholds import read_thresholds, thresholds_file
from experiments.files import refuse_overwriting_input
from experiments.inference.embedder import Embedder
from experiments.progress import format_count, say, track
from mytorch.files import atomic_write

FORMAT = "faces embeddings 1"
NPZ, PARQUET = ".npz", ".parquet"
CHUNK = 256
"""Faces that are embedded together."""

MAX_LISTED = 5
"""Images without a face that are named; of more, their number alone."""


@dataclass(frozen=True)
class FaceFilter:
    """Which faces of an image count: all, or the largest central one alone; by least score and side in pixels."""

    largest: bool = False
    min_score: float = 0.0
    min_side: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.min_score <= 1:
            raise FacesError(f"--min-score {self.min_score:g}: expected a score from 0 to 1, such as 0.9")
        if not 0 <= self.min_side < 1e5:
            raise FacesError(f"--min-side {self.min_side:g}: expected a number of pixels, such as 32")

    def __call__(self, faces: Sequence[PhotoFace], width: int, height: int) -> list[PhotoFace]:
        """Return the faces that count, of an image of that size."""
        kept = [face for face in faces if face.score >= self.min_score and face.side >= self.min_side]
        chosen = choose_face(kept, width, height) if self.largest else None
        return [face for face in kept if chosen is None or face is chosen]


@dataclass(frozen=True, eq=False)
class FaceTable:
    """N faces. paths: the image of each. boxes: (N, 4) float32 left, top, right, bottom in pixels of the image.

    landmarks: (N, 5, 2) float32, and scores: (N,) float32, of the detector; NaN for images that were aligned before.
    embeddings: (N, D) float32 of length 1. network: its name; fingerprint: of its weights; options, preparation: how
    its images and embeddings were made.
    """

    paths: tuple[Path, ...]
    boxes: np.ndarray
    landmarks: np.ndarray
    scores: np.ndarray
    embeddings: np.ndarray
    network: str
    fingerprint: str
    options: EmbedOptions
    preparation: Preparation

    def __len__(self) -> int:
        return len(self.paths)

    @property
    def images(self) -> int:
        """How many images have a face."""
        return len(set(self.paths))

    def numbers(self) -> list[int]:
        """Return the number of each face in its image, from 1."""
        seen, numbers = Counter[Path](), list[int]()
        for path in self.paths:
            seen[path] += 1
            numbers.append(seen[path])
        return numbers

    def crop(self, row: int, size: int) -> np.ndarray:
        """Read an image again and return a face as the network was shown it, (size, size, 3) uint8."""
        image = read_image(self.paths[row])
        if not self.options.align:
            return fit_image(image, (size, size), "crop")
        face = Face(self.boxes[row].astype(np.float64), float(self.scores[row]), self.landmarks[row].astype(np.float64))
        return fit_image(align_face(image, face, align_settings(self.preparation)), (size, size), "crop")


def align_settings(preparation: Preparation) -> AlignSettings:
    """Return the settings that align faces as a record says. Raises FacesError for images as they are."""
    if preparation.size is None or preparation.template is None or preparation.margin is None:
        raise FacesError(f"images {preparation} have no template to align faces to: give --no-align")
    detector = cast(DetectorName, preparation.detector)
    return AlignSettings(preparation.size, preparation.template, preparation.margin, detector=detector)


def embed_options(embedder: Embedder, paths: Sequence[Path], align: bool | None, flip: bool | None) -> EmbedOptions:
    """Choose how images are embedded where the user does not: align, and flip and zooms as calibrated, else with flip.

    align None: unless all images are recorded as prepared for the network.
    """
    if align is None:
        folders = {path.absolute().parent for path in paths}
        align = embedder.preparation is None or any(read_preparation(f) != embedder.preparation for f in folders)
    if flip is not None or embedder.folder is None or thresholds_file(embedder.folder) is None:
        return EmbedOptions(align, flip is not False)
    calibration = read_thresholds(embedder.folder, embedder.fingerprint)
    return EmbedOptions(align, calibration.flip, calibration.zooms)


class _Found(NamedTuple):
    """The faces of one image, and what the network is shown of them."""

    faces: Sequence[Face]
    crops: list[np.ndarray]


def embed_faces(
    embedder: Embedder, photos: Sequence[Path], options: EmbedOptions, chosen: FaceFilter | None = None
) -> FaceTable:
    """Embed the faces of images; folders are searched for images. Prints what was left out.

    A file that cannot be read is left out where it was found in a folder. Raises ImageError for one that is named, and
    FacesError where there is no face at all.
    """
    paths = list(dict.fromkeys(expand_photos(photos)))
    named = {photo for photo in photos if not photo.is_dir()}
    preparation = input_preparation(embedder, paths, options)
    search = _Search(embedder, preparation if options.align else None, chosen or FaceFilter(), named)
    faces, owners, parts, waiting = list[Face](), list[Path](), list[np.ndarray](), list[np.ndarray]()
    empty, unreadable = list[Path](), list[str]()

    def embed_waiting() -> None:
        if waiting:
            parts.append(embedder.embed(np.stack(waiting), options.flip, options.zooms))
            waiting.clear()

    with track("embedding", len(paths), "images") as advance:
        workers = 1 if preparation.detector == "mtcnn" else available_processors()
        for done, (path, found) in enumerate(zip(paths, map_in_threads(search, paths, workers), strict=True), 1):
            if isinstance(found, str):
                unreadable.append(found)
            elif not found.faces:
                empty.append(path)
            else:
                faces += found.faces
                owners += [path] * len(found.faces)
                waiting += found.crops
            if len(waiting) >= CHUNK:
                embed_waiting()
            advance(done, len(paths))
        embed_waiting()
    _report(empty, unreadable, len(paths))
    if not faces:
        raise FacesError(
            f"no face in {format_count(len(paths), 'image')}: give photos of faces, or --no-align for aligned ones"
        )
    return FaceTable(
        paths=tuple(owners),
        boxes=np.stack([face.box for face in faces]).astype(np.float32),
        landmarks=np.stack([face.landmarks for face in faces]).astype(np.float32),
        scores=np.array([face.score for face in faces], np.float32),
        embeddings=np.concatenate(parts),
        network=embedder.title,
        fingerprint=embedder.fingerprint,
        options=options,
        preparation=preparation,
    )


class _Search:
    """Finds the faces of an image file, in any thread: a detector is opened for each."""

    def __init__(self, embedder: Embedder, preparation: Preparation | None, chosen: FaceFilter, named: set[Path]):
        self.size, self.chosen, self.named = embedder.size, chosen, named
        self.settings = None if preparation is None else align_settings(preparation)
        self.local = threading.local()
        if self.settings is not None and embedder.size[0] != embedder.size[1]:
            raise FacesError(
                f"the network takes images of {self.size[0]} x {self.size[1]}, and aligned faces are square: no --align"
            )

    def __call__(self, path: Path) -> _Found | str:
        """Return the faces that count, or why the file cannot be read."""
        try:
            image = read_image(path)
        except ImageError as error:
            if path in self.named:
                raise
            return str(error)
        height, width = image.shape[:2]
        if self.settings is None:
            whole = Face(np.array([0.0, 0.0, width, height]), np.nan, np.full((5, 2), np.nan))
            return _Found([whole], [fit_image(image, self.size, "crop")])
        if not hasattr(self.local, "detect"):
            self.local.detect = photo_detector(self.settings)
        faces = self.chosen(find_faces(image, self.settings, self.local.detect), width, height)
        return _Found(faces, [fit_image(face.aligned, self.size, "crop") for face in faces])


def _report(empty: Sequence[Path], unreadable: Sequence[str], images: int) -> None:
    for remark in unreadable:
        say(f"left out {remark}")
    for path in empty[:MAX_LISTED]:
        say(f"left out {path}: no face found")
    if len(empty) > MAX_LISTED:
        say(f"left out: {len(empty):,} of {images:,} images, in which no face was found")


def check_table_path(out: Path, inputs: Sequence[Path] = ()) -> None:
    """Raise FacesError, before anything is computed, where a table cannot be written to `out`."""
    if out.suffix.lower() not in (NPZ, PARQUET):
        raise FacesError(f"{out}: expected a file that ends in {NPZ} or {PARQUET}, such as {out.with_suffix(NPZ)}")
    if out.is_dir():
        raise FacesError(f"{out} is a folder: expected the name of a file")
    if not out.absolute().parent.is_dir():
        raise FacesError(f"{out}: {out.parent} is no folder: make it first")
    if out.suffix.lower() == PARQUET and find_spec("pyarrow") is None:
        raise FacesError(
            f"{out}: Parquet files need pyarrow: `pip install pyarrow`; or give {out.with_suffix(NPZ)}, which NumPy "
            "reads"
        )
    refuse_overwriting_input(out, inputs)


def write_face_table(table: FaceTable, path: Path) -> None:
    """Store a table, whole or not at all: as arrays of NumPy in a .npz, or a row per face in a .parquet.

    Both hold the same; the network, its fingerprint and how the images were made are one JSON text, `about`, in a .npz,
    and the Parquet file's metadata under the key `faces`. The file holds biometric data: only its owner may read it.
    """
    check_table_path(path)
    about = json.dumps(
        {
            "format": FORMAT,
            "network": table.network,
            "fingerprint": table.fingerprint,
            "align": table.options.align,
            "flip": table.options.flip,
            "zooms": table.options.zooms,
            "preparation": table.preparation.model_dump(mode="json"),
        }
    )
    with atomic_write(path, private=True) as temporary:
        if path.suffix.lower() == PARQUET:
            _write_parquet(table, temporary, about)
            return
        with temporary.open("wb") as file:  # given a name, NumPy would append to it
            np.savez(
                file,
                embeddings=table.embeddings,
                paths=np.array([str(one) for one in table.paths]),
                boxes=table.boxes,
                landmarks=table.landmarks,
                scores=table.scores,
                network=np.array(table.network),
                fingerprint=np.array(table.fingerprint),
                about=np.array(about),
            )


def _write_parquet(table: FaceTable, path: Path, about: str) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns: dict[str, Any] = {"path": [str(one) for one in table.paths], "face": table.numbers()}
    columns |= {name: table.boxes[:, place] for place, name in enumerate(("left", "top", "right", "bottom"))}
    columns |= {"score": table.scores, "landmarks": list(table.landmarks.reshape(len(table), 10))}
    columns |= {"embedding": list(table.embeddings)}
    pq.write_table(pa.table(columns).replace_schema_metadata({"faces": about}), path)


def read_face_table(path: Path) -> FaceTable:
    """Read a .npz of `write_face_table`. Raises FacesError where it is missing, damaged, or something else."""
    remedy = "make it again with `faces embed PHOTOS --out FILE.npz`"
    if not path.is_file():
        raise FacesError(f"{path}: no such file: {remedy}")
    try:
        with np.load(BytesIO(path.read_bytes()), allow_pickle=False) as file:
            arrays = {name: file[name] for name in ("embeddings", "paths", "boxes", "landmarks", "scores", "about")}
        about = json.loads(str(arrays["about"]))
        if about["format"] != FORMAT:
            raise ValueError(f"its format is {about['format']!r}, expected {FORMAT!r}")
        preparation = parse_preparation(about["preparation"], path)
        options = EmbedOptions(bool(about["align"]), bool(about["flip"]), tuple(map(float, about["zooms"])))
        table = FaceTable(
            paths=tuple(Path(str(one)) for one in arrays["paths"]),
            **{name: np.asarray(arrays[name], np.float32) for name in ("boxes", "landmarks", "scores", "embeddings")},
            network=str(about["network"]),
            fingerprint=str(about["fingerprint"]),
            options=options,
            preparation=preparation,
        )
    except FacesError:
        raise
    except Exception as error:  # a damaged archive makes zipfile, zlib and NumPy raise nearly anything
        raise FacesError(f"{path}: not a table of faces, or damaged ({error}): {remedy}") from error
    _check_shapes(table, path, remedy)
    return table


def _check_shapes(table: FaceTable, path: Path, remedy: str) -> None:
    count = len(table.paths)
    shapes = {"boxes": (count, 4), "landmarks": (count, 5, 2), "scores": (count,)}
    wrong = [name for name, shape in shapes.items() if getattr(table, name).shape != shape]
    lengths = np.linalg.norm(table.embeddings, axis=-1) if table.embeddings.ndim == 2 else np.empty(0)
    if wrong or not count or len(lengths) != count or not np.allclose(lengths, 1, atol=1e-3):
        raise FacesError(
            f"{path}: {', '.join(wrong) or 'embeddings'} do not fit its {count} faces, expected one row for each, and "
            f"embeddings of length 1: {remedy}"
        )


def iterate_json(table: FaceTable) -> Iterator[dict[str, Any]]:
    """Yield each face as JSON has it: image, number, box and score, without the embedding."""
    for path, number, box, score in zip(table.paths, table.numbers(), table.boxes, table.scores, strict=True):
        yield {
            "image": str(path),
            "face": number,
            "box": [round(float(one), 1) for one in box],
            "score": None if np.isnan(score) else round(float(score), 4),
        }
