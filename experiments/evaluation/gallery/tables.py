"""The tables of a gallery, and how embeddings and times are stored in SQLite and PostgreSQL."""

from datetime import UTC, datetime
from typing import Any

import numpy as np
from sqlalchemy import (
    CheckConstraint,
    Column,
    DateTime,
    Dialect,
    Float,
    ForeignKey,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
)
from sqlalchemy.types import TypeDecorator

FORMAT = 3
"""The version of the tables; galleries 1 and 2 were single files of safetensors."""


class Embedding(TypeDecorator[np.ndarray]):
    """An embedding (D,) float32: its bytes in SQLite, pgvector's vector in PostgreSQL."""

    impl = LargeBinary
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> Any:
        """Return the database's own type."""
        if dialect.name == "postgresql":
            from pgvector.sqlalchemy import Vector

            return dialect.type_descriptor(Vector())
        return dialect.type_descriptor(LargeBinary())

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        """Convert an embedding to what the database stores."""
        array = np.ascontiguousarray(value, "<f4")
        return array if dialect.name == "postgresql" else array.tobytes()

    def process_result_value(self, value: Any, dialect: Dialect) -> np.ndarray:
        """Convert what the database stores to an embedding."""
        if dialect.name == "postgresql":
            return np.asarray(value.to_numpy() if hasattr(value, "to_numpy") else value, np.float32)
        return np.frombuffer(value[: len(value) // 4 * 4], "<f4")


class UtcTime(TypeDecorator[datetime]):
    """A point in time, which SQLite stores without its zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Convert to UTC."""
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Add the zone that SQLite forgets."""
        return None if value is None else value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


METADATA = MetaData()

GALLERY = Table(
    "gallery",
    METADATA,
    Column("id", Integer, CheckConstraint("id = 1"), primary_key=True),
    Column("format", Integer, nullable=False),
    Column("network", String(200), nullable=False, unique=True),
    Column("dimension", Integer, nullable=False),
    Column("options", Text, nullable=False),
    Column("preparation", Text),
    Column("created", UtcTime, nullable=False),
    Column("erase_pending", Integer, nullable=False),
)
"""One row: what all embeddings have in common. Every writer locks it first, so that writers follow one another.

erase_pending: the last change in the audit log whose deletions are not overwritten yet; 0 for none.
"""

PERSON = Table(
    "person",
    METADATA,
    Column("id", String(32), primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("folded", Text, nullable=False),
    Column("created", UtcTime, nullable=False),
    Column("changed", UtcTime, nullable=False),
    Column("photos", Integer, nullable=False),
    Column("template", Embedding, nullable=False),
)
"""folded: the name without case, to search in. template: the direction of the mean of the person's embeddings."""

PHOTO = Table(
    "photo",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("person", String(32), ForeignKey("person.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("network", String(200), ForeignKey("gallery.network"), nullable=False),
    Column("image", Text, nullable=False),
    Column("digest", String(200), nullable=False, unique=True),
    Column("quality", Float),
    Column("created", UtcTime, nullable=False),
    Column("embedding", Embedding, nullable=False),
    Column("thumbnail", LargeBinary),
)
"""network: a foreign key, so that the database itself refuses the embedding of another network."""

AUDIT = Table(
    "audit",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("time", UtcTime, nullable=False),
    Column("actor", Text, nullable=False),
    Column("action", String(40), nullable=False),
    Column("person", String(32), index=True),
    Column("photos", Integer, nullable=False),
    sqlite_autoincrement=True,
)
"""Who did what when, by the person's id and never by name; search indexes read from it what has changed."""
