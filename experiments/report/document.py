"""A report as data: sections of paragraphs, tables and plots, from which the PDF and the HTML page are made."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal


@dataclass(frozen=True)
class Code:
    """A name, a path or a command, as typed."""

    text: str


@dataclass(frozen=True)
class Ref:
    """A mention of a table or plot by its label; the reader sees its number."""

    label: str


Words = tuple[str | Code | Ref, ...]
"""Running text."""


@dataclass(frozen=True)
class Paragraph:
    """Running text. `aside` is set smaller, for a remark on what is missing."""

    words: Words
    aside: bool = False


@dataclass(frozen=True)
class Column:
    """A column of a table. grow: its part of the width that is left over; 0: as wide as its contents."""

    title: str
    align: Literal["left", "right"] = "left"
    grow: float = 0.0


@dataclass(frozen=True)
class Table:
    """Rows of cells below a caption.

    groups: the indices of rows that have a thin line above them; breaks: whether it may continue on the next page.
    """

    label: str
    caption: Words
    columns: Sequence[Column]
    rows: Sequence[Sequence[Words]]
    groups: frozenset[int] = frozenset()
    breaks: bool = False


@dataclass(frozen=True)
class Plot:
    """A drawing (SVG) or an image file above a caption.

    width: a fraction of the text's; alt: what it shows, for those who do not see it.
    """

    label: str
    caption: Words
    source: str | Path
    alt: str
    width: float = 1.0


Block = Paragraph | Table | Plot


@dataclass(frozen=True)
class Section:
    """A numbered part of the report. level: 1, or 2 for a part of the section before."""

    title: str
    blocks: Sequence[Block]
    level: int = 1


@dataclass(frozen=True)
class Document:
    """A whole report. subtitle: a line below the title; numbers: of each label, such as "Figure 2"."""

    title: str
    subtitle: Words
    abstract: Words
    sections: Sequence[Section]
    numbers: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        found: dict[str, str] = {}
        counts = {"Table": 0, "Figure": 0}
        for block in self.blocks():
            if isinstance(block, Table | Plot):
                kind = "Table" if isinstance(block, Table) else "Figure"
                counts[kind] += 1
                found[block.label] = f"{kind}\N{NO-BREAK SPACE}{counts[kind]}"
        object.__setattr__(self, "numbers", found)

    def blocks(self) -> Iterator[Block]:
        """Yield all blocks, in order."""
        for section in self.sections:
            yield from section.blocks

    def plain(self, words: Words) -> str:
        """Return running text without its markup."""
        return "".join(part if isinstance(part, str) else self._plain(part) for part in words)

    def _plain(self, part: Code | Ref) -> str:
        return part.text if isinstance(part, Code) else self.numbers[part.label]

    def headings(self) -> list[str]:
        """Return the number of each section: 1, 2, 2.1, 2.2, 3 ..."""
        major, minor, found = 0, 0, []
        for section in self.sections:
            major, minor = (major + 1, 0) if section.level == 1 else (major, minor + 1)
            found.append(f"{major}.{minor}" if minor else f"{major}")
        return found


def paragraph(*words: str | Code | Ref | Words) -> Paragraph:
    """Return a paragraph of these words."""
    return Paragraph(join(*words))


def aside(*words: str | Code | Ref | Words) -> Paragraph:
    """Return a remark in smaller type."""
    return Paragraph(join(*words), aside=True)


def join(*words: str | Code | Ref | Words) -> Words:
    """Join pieces of text, and texts, to one."""
    found: list[str | Code | Ref] = []
    for part in words:
        found += part if isinstance(part, tuple) else [part]
    return tuple(found)


def enumerate_words(items: Sequence[Words]) -> Words:
    """Join texts to "a, b and c"."""
    found: list[str | Code | Ref] = []
    for place, item in enumerate(items):
        found += ["" if not place else " and " if place == len(items) - 1 else ", ", *item]
    return tuple(part for part in found if part != "")


def capitalize_words(words: Words) -> Words:
    """Begin a text with a capital; a name stays as it is."""
    first, *rest = words
    return (f"{first[:1].upper()}{first[1:]}" if isinstance(first, str) else first, *rest)


def cells(*values: str | Code | Words) -> tuple[Words, ...]:
    """Return a row of a table."""
    return tuple(value if isinstance(value, tuple) else (value,) for value in values)
