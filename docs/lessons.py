"""The lessons as pages: each notebook's text, code and stored outputs, without running anything."""

import re
from base64 import b64decode
from html import escape
from pathlib import Path
from typing import Any

from docs.markdown import plot
from notebooks import book

FOLDER = "lessons"
DISPLAYED_MATH = re.compile(r"\$\$(.+?)\$\$", re.DOTALL)
INLINE_MATH = re.compile(r"(?<![\\$\w])\$([^$\n]+?)\$(?![\w$])")
CODE = re.compile(r"(```.*?```|`[^`\n]+`)", re.DOTALL)
LESSON_LINK = re.compile(r"\]\((\d[\w-]*)\.ipynb\)")


def lesson_names() -> list[str]:
    """Return the page of each lesson by its path below the site's pages."""
    return [f"{FOLDER}/{path.stem}.md" for path in book.lessons()]


def write_lessons(out: Path) -> None:
    """Write each lesson as a Markdown page under `out`, with its images next to it."""
    for path in book.lessons():
        page = out / FOLDER / f"{path.stem}.md"
        page.parent.mkdir(parents=True, exist_ok=True)
        cells = book.read(path).cells
        parts = [part for number, cell in enumerate(cells) for part in _cell(cell, page, number)]
        page.write_text("\n\n".join(parts) + "\n", encoding="utf-8")


def _cell(cell: Any, page: Path, number: int) -> list[str]:
    if cell.cell_type == "markdown":
        return [markdown_of(cell.source)]
    parts = [f"```python\n{cell.source}\n```"]
    for place, output in enumerate(cell.get("outputs", ())):
        data = output.get("data", {})
        if "image/png" in data:
            image = page.with_name(f"{page.stem}-{number}-{place}.png")
            image.write_bytes(b64decode(data["image/png"]))
            parts.append(plot("output of the code above", image.name, image))
        elif "text/html" in data:
            parts.append(f'<div class="output">{data["text/html"]}</div>')
        elif text := output.get("text") or data.get("text/plain"):
            parts.append(f'<pre class="output">{escape(text.rstrip())}</pre>')
    return parts


def markdown_of(source: str) -> str:
    """Return a notebook's Markdown as the site's: formulas between dollars become MathML, links lead to pages."""
    parts = CODE.split(source)
    for index in range(0, len(parts), 2):  # every other part is code, in which a dollar is a dollar
        text = DISPLAYED_MATH.sub(lambda found: f"\n\n```math\n{found[1].strip()}\n```\n\n", parts[index])
        parts[index] = INLINE_MATH.sub(r"`#!math \1`", text)
    return LESSON_LINK.sub(r"](\1.md)", "".join(parts))
