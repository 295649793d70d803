"""The connection to a gallery: SQLite in a file, or PostgreSQL with pgvector by a URL.

SQLite runs in its write-ahead-log mode: readers never wait, writers wait for one another, a process that is killed
leaves the database as of its last transaction. What is deleted is overwritten (`erase`).
"""

import fcntl
import os
import secrets
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeAlias

from sqlalchemy import (
    URL,
    Connection,
    Engine,
    create_engine,
    event,
    inspect,
    make_url,
    text,
)
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError

from experiments.errors import FacesError
from experiments.evaluation.gallery.tables import GALLERY, METADATA
from mytorch.files import PRIVATE_MODE

APPLICATION_ID = 0x66616365
"""What SQLite's header says that the file is for: "face"."""

LOCK_SECONDS = 60.0
"""How long a writer waits for the others."""

MAX_HNSW_DIMENSION = 2000
"""Of pgvector's HNSW index; longer embeddings are searched without one."""

REMEDY = "restore a copy, or enroll again into another file"

Location: TypeAlias = str | Path
"""A file, or a URL such as postgresql://user@host/database."""


def is_url(location: Location) -> bool:
    """Return whether a gallery is in a database server."""
    return isinstance(location, str) and "://" in location


def shown(location: Location) -> str:
    """Return a gallery's location for messages: without the password of a URL."""
    return database_url(location).set(drivername="postgresql").render_as_string() if is_url(location) else str(location)


def database_url(location: Location) -> URL:
    """Return the URL of a server's database. Raises FacesError for what is not PostgreSQL's."""
    try:
        url = make_url(str(location))
    except (ArgumentError, ValueError) as error:
        raise FacesError(
            "the gallery's URL cannot be read: expected postgresql://user:password@host/database"
        ) from error
    if url.get_backend_name() not in ("postgresql", "postgres"):
        raise FacesError(
            f"{url.render_as_string()}: a gallery is a file, or in PostgreSQL: expected "
            "postgresql://user:password@host/database"
        )
    return url.set(drivername="postgresql+psycopg")


def open_engine(location: Location) -> Engine:
    """Connect to an existing gallery: its tables are not looked at yet.

    Raises FacesError where there is no such file, or it is something else.
    """
    if is_url(location):
        return create_engine(database_url(location), pool_pre_ping=True, connect_args={"connect_timeout": 10})
    path = Path(location)
    if path.is_dir():
        raise FacesError(f"{path} is a folder, expected the file that `faces gallery enroll ... --out GALLERY` made")
    if not path.is_file():
        what = "not a regular file" if path.exists() else "no such gallery"
        raise FacesError(f"{path}: {what}; make one with `faces gallery enroll`")
    engine = _sqlite_engine(path)
    try:
        (found,) = run_outside_transaction(engine, "PRAGMA application_id")
    except DBAPIError as error:
        engine.dispose()
        if getattr(error.orig, "sqlite_errorcode", 0) & 0xFF != _NOT_A_DATABASE:
            raise
        raise FacesError(_describe_other(path)) from error
    if found != APPLICATION_ID:
        engine.dispose()
        what = "truncated" if path.stat().st_size == 0 else "another database"
        raise FacesError(f"{path}: not a gallery that `faces gallery enroll` made, but {what}: {REMEDY}")
    return engine


def _describe_other(path: Path) -> str:
    """Say what a file is that is no database. One that is must not be opened here: that would end SQLite's locks."""
    with path.open("rb") as file:
        head = file.read(1 << 16)
    if b"faces gallery 2" in head:
        return (
            f"{path}: a gallery of an earlier version, which was a plain file: `faces gallery import {path} --out "
            "NEW.gallery` makes a database of it, and leaves it as it is"
        )
    return f"{path}: not a gallery that `faces gallery enroll` made, or truncated: {REMEDY}"


