"""Weight files by name: where they are found, and downloads from a server of the test's own."""

import hashlib
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from experiments import weights
from experiments.errors import FacesError
from experiments.weights import KNOWN, download_weights, find_weights, has_weights, weights_folder

CONTENT = np.random.default_rng(0).bytes(1_000_000)


class Server:
    """A web server. content: what it answers; cut: after how many bytes it hangs up; ranges: the ranges asked for."""

    def __init__(self) -> None:
        self.content, self.cut, self.status, self.resumes = CONTENT, len(CONTENT), 200, True
        self.ranges: list[str | None] = []
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                asked = self.headers.get("Range")
                server.ranges.append(asked)
                resumed = asked if server.resumes else None
                start = int(resumed.removeprefix("bytes=").removesuffix("-")) if resumed else 0
                self.send_response(206 if resumed and server.status == 200 else server.status)
                self.send_header("Content-Length", str(len(server.content) - start))
                self.end_headers()
                self.wfile.write(server.content[start : server.cut])

            def log_message(self, format: str, *args: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}/weights.onnx"
        threading.Thread(target=self.http.serve_forever, daemon=True).start()


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A server that has the weights called "tiny", and nothing on this machine."""
    server = Server()
    tiny = replace(
        KNOWN["sface"], name="tiny", file="tiny.onnx", url=server.url, size=len(CONTENT),
        sha256=hashlib.sha256(CONTENT).hexdigest(),
    )  # fmt: skip
    monkeypatch.setitem(KNOWN, "tiny", tiny)
    monkeypatch.setenv(weights.HOME, str(tmp_path / "home"))
    yield server
    server.http.shutdown()
    server.http.server_close()


def test_a_download_is_found_afterwards(server):
    with pytest.raises(FacesError, match=r"tiny are not on this machine.*networks get tiny.*tiny.onnx into"):
        find_weights("tiny")
    assert not has_weights("tiny")
    path = download_weights("tiny")
    assert path.parent == weights_folder()
    assert path.read_bytes() == CONTENT
    assert has_weights("tiny")
    assert find_weights("tiny") == path
    assert download_weights("tiny") == path
    assert len(server.ranges) == 1
    assert [one.name for one in path.parent.iterdir() if not one.name.startswith(".")] == ["tiny.onnx"]


def test_an_interrupted_download_resumes_where_it_ended(server):
    server.cut = 300_000
    with pytest.raises(FacesError, match=r"300,000 of 1,000,000 bytes|cannot be downloaded"):
        download_weights("tiny")
    assert not has_weights("tiny")
    server.cut = len(CONTENT)
    assert download_weights("tiny").read_bytes() == CONTENT
    assert server.ranges == [None, "bytes=300000-"]


def test_a_server_that_cannot_resume_is_read_from_the_beginning(server):
    server.cut = 300_000
    with pytest.raises(FacesError):
        download_weights("tiny")
    server.cut, server.resumes = len(CONTENT), False
    assert download_weights("tiny").read_bytes() == CONTENT
    assert server.ranges == [None, "bytes=300000-"]


def test_other_content_is_refused_and_nothing_stored(server):
    server.content = CONTENT[:-1] + b"?"
    with pytest.raises(
        FacesError, match=r"its content is not tiny.onnx: SHA-256 \w+, expected \w+; nothing was stored"
    ):
        download_weights("tiny")
    assert not list(weights_folder().glob("tiny*"))
    server.content, server.cut = CONTENT + b"more", len(CONTENT) + 4
    with pytest.raises(FacesError, match="longer than the 1,000,000 bytes"):
        download_weights("tiny")
    assert not list(weights_folder().glob("tiny*"))


@pytest.mark.parametrize("status", [403, 404, 503])
def test_a_server_that_refuses_is_named_with_what_to_do(server, status):
    server.status = status
    with pytest.raises(FacesError, match=rf"{server.url}: answered {status} .*copy tiny.onnx into"):
        download_weights("tiny")


def test_without_a_network_the_remedy_is_said(server):
    with pytest.raises(FacesError, match=r"cannot be downloaded .*download it on another machine and copy tiny.onnx"):
        download_weights("tiny", "http://127.0.0.1:9/none")


def test_a_changed_file_is_refused(server):
    path = download_weights("tiny")
    path.write_bytes(CONTENT[::-1])
    with pytest.raises(FacesError, match=r"not the weights of tiny .* remove it and get it again"):
        find_weights("tiny")
    with pytest.raises(FacesError, match="not the weights of tiny"):
        download_weights("tiny")


def test_an_unknown_name_suggests_the_nearest():
    with pytest.raises(FacesError, match=r"'sfase', did you mean sface\? expected one of sface, yunet"):
        find_weights("sfase")


def test_the_command_lists_them_and_says_which_are_here(server, command):
    listed = command("networks")
    assert listed.status == 0
    assert "tiny: " in listed.out
    assert "not here: faces networks get tiny" in listed.out
    got = command("networks", "get", "tiny")
    assert got.status == 0
    assert str(weights_folder() / "tiny.onnx") in got.out
    assert "1.0 MB, on this machine" in command("networks").out
