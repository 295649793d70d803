"""Dead links in a built site: every link and anchor within it, every image, script and style sheet."""

from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

ADDRESSES = {"a": "href", "link": "href", "img": "src", "script": "src", "source": "srcset"}
EXTERNAL = ("http", "https", "mailto")


class _Page(HTMLParser):
    """Collects the anchors of a page and the addresses that it links to or loads."""

    def __init__(self) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.links: list[tuple[str, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Collect the anchors and addresses of a tag."""
        given = dict(attrs)
        self.anchors |= {value for name in ("id", "name") if (value := given.get(name))}
        address = given.get(ADDRESSES.get(tag, ""))
        if address is not None and not {"canonical", "prev", "next"} & set((given.get("rel") or "").split()):
            self.links.append((tag, address))


def read(path: Path) -> _Page:
    """Read the anchors and links of a page."""
    page = _Page()
    page.feed(path.read_text(encoding="utf-8"))
    return page


def dead(site: Path) -> list[str]:
    """Describe every link that leads nowhere within the site, and everything that a page loads from elsewhere."""
    pages = {path.resolve(): read(path) for path in sorted(site.rglob("*.html"))}
    return [
        f"{path.relative_to(site.resolve())}: {address}: {problem}"
        for path, page in pages.items()
        for tag, address in page.links
        if (problem := _problem(path, tag, address, pages))
    ]


def _problem(path: Path, tag: str, address: str, pages: dict[Path, _Page]) -> str | None:
    parts = urlsplit(address)
    if parts.scheme in EXTERNAL or parts.netloc:
        return None if tag == "a" else "loaded from elsewhere"
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
