"""A report as one self-contained HTML page: style, plots and images are in the file, and nothing is fetched."""

from base64 import b64encode
from html import escape
from pathlib import Path

from experiments.files import write_text
from experiments.report.document import Block, Code, Document, Paragraph, Plot, Ref, Table, Words

STYLE = Path(__file__).with_name("paper.css")
WIDEST_ON_A_PHONE = 0.7
"""Plots of a larger part of the text's width have panels side by side: on a narrow screen they scroll."""

COLUMNS_FOR_CARDS = 4
"""Tables of as many columns or more become a list of cards on a narrow screen: a row each."""

_TYPES = {".png": "image/png", ".jpg": "image/jpeg"}


def write_html(document: Document, out: Path) -> None:
    """Write the page, whole or not at all."""
    write_text(out, page(document))


def page(document: Document) -> str:
    """Return the whole page."""
    parts = [
        "<!doctype html>",
        '<html lang="en">',
        '<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{escape(document.title)}</title>",
        f"<style>\n{STYLE.read_text(encoding='utf-8')}</style></head>",
        f"<body><main><header><h1>{escape(document.title)}</h1>",
        f'<p class="subtitle">{_words(document.subtitle, document)}</p></header>',
        f'<section class="abstract"><h2>Abstract</h2><p>{_words(document.abstract, document)}</p></section>',
    ]
    for number, section in zip(document.headings(), document.sections, strict=True):
        tag = f"h{section.level + 1}"
        parts.append(f'<section><{tag}><span class="number">{number}</span>{escape(section.title)}</{tag}>')
        parts += [_block(block, document) for block in section.blocks]
        parts.append("</section>")
    return "\n".join([*parts, "</main></body>", "</html>", ""])


def _block(block: Block, document: Document) -> str:
    if isinstance(block, Paragraph):
        kind = ' class="aside"' if block.aside else ""
        return f"<p{kind}>{_words(block.words, document)}</p>"
    caption = f"<b>{document.numbers[block.label]}.</b> {_words(block.caption, document)}"
    if isinstance(block, Plot):
        image = f'<img src="{_data(block)}" alt="{escape(block.alt)}" style="width: {100 * block.width:g}%">'
        kind = "wide plot" if block.width > WIDEST_ON_A_PHONE else "plot"
        figure = f'<div class="{kind}">{image}</div><figcaption>{caption}</figcaption>'
        return f'<figure id="{block.label}">{figure}</figure>'
    return (
        f'<figure id="{block.label}" class="table"><figcaption>{caption}</figcaption>{_table(block, document)}</figure>'
    )


def _table(table: Table, document: Document) -> str:
    kinds = [f' class="{c.align} grow"' if c.grow else f' class="{c.align}"' for c in table.columns]
    head = "".join(f"<th{kind}>{_title(c.title)}</th>" for kind, c in zip(kinds, table.columns, strict=True))
    titles = [escape(c.title.replace("-\n", "").replace("\n", " "), quote=True) for c in table.columns]
    rows = []
    for number, row in enumerate(table.rows):
        cells = "".join(
            f'<td{kind} data-title="{title}"><span>{_words(cell, document)}</span></td>'
            for kind, title, cell in zip(kinds, titles, row, strict=True)
        )
        rows.append(f'<tr class="group">{cells}</tr>' if number in table.groups else f"<tr>{cells}</tr>")
    name = ' class="cards"' if len(table.columns) >= COLUMNS_FOR_CARDS else ""
    return f'<div class="wide"><table{name}><thead><tr>{head}</tr></thead><tbody>{"".join(rows)}</tbody></table></div>'


def _title(text: str) -> str:
    return escape(text).replace("\n", "<br>")


def _words(words: Words, document: Document) -> str:
    shown = []
    for part in words:
        if isinstance(part, Ref):
            shown.append(f'<a href="#{part.label}">{document.numbers[part.label]}</a>')
        elif isinstance(part, Code):
            shown.append(f"<code>{escape(part.text)}</code>")
        else:
            shown.append(escape(part))
    return "".join(shown)


def _data(plot: Plot) -> str:
    if isinstance(plot.source, str):
        kind, content = "image/svg+xml", plot.source.encode()
    else:
        kind, content = _TYPES[plot.source.suffix.lower()], plot.source.read_bytes()
    return f"data:{kind};base64,{b64encode(content).decode()}"
