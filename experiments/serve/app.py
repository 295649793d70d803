"""The application: routes, errors as JSON, the guard around it, and the server that runs it."""

import json
import logging
import socket
from typing import Any

import uvicorn
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartParser

from experiments.errors import FacesError, expected_words
from experiments.evaluation.gallery.records import ConflictError, UnknownPersonError
from experiments.progress import say
from experiments.serve import api, pages, people_api
from experiments.serve.guard import MAX_HEADER_BYTES, Guard, RefusedError, error_body
from experiments.serve.service import Service
from experiments.serve.settings import ServeSettings, check_settings
from mytorch.version import __version__

MAX_CONNECTIONS = 128
DESCRIPTION = (
    "Faces in photos: detection, embeddings, and whether two photos show one person, at thresholds with measured error "
    "rates. Photos are sent as multipart/form-data; nothing is stored but people that you enroll."
)


class LimitedJSON(JSONResponse):
    """JSON without infinities and NaN, which no other language reads."""

    def render(self, content: Any) -> bytes:
        """Return the bytes."""
        return json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


class FacesApp(Guard):
    """The guarded application. `service` is what it holds; `api` is the FastAPI application inside."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.api = _routes(service)
        super().__init__(self.api, service.settings, service.keys, service.metrics)


def create_app(settings: ServeSettings) -> FacesApp:
    """Open the models and return the application. Raises FacesError as `Service` does. Close `.service` afterwards."""
    MultiPartParser.spool_max_size = settings.max_bytes + 1  # uploads stay in memory, no file is written
    return FacesApp(Service(settings))


def _routes(service: Service) -> FastAPI:
    app = FastAPI(
        title="faces",
        version=__version__,
        description=DESCRIPTION,
        openapi_url="/api/v1/openapi.json",
        docs_url=None,  # its page loads scripts from other servers
        redoc_url=None,
        default_response_class=LimitedJSON,
    )
    app.state.service = service
    app.include_router(api.router)
    app.include_router(people_api.router)
    app.include_router(pages.router)
    app.add_exception_handler(FacesError, _unusable)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _refused)
    app.add_exception_handler(Exception, _failed)
    return app


async def _unusable(request: Request, error: Exception) -> JSONResponse:
    status = 404 if isinstance(error, UnknownPersonError) else 409 if isinstance(error, ConflictError) else 422
    return JSONResponse(error_body("unusable", str(error)), status)


async def _invalid(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    problem = error.errors()[0]
    where = ".".join(str(part) for part in problem["loc"][1:]) or "the request"
    return JSONResponse(error_body("invalid", f"{where}: {expected_words(problem)}"), 422)


async def _refused(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    code = error.code if isinstance(error, RefusedError) else "http"
    return JSONResponse(error_body(code, str(error.detail)), error.status_code, error.headers)


async def _failed(request: Request, error: Exception) -> JSONResponse:
    return JSONResponse(error_body("internal", "the server failed at this request; see its log"), 500)


def server_config(app: FacesApp, settings: ServeSettings) -> uvicorn.Config:
    """Return how uvicorn serves the application."""
    return uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        http="h11",
        ws="none",
        lifespan="off",
        access_log=False,
        log_level="warning",
        server_header=False,
        proxy_headers=False,  # a client could name any address in X-Forwarded-For
        limit_concurrency=MAX_CONNECTIONS,
        h11_max_incomplete_event_size=MAX_HEADER_BYTES,
        timeout_keep_alive=5,
        timeout_graceful_shutdown=10,
    )


def _listen(settings: ServeSettings) -> socket.socket:
    """Open the port, before anything is loaded. Raises FacesError where that is not possible."""
    check_settings(settings)
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        return socket.create_server((settings.host, settings.port), family=family)
    except OSError as error:
        raise FacesError(
            f"{settings.host}, port {settings.port}: {error.strerror or error}: choose another --port, or end the "
            "program that listens there"
        ) from error


def serve(settings: ServeSettings) -> None:
    """Serve until Ctrl-C. Raises FacesError where settings are unsafe or something is missing."""
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("faces.serve").setLevel(logging.INFO)
    with _listen(settings) as listening:
        app = create_app(settings)
        host = f"[{settings.host}]" if ":" in settings.host else settings.host
        say(f"serving on http://{host}:{settings.port}  (Ctrl-C ends it)")
        keys = "are required" if app.keys else "are not used"
        say(f"network {app.service.recognizer.embedder.title}; API keys {keys}")
        try:
            uvicorn.Server(server_config(app, settings)).run([listening])
        finally:
            app.service.close()
