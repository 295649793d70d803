"""Galleries as files of text: export and import as JSON lines, and import of galleries from before the database.

The first line says what all embeddings have in common, each other line is a person with all photos.
"""

import base64
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter, ValidationError
from safetensors import SafetensorError, safe_open

from experiments.data.preparation import Preparation
from experiments.errors import FacesError, expected_words
from experiments.evaluation.embedding import EmbedOptions
from experiments.evaluation.gallery.database import Location, is_url
from experiments.evaluation.gallery.enroll import store_people
from experiments.evaluation.gallery.records import Enrollment, NewPhoto, check_name
from experiments.evaluation.gallery.store import GalleryStore
from experiments.files import refuse_overwriting_input
from experiments.progress import printable, say
from mytorch.files import atomic_write

TEXT_FORMAT = "faces gallery 3"


class _Line(BaseModel):
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class _Header(_Line):
    format: Literal["faces gallery 3"]
    network: Annotated[str, Field(min_length=1, max_length=200)]
    dimension: Annotated[int, Field(ge=1, le=65536)]
    align: bool
    flip: bool
    zooms: Annotated[tuple[float, ...], Field(min_length=1)]
    preparation: Preparation | None


def _from_base64(value: Any) -> Any:
    try:
        return base64.b64decode(value, validate=True) if isinstance(value, str) else value
    except ValueError as error:
        raise ValueError("expected base64") from error


class _Photo(_Line):
    image: Annotated[str, Field(min_length=1, max_length=1000)]
    digest: Annotated[str, Field(min_length=1, max_length=200)]
    quality: Annotated[float, Field(ge=0, le=1)] | None = None
    created: AwareDatetime | None = None
    embedding: Annotated[list[float], Field(min_length=1)]
    thumbnail: Annotated[bytes, BeforeValidator(_from_base64)] | None = None


class _Person(_Line):
    person: str
    photos: Annotated[list[_Photo], Field(min_length=1)]


class _OldRecord(_Line):
    """Everything but the embeddings in a gallery of version 2, which was one file of safetensors."""

    format: Literal["faces gallery 2"]
    network: str
    flip: bool
    zooms: Annotated[tuple[float, ...], Field(min_length=1)]
    align: bool
    preparation: Preparation | None
    people: tuple[str, ...]
    images: tuple[str, ...]
    digests: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Contents:
    """What a file holds: the network's fingerprint, how its embeddings were made, and photos by person."""

    network: str
    options: EmbedOptions
    preparation: Preparation | None
    photos: dict[str, list[NewPhoto]]


def export_gallery(location: Location, out: Path) -> int:
    """Write a gallery as JSON lines into a file for its owner alone, and return how many people it holds.

    The file is written whole or not at all. Raises FacesError where it would replace the gallery.
    """
    if not is_url(location):
        refuse_overwriting_input(out, [location])
    with GalleryStore.open(location) as store, atomic_write(out, private=True) as temporary:
        count = 0
        with temporary.open("w", encoding="utf-8") as file:
            for line in _lines(store):
                file.write(json.dumps(line) + "\n")
                count += "person" in line
    return count


def _lines(store: GalleryStore) -> Iterator[dict[str, Any]]:
    options = store.options
    yield {
        "format": TEXT_FORMAT,
        "network": store.network,
        "dimension": store.dimension,
        "align": options.align,
        "flip": options.flip,
        "zooms": list(options.zooms),
        "preparation": None if store.preparation is None else store.preparation.model_dump(mode="json"),
    }
    for name, photos in store.contents():
        rows = [
            {
                "image": photo.image,
                "digest": photo.digest,
                "quality": photo.quality,
                "created": None if photo.created is None else photo.created.isoformat(),
                "embedding": np.asarray(photo.embedding).tolist(),
                "thumbnail": None if photo.thumbnail is None else base64.b64encode(photo.thumbnail).decode(),
            }
            for photo in photos
        ]
        yield {"person": name, "photos": rows}


