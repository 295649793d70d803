"""What mkdocstrings asks while it reads the code: docstrings here are plain text, and not Markdown.

Formulae as MathML, which browsers set themselves: no script, no font to fetch.

In a page, a block fenced by ```` ```math ```` and, inline, `` `#!math x^2` ``, both in LaTeX.
"""

import re
from typing import Any
from xml.etree import ElementTree as ET

from griffe import Extension, Object
from latex2mathml.converter import convert

SPAN = re.compile(r"(`[^`]+`)")
SIGN = re.compile(r"([*_\[\]])")


def plain(text: str) -> str:
    """Text in which Markdown finds no emphasis, links or tags: `(N, C, *size)` stays as it is; `code` stays code."""
    parts = SPAN.split(text)
    return "".join(part if part.startswith("`") else SIGN.sub(r"\\\1", part).replace("<", "&lt;") for part in parts)


class PlainText(Extension):
    """Keeps Markdown away from the docstrings' stars and brackets."""

    def on_instance(self, *, obj: Object, **_: Any) -> None:
        """Called for each module, class, function and attribute that is read."""
        if obj.docstring:
            obj.docstring.value = plain(obj.docstring.value)


NAMESPACE = ' xmlns="http://www.w3.org/1998/Math/MathML"'


def block(source: str, *_: Any, **__: Any) -> str:
    """A displayed formula, or several, parted by empty lines: what pymdownx.superfences wants of a format."""
    lines = "".join(convert(part, display="block") for part in source.strip().split("\n\n"))
    return f'<div class="formula">{lines}</div>'


def inline(source: str, *_: Any, **__: Any) -> ET.Element:
    """A formula within a line: what pymdownx.inlinehilite wants of a format."""
    return ET.fromstring(convert(source).replace(NAMESPACE, ""))  # HTML knows <math> by its name
