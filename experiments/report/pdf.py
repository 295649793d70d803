"""A report as a PDF, typeset by Typst, whose compiler and fonts come with its Python package.

Typst sets paragraphs, breaks tables over pages and draws SVG as vectors. It reads the report as JSON, so that no name
or path in it is taken for markup. Its output depends on its input alone.
"""

import json
import tempfile
from pathlib import Path
from typing import Any

import typst

from experiments.errors import FacesError
from experiments.report.document import Block, Code, Document, Paragraph, Plot, Ref, Words
from mytorch.files import atomic_write

TEMPLATE = Path(__file__).with_name("paper.typ")


def write_pdf(document: Document, out: Path) -> None:
    """Write the report, whole or not at all."""
    with atomic_write(out) as temporary:
        temporary.write_bytes(_typeset(document, "pdf"))


def write_pages(document: Document, folder: Path, ppi: float = 100.0) -> list[Path]:
    """Write each page as a PNG, page-01.png and so on, into a folder that exists."""
    pages = _typeset(document, "png", ppi)
    paths = []
    for number, page in enumerate(pages if isinstance(pages, list) else [pages], 1):
        paths.append(folder / f"page-{number:02d}.png")
        paths[-1].write_bytes(page)
    return paths


def _typeset(document: Document, kind: str, ppi: float | None = None) -> Any:
    with tempfile.TemporaryDirectory(prefix="faces-report-") as name:
        folder = Path(name)
        (folder / "paper.typ").write_bytes(TEMPLATE.read_bytes())
        tree = json.dumps(_tree(document, folder), ensure_ascii=False)
        (folder / "document.json").write_text(tree, encoding="utf-8")
        try:
            return typst.compile(str(folder / "paper.typ"), root=name, format=kind, ppi=ppi)  # type: ignore[call-overload]
        except typst.TypstError as error:
            raise FacesError(f"the report could not be typeset ({error.message}); write it as .html instead") from error


def _tree(document: Document, folder: Path) -> dict[str, Any]:
    """The report as JSON; its plots become files in `folder`."""
    sections = [
        {
            "title": section.title,
            "number": number,
            "level": section.level,
            "blocks": [_block(block, document, folder) for block in section.blocks],
        }
        for number, section in zip(document.headings(), document.sections, strict=True)
    ]
    return {
        "title": document.title,
        "subtitle": _words(document.subtitle, document),
        "abstract": _words(document.abstract, document),
        "sections": sections,
    }


def _block(block: Block, document: Document, folder: Path) -> dict[str, Any]:
    if isinstance(block, Paragraph):
        return {"kind": "aside" if block.aside else "paragraph", "words": _words(block.words, document)}
    tree: dict[str, Any] = {
        "label": block.label,
        "number": document.numbers[block.label],
        "caption": _words(block.caption, document),
    }
    if isinstance(block, Plot):
        suffix = ".svg" if isinstance(block.source, str) else block.source.suffix.lower()
        file = folder / f"{block.label}{suffix}"
        file.write_bytes(block.source.encode() if isinstance(block.source, str) else block.source.read_bytes())
        return {"kind": "figure", **tree, "file": file.name, "alt": block.alt, "width": block.width}
    columns = [{"title": c.title, "align": c.align, "grow": c.grow} for c in block.columns]
    rows = [[_words(cell, document) for cell in row] for row in block.rows]
    return {
        "kind": "table",
        **tree,
        "columns": columns,
        "rows": rows,
        "groups": sorted(block.groups),
        "breaks": block.breaks,
    }


def _words(words: Words, document: Document) -> list[dict[str, str]]:
    found = []
    for part in words:
        if isinstance(part, Ref):
            found.append({"kind": "ref", "text": document.numbers[part.label], "label": part.label})
        elif isinstance(part, Code):
            found.append({"kind": "code", "text": part.text})
        else:
            found.append({"kind": "text", "text": part})
    return found
