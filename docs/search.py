"""An index of the site that its search can read from a folder, where browsers let no page fetch a file."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path

HEADINGS = {"h1", "h2", "h3"}
SKIPPED = {"script", "style", "svg", "math", "nav"}
MAX_CHARACTERS = 1500
"""Characters of a section that can be searched: enough to find it, few enough to load with every page."""


class _Sections(HTMLParser):
    """Collects the sections of a page's article: the id and title of each heading, and the text below it."""

    def __init__(self) -> None:
        super().__init__()
        self.sections: list[dict[str, str]] = []
        self._inside, self._skipped, self._in_heading = False, 0, False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "article":
            self._inside = True
        self._skipped += tag in SKIPPED
        if self._inside and tag in HEADINGS:
            self._in_heading = True
            self.sections.append({"id": dict(attrs).get("id") or "", "title": "", "text": ""})

    def handle_endtag(self, tag: str) -> None:
        if tag == "article":
            self._inside = False
        self._skipped -= tag in SKIPPED
        if tag in HEADINGS:
            self._in_heading = False

    def handle_data(self, data: str) -> None:
        if self._inside and self.sections and not self._skipped:
            self.sections[-1]["title" if self._in_heading else "text"] += data


def sections(html: str) -> list[dict[str, str]]:
    """Return the sections of a page: id, title and text, with single spaces."""
    parser = _Sections()
    parser.feed(html)
    return [
        {"id": found["id"], "title": _tidy(found["title"]).rstrip(" ¶"), "text": _tidy(found["text"])[:MAX_CHARACTERS]}
        for found in parser.sections
    ]


def write_index(site: Path) -> None:
    """Write search_index.js into a built site: a script that holds every section, for search.js."""
    entries = []
    for path in sorted(site.rglob("*.html")):
        page = path.relative_to(site).as_posix()
        for found in sections(path.read_text(encoding="utf-8")):
            address = f"{page}#{found['id']}" if found["id"] else page
            entries.append([address, found["title"], found["text"]])
    text = json.dumps(entries, ensure_ascii=False, separators=(",", ":")).replace("</", "<\\/")
    (site / "search_index.js").write_text(f"window.searchIndex = {text};\n", encoding="utf-8")


def _tidy(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()
