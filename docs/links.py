"""Are there dead links in a built site? Every link and anchor within it, every picture, script and style."""

from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

ADDRESSES = {"a": "href", "link": "href", "img": "src", "script": "src", "source": "src"}
ABROAD = ("http", "https", "mailto")


class _Page(HTMLParser):
    """The anchors that a page has, and the addresses it names; which of those a browser fetches to show it."""

    def __init__(self) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.links: list[tuple[str, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Called for each tag."""
        given = dict(attrs)
        self.anchors |= {value for name in ("id", "name") if (value := given.get(name))}
        address = given.get(ADDRESSES.get(tag, ""))
        if address is not None and not {"canonical", "prev", "next"} & set((given.get("rel") or "").split()):
            self.links.append((tag, address))


def read(path: Path) -> _Page:
    """A page's anchors and links."""
    page = _Page()
    page.feed(path.read_text(encoding="utf-8"))
    return page


def dead(site: Path) -> list[str]:
    """Every link of every page that leads nowhere within the site, and what is fetched from elsewhere, in words."""
    pages = {path.resolve(): read(path) for path in sorted(site.rglob("*.html"))}
    return [
        f"{path.relative_to(site.resolve())}: {address}: {problem}"
        for path, page in pages.items()
        for tag, address in page.links
        if (problem := _problem(path, tag, address, pages))
    ]


def _problem(path: Path, tag: str, address: str, pages: dict[Path, _Page]) -> str | None:
    parts = urlsplit(address)
    if parts.scheme in ABROAD or parts.netloc:
        return None if tag == "a" else "fetched from elsewhere"
    if parts.scheme:  # data:, javascript:
        return None
    target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
    if target.is_dir():
        target /= "index.html"
    if not target.exists():
        return "no such file"
    known = pages.get(target)
    if parts.fragment and known and unquote(parts.fragment) not in known.anchors | {"__top"}:
        return "no such anchor"
    return None
