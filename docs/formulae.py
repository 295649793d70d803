r"""Formulae as MathML, which browsers set themselves: no script, no font to fetch.

In a page, a block fenced by ```` ```math ```` and, inline, `` `#!math x^2` ``, both in LaTeX.
"""

from typing import Any
from xml.etree import ElementTree as ET

from latex2mathml.converter import convert

NAMESPACE = ' xmlns="http://www.w3.org/1998/Math/MathML"'


def block(source: str, *_: Any, **__: Any) -> str:
    """A displayed formula, or several, parted by empty lines: what pymdownx.superfences wants of a format."""
    lines = "".join(convert(part, display="block") for part in source.strip().split("\n\n"))
    return f'<div class="formula">{lines}</div>'


def inline(source: str, *_: Any, **__: Any) -> ET.Element:
    """A formula within a line: what pymdownx.inlinehilite wants of a format."""
    return ET.fromstring(convert(source).replace(NAMESPACE, ""))  # HTML knows <math> by its name
