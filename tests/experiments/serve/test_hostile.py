"""Requests of somebody who means harm: each is refused in JSON, nothing is written, and the server keeps answering."""

import json
import os
import signal
import struct
import threading
import zlib
from io import BytesIO

import pytest
from PIL import Image

from experiments.data.images import ImageError
from experiments.serve.decoder import Decoder

BOUNDARY = "xxBOUNDARYxx"
MULTIPART = f"multipart/form-data; boundary={BOUNDARY}"
PAGE = {"Sec-Fetch-Site": "same-origin"}


def part(name: str, content: bytes, filename: str | None = "a.jpg", kind: str = "image/jpeg") -> bytes:
    named = f'; filename="{filename}"' if filename is not None else ""
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"{named}\r\nContent-Type: {kind}\r\n\r\n'
    return head.encode() + content + b"\r\n"


def form(*parts: bytes) -> bytes:
    return b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()


def png(width: int, height: int, rows: bytes) -> bytes:
    """A PNG whose header claims a size, with these compressed rows."""

    def chunk(name: bytes, content: bytes) -> bytes:
        body = name + content
        return struct.pack(">I", len(content)) + body + struct.pack(">I", zlib.crc32(body))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def image_file(kind: str, size: tuple[int, int] = (64, 64), **options) -> bytes:
    file = BytesIO()
    Image.new("RGB", size, "gray").save(file, kind, **options)
    return file.getvalue()


SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
XXE = b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>'
POSTSCRIPT = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(/etc/passwd) (r) file\n"

FILES = {
    "SVG with a script": SVG,
    "SVG with an entity of a file": XXE,
    "PostScript that reads a file": POSTSCRIPT,
    "HTML page": b"<!doctype html><script>alert(1)</script>",
    "GIF that is a script too": b"GIF89a/*" + image_file("GIF")[8:] + b"*/=1;alert(1)",
    "zip archive": b"PK\x03\x04" + b"\0" * 40,
    "ELF program": b"\x7fELF" + b"\0" * 60,
    "pickle that runs a program": b"cos\nsystem\n(S'touch /tmp/owned'\ntR.",
    "TIFF": image_file("TIFF"),
    "BMP": image_file("BMP"),
    "PNG of 4 gigapixels": png(65_000, 65_000, zlib.compress(b"\0" * 1000)),
    "PNG of more pixels than allowed": png(2000, 2000, zlib.compress(b"\0" * (2001 * 2000), 9)),
    "PNG with no pixels": png(0, 0, zlib.compress(b"")),
    "PNG that is truncated": image_file("PNG")[:60],
    "PNG whose rows are too short": png(1000, 1000, zlib.compress(b"\0" * 10)),
    "PNG with a damaged checksum": image_file("PNG")[:30] + b"\xff\xff" + image_file("PNG")[32:],
    "JPEG that is truncated": image_file("JPEG")[:200],
    "JPEG of one byte": b"\xff",
    "JPEG header and noise": b"\xff\xd8\xff\xe0" + bytes(range(256)) * 8,
    "WebP header and noise": b"RIFF\xff\xff\xff\x7fWEBPVP8 " + bytes(range(256)),
    "nothing": b"",
}

NAMES = {
    "path that leads up": "../../../../etc/cron.d/owned",
    "path of Windows": "..\\..\\windows\\win.ini",
    "absolute path": "/etc/passwd",
    "URL of a file": "file:///etc/passwd",
    "script": "<script>alert(1)</script>.jpg",
    "SQL": "x'; DROP TABLE people;--.jpg",
    "format string": "%s%n{0.__class__}.jpg",
    "zero byte": "a\0.jpg",
    "ten thousand letters": "a" * 10_000 + ".jpg",
    "right-to-left": "a\u202egpj.exe",
}

GOOD = image_file("JPEG")


def upload(name: str = "photos", content: bytes = GOOD, **options) -> dict:
    return {"body": form(part(name, content, **options)), "headers": {"Content-Type": MULTIPART}}