@contextmanager
def writers_turn(location: Location) -> Iterator[None]:
    """Wait in line with the other writers of a file: the one that waits longest is next.

    SQLite's own lock keeps writers apart, but under load it lets newcomers pass those who wait. Where the line cannot
    be used (a folder that may not be written to), that lock alone decides.
    """
    if is_url(location):
        yield
        return
    try:
        line = os.open(_line_file(location), os.O_CREAT | os.O_WRONLY, PRIVATE_MODE)
    except OSError:
        yield
        return
    try:
        fcntl.flock(line, fcntl.LOCK_EX)
        yield
    finally:
        os.close(line)


def leave_no_line(location: Location) -> None:
    """Remove the file in which writers wait; those who still do are not disturbed."""
    if not is_url(location):
        with suppress(OSError):
            _line_file(location).unlink(missing_ok=True)


def _line_file(location: Location) -> Path:
    target = Path(os.path.realpath(location))
    return target.with_name(f".{target.name}.lock")


def _sqlite_engine(path: Path) -> Engine:
    target = Path(os.path.realpath(path))
    quoted = str(target).replace("%", "%25").replace("?", "%3f").replace("#", "%23")
    # a folder that may not be written to has no room for the log next to the file; no process can change it, either
    fixed = not os.access(target.parent, os.W_OK) and not target.with_name(f"{target.name}-wal").exists()
    mode = "mode=ro&immutable=1" if fixed else "mode=rw"
    engine = create_engine(
        URL.create(
            "sqlite", database=f"file:{quoted}", query={"uri": "true", **dict(p.split("=") for p in mode.split("&"))}
        ),
        connect_args={"timeout": LOCK_SECONDS, "check_same_thread": False},
    )

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, record: Any) -> None:
        connection.isolation_level = None  # transactions begin where SQLAlchemy says
        for setting in ("foreign_keys=ON", "secure_delete=ON", "synchronous=FULL", "temp_store=MEMORY"):
            connection.execute(f"PRAGMA {setting}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Any) -> None:
        writes = connection.get_execution_options().get("writes")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def exists(location: Location) -> bool:
    """Return whether there is a gallery, or something else in its place."""
    if not is_url(location):
        return os.path.lexists(location)
    engine = open_engine(location)
    try:
        with explained(location), engine.connect() as connection:
            return inspect(connection).has_table(GALLERY.name)
    finally:
        engine.dispose()


def create_tables(location: Location, row: dict[str, Any]) -> None:
    """Make an empty gallery with its one row, whole or not at all.

    Raises FileExistsError where there is one already; a file is for its owner alone. OSError where it cannot be made.
    """
    if is_url(location):
        engine = open_engine(location)
        try:
            _create_in_server(engine, row)
        finally:
            engine.dispose()
        return
    target = Path(os.path.realpath(location))
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(4)}{target.suffix}")
    os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, PRIVATE_MODE))
    try:
        engine = _sqlite_engine(temporary)
        run_outside_transaction(engine, f"PRAGMA application_id={APPLICATION_ID}")
        with engine.begin() as connection:
            METADATA.create_all(connection)
            connection.execute(GALLERY.insert(), row)
        run_outside_transaction(engine, "PRAGMA journal_mode=WAL")
        engine.dispose()  # the last connection removes the log
        os.link(temporary, target)  # fails where another process was faster
    finally:
        for end in ("", "-wal", "-shm", "-journal"):
            temporary.with_name(temporary.name + end).unlink(missing_ok=True)


def _create_in_server(engine: Engine, row: dict[str, Any]) -> None:
    with engine.begin() as connection:
        connection.execute(text("SELECT pg_advisory_xact_lock(:id)"), {"id": APPLICATION_ID})
        if inspect(connection).has_table(GALLERY.name):
            raise FileExistsError
        connection.execute(text("CREATE EXTENSION IF NOT EXISTS vector"))
        METADATA.create_all(connection)
        for table, column in (("person", "template"), ("photo", "embedding")):
            connection.execute(text(f"ALTER TABLE {table} ALTER {column} TYPE vector({row['dimension']:d})"))
        if row["dimension"] <= MAX_HNSW_DIMENSION:
            connection.execute(text("CREATE INDEX person_template ON person USING hnsw (template vector_ip_ops)"))
        connection.execute(GALLERY.insert(), row)