def import_gallery(source: Path, out: Location, add: bool = False) -> Enrollment:
    """Make a gallery of a file of `export_gallery`, or of a gallery from before the database; or add it to one.

    The source stays as it is. Everything or nothing. Raises FacesError, with the line, for what cannot be read, for
    another network's embeddings, and where a gallery is at `out` and `add` is not given.
    """
    if not source.is_file():
        raise FacesError(f"{source}: no such file; expected one of `faces gallery export`, or an old gallery")
    if not is_url(out):
        refuse_overwriting_input(Path(out), [source])
    with source.open("rb") as file:
        is_text = file.read(1) == b"{"
    found = read_text(source) if is_text else read_old_gallery(source)
    if not found.photos:
        raise FacesError(f"{source}: it is empty, there are no people to import")
    return store_people(out, add, found.network, found.options, found.preparation, found.photos, "import")


def read_text(source: Path) -> Contents:
    """Read a file of `export_gallery`. Raises FacesError, with the line, for what is not of that form."""
    photos: dict[str, list[NewPhoto]] = {}
    with source.open("rb") as file:
        header = _validate(_Header, next(file, b""), f"{source}, line 1")
        for number, line in enumerate(file, 2):
            if not line.strip():
                continue
            where = f"{source}, line {number}"
            person = _validate(_Person, line, where)
            try:
                own = photos.setdefault(check_name(person.person), [])
            except FacesError as error:
                raise FacesError(f"{where}: {error}") from error
            for photo in person.photos:
                with np.errstate(over="ignore"):  # a number that float32 does not hold is refused with the lengths
                    embedding = np.array(photo.embedding, np.float32)
                if len(embedding) != header.dimension:
                    raise FacesError(f"{where}: {len(embedding)} numbers, expected {header.dimension} as in line 1")
                own.append(
                    NewPhoto(photo.image, photo.digest, embedding, photo.quality, photo.thumbnail, photo.created)
                )
    return Contents(header.network, EmbedOptions(header.align, header.flip, header.zooms), header.preparation, photos)


def _validate(model: Any, line: bytes, where: str) -> Any:
    try:
        return TypeAdapter(model).validate_json(line)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise FacesError(
            f"{where}: {place or 'the line'}: {expected_words(first)}; expected a file of `faces gallery export`"
        ) from error


def read_old_gallery(source: Path) -> Contents:
    """Read a gallery of version 2. Its photos count as enrolled when the file was written last.

    Control characters in names become the escapes by which they were shown. Raises FacesError for a damaged file.
    """
    damaged = "damaged, or no gallery: restore a copy, or enroll again"
    try:
        with safe_open(source, "numpy") as file:
            about, embeddings = file.metadata() or {}, file.get_tensor("embeddings")
        record = _OldRecord.model_validate_json(about["record"])
    except (SafetensorError, KeyError, ValueError, OSError) as error:
        raise FacesError(f"{source}: {damaged}") from error
    rows = list(zip(record.people, record.images, record.digests, strict=False))
    digest = hashlib.blake2b(about["record"].encode(), digest_size=16)
    digest.update(f"{embeddings.dtype} {embeddings.shape}".encode())
    digest.update(np.ascontiguousarray(embeddings).data)
    if about.get("digest") != digest.hexdigest() or embeddings.ndim != 2 or len(rows) != len(embeddings):
        raise FacesError(f"{source}: {damaged}")
    created = datetime.fromtimestamp(source.stat().st_mtime, UTC)
    photos: dict[str, list[NewPhoto]] = {}
    for (name, image, one), embedding in zip(rows, embeddings, strict=True):
        shown = check_name(printable(name).replace("\n", "\\n").replace("\t", "\\t"))
        if shown != name:
            say(f"note: a name with control characters is enrolled as {shown!r}")
        photos.setdefault(shown, []).append(NewPhoto(image, one, embedding, created=created))
    return Contents(record.network, EmbedOptions(record.align, record.flip, record.zooms), record.preparation, photos)