POST = ("POST", "/api/v1/detect")
REQUESTS = {
    "path that leads up": (("GET", "/static/../../../../etc/passwd"), {}, 404),
    "path that leads up, encoded": (("GET", "/static/%2e%2e%2f%2e%2e%2fetc%2fpasswd"), {}, 404),
    "path that leads up, encoded twice": (("GET", "/static/%252e%252e%252fetc%252fpasswd"), {}, 404),
    "path with a zero byte": (("GET", "/static/app.js%00.png"), {}, 404),
    "path of two slashes": (("GET", "//etc/passwd"), {}, 404),
    "rebinding Host": (("GET", "/api/v1/health"), {"headers": {"Host": "evil.example"}}, 421),
    "Host of this name as another's subdomain": (
        ("GET", "/"), {"headers": {"Host": "127.0.0.1.evil.example"}}, 421),
    "Host with a user": (("GET", "/"), {"headers": {"Host": "127.0.0.1@evil.example"}}, 421),
    "Host that is empty": (("GET", "/"), {"headers": {"Host": ""}}, 421),
    "post of another site's page": (POST, {**upload(), "origin": "https://evil.example"}, 403),
    "post of a sandboxed page": (POST, {**upload(), "origin": "null"}, 403),
    "post of this host at another port": (POST, {**upload(), "origin": "http://127.0.0.1:1"}, 403),
    "post of another site, without Origin": (POST, {**upload(), "fetch": "cross-site"}, 403),
    "read of another site": (("GET", "/api/v1/thresholds"), {"fetch": "cross-site"}, 403),
    "body of text": (POST, {"body": b"x", "headers": {"Content-Type": "text/plain"}}, 415),
    "body of XML": (POST, {"body": XXE, "headers": {"Content-Type": "application/xml"}}, 415),
    "body of a form": (POST, {"body": b"a=b", "headers": {"Content-Type": "application/x-www-form-urlencoded"}}, 415),
    "body without a type": (POST, {"body": b"x"}, 415),
    "JSON for photos": (POST, {"body": b"{}", "headers": {"Content-Type": "application/json"}}, 422),
    "form without a boundary": (POST, {"body": b"x", "headers": {"Content-Type": "multipart/form-data"}}, 400),
    "form of another boundary": (
        POST, {"body": form(part("photos", GOOD)), "headers": {"Content-Type": MULTIPART + "y"}}, 400),
    "form that ends early": (POST, {"body": part("photos", GOOD)[:80], "headers": {"Content-Type": MULTIPART}}, 422),
    "2,000 fields": (
        POST, {"body": form(*[part("x", b"", None)] * 2000), "headers": {"Content-Type": MULTIPART}}, 400),
    "text for a photo": (POST, upload(filename=None), 422),
    "a body that is too long": (POST, upload(content=b"\0" * 2_000_001), 413),
    "unknown method": (("BREW", "/api/v1/detect"), {}, 405),
    "method that traces": (("TRACE", "/api/v1/health"), {}, 405),
    "delete of a route": (("DELETE", "/api/v1/health"), {}, 405),
    "FAR of SQL": (
        ("POST", "/api/v1/match"),
        {"body": form(part("first", GOOD), part("second", GOOD), part("far", b"1 OR 1=1", None)),
         "headers": {"Content-Type": MULTIPART}}, 422),
    "FAR that is not finite": (
        ("POST", "/api/v1/match"),
        {"body": form(part("first", GOOD), part("second", GOOD), part("far", b"nan", None)),
         "headers": {"Content-Type": MULTIPART}}, 422),
}  # fmt: skip

