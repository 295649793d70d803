"""The statements of a gallery's transactions: each function takes the connection of one."""

import json
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from sqlalchemy import Connection, Row, delete, func, insert, select, update

from experiments.data.folders import composed
from experiments.data.preparation import Preparation
from experiments.errors import FacesError, nearest_name
from experiments.evaluation.embedding import EmbedOptions
from experiments.evaluation.gallery.database import REMEDY
from experiments.evaluation.gallery.records import (
    ConflictError,
    GalleryStats,
    NewPhoto,
    Person,
    Photo,
    UnknownPersonError,
)
from experiments.evaluation.gallery.tables import AUDIT, FORMAT, GALLERY, PERSON, PHOTO
from experiments.inference.embedder import normalize_embeddings
from experiments.progress import printable

TOLERANCE = 1e-3
"""How far from 1 the length of an embedding may be."""


def to_person(row: Any) -> Person:
    """Return a row of the table as a person."""
    return Person(row.id, row.name, row.photos, row.created, row.changed)


def by_name(connection: Connection) -> Any:
    """Sort by code points, as Python does, on every server."""
    return PERSON.c.name.collate("C") if connection.dialect.name == "postgresql" else PERSON.c.name


def find_person(connection: Connection, key: str) -> Row[Any]:
    """Return the row of a person, by name or else by id. Raises UnknownPersonError, with the most similar name."""
    name = composed(key)
    if not any(sign == "\0" or "\ud800" <= sign <= "\udfff" for sign in name):  # no database stores these
        for column in (PERSON.c.name, PERSON.c.id):
            if row := connection.execute(select(PERSON).where(column == name)).one_or_none():
                return row
    near = nearest_name(name, connection.execute(select(PERSON.c.name)).scalars())
    hint = f"; did you mean {near!r}?" if near else "; `faces gallery list` shows who is"
    raise UnknownPersonError(f"{key!r} is not in the gallery{hint}")


def list_people(connection: Connection, containing: str, limit: int | None, offset: int) -> list[Person]:
    """List people, sorted by name; those whose name contains a text, whatever its case."""
    query = select(PERSON).order_by(by_name(connection)).offset(offset).limit(limit)
    if containing:
        query = query.where(PERSON.c.folded.contains(composed(containing).casefold(), autoescape=True))
    return [to_person(row) for row in connection.execute(query)]


def list_photos(connection: Connection, person: str) -> list[Photo]:
    """List the photos of a person by id, the first enrolled first."""
    columns = [column for column in PHOTO.c if column.name not in ("embedding", "thumbnail")]
    query = select(*columns, PHOTO.c.thumbnail.is_not(None).label("has_thumbnail")).where(PHOTO.c.person == person)
    rows = connection.execute(query.order_by(PHOTO.c.id))
    return [Photo(r.id, r.image, r.digest, r.quality, r.created, bool(r.has_thumbnail)) for r in rows]


def full_photos(connection: Connection, person: str) -> list[NewPhoto]:
    """Return the photos of a person by id, with everything that is stored about them."""
    rows = connection.execute(select(PHOTO).where(PHOTO.c.person == person).order_by(PHOTO.c.id))
    return [NewPhoto(r.image, r.digest, r.embedding, r.quality, r.thumbnail, r.created) for r in rows]


def list_older(connection: Connection, age: timedelta) -> list[Person]:
    """List people whose newest photo was enrolled longer ago than `age`, sorted by name."""
    before = datetime.now(UTC) - age
    newest = select(PHOTO.c.person).group_by(PHOTO.c.person).having(func.max(PHOTO.c.created) < before)
    rows = connection.execute(select(PERSON).where(PERSON.c.id.in_(newest)).order_by(by_name(connection)))
    return [to_person(row) for row in rows]


def new_photos(
    connection: Connection, name: str, photos: Sequence[NewPhoto], dimension: int
) -> tuple[list[NewPhoto], list[str]]:
    """Return those that are not in the gallery yet, each once, and the names of the others.

    Raises ConflictError for an image of another person, FacesError for an embedding that is not (D,) of length 1.
    """
    new: dict[str, NewPhoto] = {}
    known: list[str] = []
    for photo in photos:
        if printable(photo.digest) != photo.digest or not 0 < len(photo.digest) <= 200:
            raise FacesError(f"{photo.image}: the digest {photo.digest[:20]!r} is not 1 to 200 printable characters")
        vector = np.asarray(photo.embedding, np.float32)
        if vector.shape != (dimension,) or not abs(np.linalg.norm(vector) - 1) < TOLERANCE:
            raise FacesError(
                f"{photo.image}: an embedding of shape {vector.shape} and length {np.linalg.norm(vector):.3f}, "
                f"expected ({dimension},) and 1"
            )
        same = select(PERSON.c.name).join(PHOTO).where(PHOTO.c.digest == photo.digest)
        owner = connection.execute(same).scalar_one_or_none()
        if owner not in (None, name):
            raise ConflictError(f"{photo.image}: the same image that {owner!r} is enrolled with: remove it from one")
        if owner is None and photo.digest not in new:
            new[photo.digest] = photo
        else:
            known.append(photo.image)
    return list(new.values()), known