def drop_tables(connection: Connection, location: Location) -> None:
    """Delete a gallery, in a transaction that no other process can write in."""
    if is_url(location):
        METADATA.drop_all(connection)
        return
    target = Path(os.path.realpath(location))
    for end in ("", "-wal", "-shm"):
        target.with_name(target.name + end).unlink(missing_ok=True)


def erase(engine: Engine) -> bool:
    """Overwrite what was deleted; return whether that is done.

    SQLite: `secure_delete` leaves copies in pages that were split before, so the file is rewritten without its gaps,
    and the log is cut to nothing. It is not done while another process reads for longer than LOCK_SECONDS. PostgreSQL:
    dead rows are cleared; its own log and backups are its administrator's.
    """
    if engine.dialect.name == "postgresql":
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("VACUUM person, photo")
        return True
    run_outside_transaction(engine, "VACUUM")
    end = time.monotonic() + LOCK_SECONDS
    while run_outside_transaction(engine, "PRAGMA wal_checkpoint(TRUNCATE)")[0]:
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


def run_outside_transaction(engine: Engine, statement: str) -> Any:
    """Run a statement of SQLite that no transaction may hold, and return its first row."""
    connection = None
    try:
        connection = engine.raw_connection()
        return connection.cursor().execute(statement).fetchone()
    except sqlite3.Error as error:
        raise DBAPIError.instance(statement, None, error, sqlite3.Error) from error
    finally:
        if connection is not None:
            connection.close()


_NOT_A_DATABASE = 26

_SQLITE_WORDS = {
    5: f"another command has been writing it for {LOCK_SECONDS:.0f} s: wait until it has ended, and try again",
    6: f"another command has been writing it for {LOCK_SECONDS:.0f} s: wait until it has ended, and try again",
    8: "may not be written to: check the permissions of the file and its folder",
    10: "the disk cannot be read or has no room left; nothing was changed: make room, and try again",
    11: f"damaged: {REMEDY}",
    13: "no room left on the disk; nothing was changed: make room, and try again",
    14: "cannot be opened: check the permissions of the file and its folder",
    26: f"not a gallery that `faces gallery enroll` made, or damaged: {REMEDY}",
}
"""What SQLite's primary result codes mean for the user: https://www.sqlite.org/rescode.html."""

_POSTGRES_WORDS = {
    "08": "the connection was lost; what was not acknowledged is not stored: try again",
    "28": "the server refuses this user or password: check the URL",
    "3D": "no such database on the server: create it with createdb, or check the URL",
    "42P01": "no gallery in this database; make one with `faces gallery enroll`",
    "42501": "this user may not do that: grant it the database",
    "53": "the server has no room left; nothing was changed: make room there, and try again",
    "57": "the server is stopping or starting: try again",
}
"""What the beginnings of PostgreSQL's error codes mean for the user."""


@contextmanager
def explained(location: Location) -> Iterator[None]:
    """Turn a database's errors into FacesError, with what to do."""
    try:
        yield
    except DBAPIError as error:
        raise FacesError(f"{shown(location)}: {_words(error)}") from error
    except SQLAlchemyError as error:
        raise FacesError(f"{shown(location)}: {error}") from error


def _words(error: DBAPIError) -> str:
    original = error.orig
    code = getattr(original, "sqlite_errorcode", None)
    if code is not None and (words := _SQLITE_WORDS.get(code & 0xFF)):
        return words
    state = getattr(original, "sqlstate", None) or ""
    for start, words in _POSTGRES_WORDS.items():
        if state.startswith(start):
            return words
    said = " ".join(str(original).split())
    if "FATAL" in said and "does not exist" in said and "database" in said:
        return _POSTGRES_WORDS["3D"]
    if not state and type(original).__module__.startswith("psycopg") and not error.connection_invalidated:
        return f"the server cannot be reached ({said}): check the URL, and that it runs"
    return f"the database refused ({said})"
