"""What every request passes first: who may ask, how often and how much; and what every answer carries.

It is ASGI middleware around the whole application, so that no route can forget it. There are no cookies: a page of
another site can make a browser send a request here, but neither with a key nor with this site's Origin.
"""

import json
import logging
import time
from collections import OrderedDict
from collections.abc import Iterable
from typing import Any

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from experiments.serve.keys import ApiKeys
from experiments.serve.monitoring import Metrics
from experiments.serve.settings import ServeSettings

SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
METHODS = (*SAFE_METHODS, "POST", "PUT", "PATCH", "DELETE")
BODY_TYPES = ("multipart/form-data", "application/json")
API = "/api/"
WITHOUT_KEY = ("/api/v1/health",)
MAX_HEADER_BYTES, MAX_HEADERS = 16_384, 100
MAX_BYTES_IN_FLIGHT = 256_000_000
"""Bytes of bodies that the server holds at once, over all requests."""

CONTENT_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
SECURITY_HEADERS = {
    "content-security-policy": CONTENT_POLICY,
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(self), microphone=(), geolocation=()",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}
log = logging.getLogger("faces.serve")


class RefusedError(HTTPException):
    """A request that is refused. code: for programs."""

    def __init__(self, status: int, code: str, message: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(status, message, headers)
        self.code = code


class RateLimiter:
    """A bucket of tokens for each client: a minute's requests, filled steadily. Forgets the oldest clients."""

    MOST_CLIENTS = 10_000

    def __init__(self, per_minute: int) -> None:
        self.per_minute = per_minute
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def seconds_to_wait(self, client: str, now: float) -> float:
        """Take a token; return 0, or in how many seconds there is one."""
        if not self.per_minute:
            return 0.0
        tokens, since = self._buckets.pop(client, (float(self.per_minute), now))
        rate = self.per_minute / 60
        tokens = min(float(self.per_minute), tokens + (now - since) * rate)
        allowed = tokens >= 1
        self._buckets[client] = (tokens - allowed, now)
        if len(self._buckets) > self.MOST_CLIENTS:
            self._buckets.popitem(last=False)
        return 0.0 if allowed else (1 - tokens) / rate


class Guard:
    """The middleware."""

    def __init__(self, app: ASGIApp, settings: ServeSettings, keys: ApiKeys | None, metrics: Metrics) -> None:
        self.app, self.settings, self.keys, self.metrics = app, settings, keys, metrics
        self.limiter = RateLimiter(settings.rate)
        self.hosts = settings.accepted_hosts
        self.in_flight = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":  # no websocket is offered
            await send({"type": "websocket.close", "code": 1008})
            return
        began, status = time.monotonic(), 0

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message = {**message, "headers": _with_security(message["headers"], scope["path"])}
            await send(message)

        body = _Body(self, receive)
        try:
            scope["client_name"] = self._admit(scope)
            await self.app(scope, body.receive, answer)
        except RefusedError as error:
            await _refuse(answer, error)
        except Exception as error:  # the last barrier: no stack trace leaves
            log.exception("%s in a request", type(error).__name__)
            if not status:
                await _refuse(answer, RefusedError(500, "internal", "the server failed at this request; see its log"))
        finally:
            self.in_flight -= body.held
            route = getattr(scope.get("route"), "path", "none")
            method = scope["method"] if scope["method"] in METHODS else "other"
            self.metrics.observe(method, route, status, time.monotonic() - began)

    def _admit(self, scope: Scope) -> str:
        """Return who asks: a key's name, or an address. Raises RefusedError for a request to be refused."""
        size = len(scope.get("raw_path") or b"") + len(scope["query_string"])
        size += sum(len(name) + len(value) for name, value in scope["headers"])
        if size > MAX_HEADER_BYTES or len(scope["headers"]) > MAX_HEADERS:
            message = f"the address and headers are longer than {MAX_HEADER_BYTES:,} bytes, or more than {MAX_HEADERS}"
            raise RefusedError(431, "headers", message)
        headers = _Headers(scope["headers"])
        host = headers.single("host") or ""
        if _host_name(host) not in self.hosts:
            expected = ", ".join(sorted(self.hosts))
            raise RefusedError(
                421, "host", f"the Host header is none of this server's names: expected one of {expected}"
            )
        unsafe = scope["method"] not in SAFE_METHODS
        self._check_origin(headers, host, unsafe or scope["path"].startswith(API))
        client = (scope.get("client") or ("local", 0))[0]
        wait = self.limiter.seconds_to_wait(client, time.monotonic())
        if wait:
            seconds = str(max(1, round(wait)))
            message = f"more than {self.settings.rate} requests a minute: wait {seconds} s"
            raise RefusedError(429, "rate", message, {"retry-after": seconds})
        owner = self._check_key(headers, scope["path"])
        if unsafe:
            self._check_body(headers)
        return owner or client

    def _check_origin(self, headers: "_Headers", host: str, strict: bool) -> None:
        origin = headers.single("origin")
        if origin is not None and origin not in (f"http://{host}", f"https://{host}"):
            raise RefusedError(
                403, "origin", "the Origin header is another site's: only this server's own page may ask"
            )
        if strict and headers.single("sec-fetch-site") in ("cross-site", "same-site"):
            raise RefusedError(403, "origin", "a page of another site made this request: only this server's own may")

    def _check_key(self, headers: "_Headers", path: str) -> str | None:
        if self.keys is None or not path.startswith(API) or path in WITHOUT_KEY:
            return None
        given = headers.single("authorization") or ""
        scheme, _, key = given.partition(" ")
        owner = self.keys.owner(key.strip()) if scheme.lower() == "bearer" else None
        if owner is None:
            message = "an API key is needed, in the header 'Authorization: Bearer KEY'"
            raise RefusedError(401, "key", message, {"www-authenticate": "Bearer"})
        return owner

    def _check_body(self, headers: "_Headers") -> None:
        length = headers.single("content-length")
        if length is None and headers.single("transfer-encoding") is None:
            return
        if length is not None and not (length.isascii() and length.isdigit()):
            raise RefusedError(400, "length", "the Content-Length header: expected a whole number")
        if int(length or 0) > self.settings.max_bytes:
            raise self.too_long()
        kind = (headers.single("content-type") or "").partition(";")[0].strip().lower()
        if length != "0" and kind not in BODY_TYPES:
            raise RefusedError(415, "type", f"the Content-Type header: expected {' or '.join(BODY_TYPES)}")

    def too_long(self) -> RefusedError:
        """The refusal of a body that is too long."""
        return RefusedError(
            413, "size", f"the request is longer than {self.settings.max_bytes:,} bytes: send smaller or fewer photos"
        )


class _Body:
    """Receives a body within the limits of bytes, of time, and of what all requests hold together."""

    def __init__(self, guard: Guard, receive: Receive) -> None:
        self.guard, self._receive = guard, receive
        self.held = 0
        self.ends = time.monotonic() + guard.settings.body_seconds
        self.complete = False

    async def receive(self) -> Message:
        """Return the next message. Raises RefusedError past a limit."""
        if self.complete:
            return await self._receive()
        import anyio

        message: Message = {}
        with anyio.move_on_after(max(0.0, self.ends - time.monotonic())) as scope:
            message = await self._receive()
        if scope.cancelled_caught:
            seconds = self.guard.settings.body_seconds
            raise RefusedError(408, "slow", f"the request took more than {seconds:g} seconds to arrive: send it again")
        if message["type"] == "http.request":
            size = len(message.get("body", b""))
            self.held += size
            self.guard.in_flight += size
            self.complete = not message.get("more_body", False)
            if self.held > self.guard.settings.max_bytes:
                raise self.guard.too_long()
            if self.guard.in_flight > MAX_BYTES_IN_FLIGHT:
                raise RefusedError(503, "busy", "the server holds as much as it can: try again", {"retry-after": "2"})
        return message


class _Headers:
    """The headers of a request."""

    def __init__(self, raw: Iterable[tuple[bytes, bytes]]) -> None:
        self._values: dict[str, list[str]] = {}
        for name, value in raw:
            self._values.setdefault(name.decode("latin-1").lower(), []).append(value.decode("latin-1"))

    def single(self, name: str) -> str | None:
        """Return a header, or None. Raises RefusedError where it is there twice."""
        values = self._values.get(name, [])
        if len(values) > 1:
            raise RefusedError(400, "header", f"the header {name} is there {len(values)} times, expected it once")
        return values[0] if values else None


def _host_name(host: str) -> str:
    """Return the name in a Host header without its port: [::1]:8000 is ::1."""
    if host.startswith("["):
        name, bracket, rest = host[1:].partition("]")
        return name.lower() if bracket and (not rest or rest[1:].isdigit()) else ""
    name, _, port = host.partition(":")
    return name.lower() if not port or port.isdigit() else ""


def _with_security(headers: Iterable[tuple[bytes, bytes]], path: str) -> list[tuple[bytes, bytes]]:
    kept = [(name, value) for name, value in headers if name.lower() != b"server"]
    kept += [(name.encode(), value.encode()) for name, value in SECURITY_HEADERS.items()]
    if not any(name.lower() == b"cache-control" for name, _ in kept):
        kept.append((b"cache-control", b"no-cache" if path.startswith("/static/") else b"no-store"))
    return kept


def error_body(code: str, message: str) -> dict[str, Any]:
    """What an error is answered with."""
    return {"error": {"code": code, "message": message}}


async def _refuse(send: Send, error: RefusedError) -> None:
    content = json.dumps(error_body(error.code, str(error.detail))).encode()
    headers = {"content-type": "application/json", "content-length": str(len(content)), **(error.headers or {})}
    # What is left of the body is not read, so the connection cannot be used again.
    headers["connection"] = "close"
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": error.status_code, "headers": raw})
    await send({"type": "http.response.body", "body": content})