RAW = {
    "header of 100 kB": b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Long: " + b"a" * 100_000 + b"\r\n\r\n",
    "5,000 headers": b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n" + b"X: y\r\n" * 5_000 + b"\r\n",
    "URL of 100 kB": b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    "no HTTP": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(64) + b"\r\n\r\n",
    "two Hosts": b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: evil.example\r\n\r\n",
    "no Host": b"GET / HTTP/1.1\r\n\r\n",
    "line break in a header": b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: a\r\n b\x00c\r\n\r\n",
    "length that is negative": b"POST /api/v1/detect HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: -1\r\n\r\n",
    "two lengths": (
        b"POST /api/v1/detect HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab"
    ),
    "length of 10^30": (
        b"POST /api/v1/detect HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1" + b"0" * 30 + b"\r\n\r\n"
    ),
    "length and chunks": (
        b"POST /api/v1/detect HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"0\r\n\r\nGET /x HTTP/1.1\r\n\r\n"
    ),
    "chunks without an end": (
        b"POST /api/v1/detect HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\nContent-Type: "
        + MULTIPART.encode()
        + b"\r\n\r\n"
        + b"10000\r\n"
        + b"a" * 65536
        + b"\r\n"
    ),
    "chunks that are too long": (
        b"POST /api/v1/detect HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\nContent-Type: "
        + MULTIPART.encode()
        + b"\r\n\r\n"
        + b"%x\r\n" % len(part("photos", b""))
        + part("photos", b"")
        + b"\r\n"
        + (b"10000\r\n" + b"a" * 65536 + b"\r\n") * 40
        + b"0\r\n\r\n"
    ),
    "chunk without a length": (
        b"POST /api/v1/detect HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\nContent-Type: "
        + MULTIPART.encode()
        + b"\r\n\r\nzz\r\n"
    ),
    "body that never arrives": (
        b"POST /api/v1/detect HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000\r\nContent-Type: "
        + MULTIPART.encode()
        + b"\r\n\r\n"
        + part("photos", b"slow")[:-2]
    ),
    "switch to a websocket": (
        b"GET /api/v1/health HTTP/1.1\r\nHost: evil.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    ),
}


@pytest.fixture(autouse=True)
def harmless(server):
    """After each request the server answers as before, and its folder is as before."""
    before = files(server)
    yield
    assert server.ask("GET", "/api/v1/health").status == 200
    assert files(server) == before


def files(server) -> list[str]:
    return sorted(str(path) for path in server.folder.rglob("*"))


def refused(answer, *statuses: int) -> dict:
    assert answer.status in statuses, (answer.status, answer.content[:300])
    assert b"Traceback" not in answer.content
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-type"] == "application/json"
    return json.loads(answer.content)


def test_there_are_enough_cases():
    assert len(FILES) + len(NAMES) + len(REQUESTS) + len(RAW) >= 70


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_is_no_photo_is_refused(server, name):
    answer = server.ask("POST", "/api/v1/match", **{"body": form(part("first", FILES[name]), part("second", GOOD)),
                                                    "headers": {"Content-Type": MULTIPART}})  # fmt: skip
    error = refused(answer, 422)["error"]
    assert error["code"] == "unusable"
    assert error["message"].startswith("first (a.jpg): ")


@pytest.mark.parametrize("name", NAMES)
def test_a_name_of_a_file_is_text(server, name):
    """It is in the answer, as JSON, without folders, and nowhere else."""
    answer = server.ask(*POST, **upload(content=SVG, filename=NAMES[name]))
    if answer.status == 400:  # a header of the form that the parser refuses
        refused(answer, 400)
        return
    assert answer.status == 200, answer.content
    (found,) = json.loads(answer.content)["photos"]
    assert found["error"].startswith("photo 1")
    assert ".." not in found["photo"]
    assert len(found["photo"]) < 100
    assert "\0" not in found["photo"]


@pytest.mark.parametrize("name", REQUESTS)
def test_a_request_that_is_wrong_is_refused(server, name):
    (method, path), how, status = REQUESTS[name]
    headers = dict(how.get("headers", {}))
    if "origin" in how:
        headers["Origin"] = how["origin"]
    if "fetch" in how:
        headers["Sec-Fetch-Site"] = how["fetch"]
    refused(server.ask(method, path, how.get("body"), headers), status)


@pytest.mark.parametrize("name", RAW)
def test_bytes_that_are_no_request_are_refused(server, name):
    answer = server.send(RAW[name])
    status = int(answer.split()[1]) if answer.startswith(b"HTTP/1.1 ") else 0
    assert status in (0, *range(400, 500)), answer[:200]
    assert b"Traceback" not in answer
    if name in ("header of 100 kB", "5,000 headers", "URL of 100 kB"):
        assert status in (0, 400, 431)  # uvicorn refuses it itself, or closes the connection, or the guard does
    if name == "body that never arrives":
        assert status == 408
    if name == "chunks that are too long":
        assert status == 413


def test_this_servers_own_page_may_post(server):
    """The control: what is refused above is the other site, not the post."""
    headers = {"Content-Type": MULTIPART, "Origin": server.url, **PAGE}
    assert server.ask(*POST, form(part("photos", GOOD)), headers).status == 200


def test_a_photo_whose_text_swells_is_refused(server):
    """A chunk of text that is a thousand times as large when it is decompressed."""
    text = zlib.compress(b"a" * 20_000_000, 9)
    body = b"zTXt" + b"Comment\0\0" + text
    bomb = image_file("PNG")
    bomb = bomb[:33] + struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body)) + bomb[33:]
    answer = server.ask("POST", "/api/v1/match", form(part("first", bomb), part("second", GOOD)),
                        {"Content-Type": MULTIPART})  # fmt: skip
    refused(answer, 422)


def test_many_clients_that_hang_do_not_stop_others(server):
    """Eight bodies that never arrive, at once."""
    threads = [threading.Thread(target=server.send, args=(RAW["body that never arrives"],)) for _ in range(8)]
    for thread in threads:
        thread.start()
    assert server.ask(*POST, **upload()).status == 200
    for thread in threads:
        thread.join()


def test_a_decoder_that_is_killed_or_hangs_is_replaced(photo):
    decoder = Decoder(3_000_000, 5.0)
    try:
        decoder.start()
        decoder._process.kill()
        decoder._process.join()
        assert decoder.decode(photo(0), "a").shape == (256, 256, 3)
        decoder.seconds = 0.2
        os.kill(decoder._process.pid, signal.SIGSTOP)
        with pytest.raises(ImageError, match=r"a: took more than 0\.2 seconds to decode: make it smaller"):
            decoder.decode(photo(0), "a")
        decoder.seconds = 5.0
        assert decoder.decode(photo(0), "a").shape == (256, 256, 3)
    finally:
        decoder.close()
