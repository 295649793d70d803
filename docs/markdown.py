"""What mkdocstrings asks while it reads the code: docstrings here are plain text, and not Markdown."""

import re
from typing import Any

from griffe import Extension, Object

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