def add_photos(connection: Connection, name: str, photos: Sequence[NewPhoto], network: str) -> Person:
    """Add photos of a person, who is enrolled where there is none of that name. Return the person."""
    now = datetime.now(UTC)
    person = connection.execute(select(PERSON.c.id).where(PERSON.c.name == name)).scalar_one_or_none()
    if person is None:
        person = uuid.uuid4().hex
        first = min((photo.created or now for photo in photos), default=now)
        values = {"id": person, "name": name, "folded": name.casefold(), "created": first, "changed": now}
        connection.execute(insert(PERSON), {**values, "photos": 0, "template": photos[0].embedding})
    rows = [
        {
            "person": person,
            "network": network,
            "image": printable(photo.image),
            "digest": photo.digest,
            "quality": photo.quality,
            "created": photo.created or now,
            "embedding": photo.embedding,
            "thumbnail": photo.thumbnail,
        }
        for photo in photos
    ]
    connection.execute(insert(PHOTO), rows)
    added = renew_template(connection, person)
    assert added is not None
    return added


def renew_template(connection: Connection, person: str) -> Person | None:
    """Compute a person's template from all their embeddings, and return the person; without any, remove them."""
    found = connection.execute(select(PHOTO.c.embedding).where(PHOTO.c.person == person)).scalars().all()
    if not found:
        connection.execute(delete(PERSON).where(PERSON.c.id == person))
        return None
    template = normalize_embeddings(stack(found, len(found[0])).sum(0, dtype=np.float64)[None])[0]
    values = {"template": template, "photos": len(found), "changed": datetime.now(UTC)}
    connection.execute(update(PERSON).where(PERSON.c.id == person).values(values))
    return to_person(connection.execute(select(PERSON).where(PERSON.c.id == person)).one())


def stack(embeddings: Sequence[np.ndarray], dimension: int) -> np.ndarray:
    """Return stored embeddings as (N, D). Raises FacesError where one has another length, or is not of length 1."""
    if any(len(one) != dimension for one in embeddings):
        raise FacesError(f"the gallery holds an embedding of another length than {dimension}, so is damaged: {REMEDY}")
    stacked = np.stack(embeddings) if len(embeddings) else np.empty((0, dimension), np.float32)
    if not (np.abs(np.linalg.norm(stacked, axis=1) - 1) < TOLERANCE).all():
        raise FacesError(f"the gallery holds an embedding that is not of length 1, so is damaged: {REMEDY}")
    return stacked


def delete_people(connection: Connection, people: Sequence[Person], actor: str, action: str) -> None:
    """Delete people with their photos; `erase` has to follow."""
    for person in people:
        connection.execute(delete(PHOTO).where(PHOTO.c.person == person.id))
        connection.execute(delete(PERSON).where(PERSON.c.id == person.id))
        log_change(connection, actor, action, person.id, person.photos)
    if people:
        mark_for_erasure(connection)


def log_change(connection: Connection, actor: str, action: str, person: str | None = None, photos: int = 0) -> None:
    """Add a line to the audit log. The lines also tell other processes what to read again."""
    values = {"time": datetime.now(UTC), "actor": actor, "action": action, "person": person, "photos": photos}
    connection.execute(insert(AUDIT), values)


def mark_for_erasure(connection: Connection) -> None:
    """Store, in the transaction that deletes, that what was deleted is not overwritten yet: up to which change."""
    last = select(func.max(AUDIT.c.id)).scalar_subquery()
    connection.execute(update(GALLERY).values(erase_pending=last))


def new_settings(
    network: str, dimension: int, options: EmbedOptions, preparation: Preparation | None
) -> dict[str, Any]:
    """Return the one row of an empty gallery."""
    return {
        "id": 1,
        "format": FORMAT,
        "network": network,
        "dimension": dimension,
        "options": json.dumps({"align": options.align, "flip": options.flip, "zooms": list(options.zooms)}),
        "preparation": None if preparation is None else preparation.model_dump_json(),
        "created": datetime.now(UTC),
        "erase_pending": 0,
    }


def read_settings(row: Row[Any], title: str) -> tuple[EmbedOptions, Preparation | None]:
    """Return how embeddings are made, and how the images were prepared. Raises FacesError for what cannot be."""
    try:
        options = json.loads(row.options)
        preparation = None if row.preparation is None else Preparation.model_validate_json(row.preparation)
        return EmbedOptions(options["align"], options["flip"], tuple(options["zooms"])), preparation
    except (ValueError, KeyError, TypeError) as error:
        raise FacesError(f"{title}: damaged, or edited ({error}): {REMEDY}") from error


def read_stats(connection: Connection, network: str, dimension: int, created: datetime) -> GalleryStats:
    """Count what the gallery holds."""
    times = select(func.count(), func.count(PHOTO.c.thumbnail), func.min(PHOTO.c.created), func.max(PHOTO.c.created))
    photos, thumbnails, oldest, newest = connection.execute(times).one()
    return GalleryStats(
        people=connection.execute(select(func.count()).select_from(PERSON)).scalar_one(),
        photos=photos,
        thumbnails=thumbnails,
        dimension=dimension,
        network=network,
        created=created,
        oldest=oldest,
        newest=newest,
        changes=connection.execute(select(func.count()).select_from(AUDIT)).scalar_one(),
        erase_pending=bool(connection.execute(select(GALLERY.c.erase_pending)).scalar_one()),
    )
