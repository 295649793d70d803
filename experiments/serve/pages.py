"""The page: templates that the server fills, and its own script and style. Nothing is loaded from another server."""

from pathlib import Path
from typing import Any

from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from experiments.serve.service import Service

HERE = Path(__file__).parent
KINDS = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
PAGES = {
    "match": ("/", "Compare"),
    "identify": ("/identify", "Identify"),
    "people": ("/people", "People"),
    "api": ("/reference", "API"),
}
"""The pages by the name of their template: address and label."""

router = APIRouter(include_in_schema=False)

_STATIC = {path.name: path.read_bytes() for path in (HERE / "static").iterdir() if path.suffix in KINDS}
"""Read once, so that no path of a request reaches the file system."""

_TEMPLATES = Environment(
    loader=FileSystemLoader(HERE / "templates"),
    autoescape=select_autoescape(default=True),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def _page(request: Request, name: str, **more: Any) -> HTMLResponse:
    service: Service = request.app.state.service
    text = _TEMPLATES.get_template(f"{name}.html").render(
        page=name,
        pages=PAGES,
        network=service.recognizer.embedder.title,
        calibration=service.recognizer.calibration,
        gallery=service.has_gallery,
        thumbnails=service.settings.thumbnails,
        consent=service.settings.consent,
        **more,
    )
    return HTMLResponse(text)


@router.get("/")
async def match_page(request: Request) -> HTMLResponse:
    """Return the page that compares two photos."""
    return _page(request, "match")


@router.get("/identify")
async def identify_page(request: Request) -> HTMLResponse:
    """Return the page that names the people of a photo."""
    return _page(request, "identify")


@router.get("/people")
async def people_page(request: Request) -> HTMLResponse:
    """Return the page of the gallery. Its people come by the API, which may need a key."""
    return _page(request, "people")


@router.get("/reference")
async def reference_page(request: Request) -> HTMLResponse:
    """Return the list of the API's routes."""
    routes = [
        {"method": method.upper(), "path": path, "summary": operation["summary"]}
        for path, operations in request.app.openapi()["paths"].items()
        for method, operation in operations.items()
    ]
    return _page(request, "api", routes=routes, base=str(request.base_url).rstrip("/"))


@router.get("/static/{name}")
async def static(name: str) -> Response:
    """Return a script, the style or the icon."""
    if name not in _STATIC:
        raise HTTPException(404, "no such file")
    return Response(_STATIC[name], media_type=KINDS[Path(name).suffix])
