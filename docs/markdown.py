"""Markdown: docstrings as plain text, and formulas as MathML, which browsers set without a script or a font.

In a page a formula is a block fenced by ```` ```math ````, or inline `` `#!math x^2` ``; both hold LaTeX.
"""

import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

from griffe import Extension, Object
from latex2mathml.converter import convert
from PIL import Image

NAMESPACE = ' xmlns="http://www.w3.org/1998/Math/MathML"'
CODE = re.compile(r"(`[^`]+`)")
MARKUP = re.compile(r"([*_\[\]])")
SIDE = re.compile(r"\\([lr])[vV]ert(?![a-zA-Z])")
BAR = re.compile(r"<mo>(&#x0007C;|&#x02016;)</mo>")
FUNCTION = re.compile(r"(<mrow>|&#x00028;</mo>)?<m[io]>(?!mod<)([a-z]{3,})</m[io]>(?=(<mo[^<>]*>&#x00028;)?)")


def plain(text: str) -> str:
    """Escape text so that Markdown finds no markup in it: `(N, C, *size)` stays as it is, and `code` stays code."""
    parts = CODE.split(text)
    return "".join(part if part.startswith("`") else MARKUP.sub(r"\\\1", part).replace("<", "&lt;") for part in parts)


def plot(alt: str, address: str, path: Path) -> str:
    """Return an image of results as Markdown. One of several panels is wide: a narrow screen shows a part of it.

    address: where the page finds it; path: where it is now.
    """
    with Image.open(path) as image:
        wide = " .wide" if image.width > 2 * image.height else ""
    return f"![{alt}]({address}){{ .plot{wide} }}"


class PlainText(Extension):
    """Keeps Markdown from reading markup into the stars and brackets of docstrings."""

    def on_instance(self, *, obj: Object, **_: Any) -> None:
        """Escape the docstring of each module, class, function and attribute that is read."""
        if obj.docstring:
            obj.docstring.value = plain(obj.docstring.value)


def mathml(source: str, display: str = "inline") -> str:
    """Return LaTeX as MathML, with the spaces that browsers get wrong otherwise.

    Bars that open or close are as high as a letter and have no space inside; names of functions have a thin space on
    both sides, except next to a bracket or at the beginning.
    """
    sides = iter(SIDE.findall(source))
    form = {"l": ' form="prefix" stretchy="false"', "r": ' form="postfix" stretchy="false"'}
    text = BAR.sub(lambda bar: f"<mo{form.get(next(sides, ''), '')}>{bar[1]}</mo>", convert(source, display=display))
    return FUNCTION.sub(
        lambda name: (
            f'{name[1] or ""}<mo lspace="{0 if name[1] else 0.17}em" rspace="{0 if name[3] else 0.17}em">{name[2]}</mo>'
        ),
        text,
    )


def block(source: str, *_: Any, **__: Any) -> str:
    """Return a displayed formula as HTML, in the form that pymdownx.superfences calls.

    Empty lines separate rows. `\\qquad` separates formulas of a row; on a narrow screen each gets a line of its own.
    """
    rows = ("".join(mathml(part, "block") for part in row.split(r"\qquad")) for row in source.strip().split("\n\n"))
    return '<div class="formula">' + "".join(f'<div class="row">{row}</div>' for row in rows) + "</div>"


def inline(source: str, *_: Any, **__: Any) -> ET.Element:
    """Return a formula within a line, in the form that pymdownx.inlinehilite calls."""
    return ET.fromstring(mathml(source).replace(NAMESPACE, ""))  # HTML knows <math> by its name
