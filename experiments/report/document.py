"""A paper as data: sections of paragraphs, tables and figures, which the PDF and the page in HTML are made from."""

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
    """A mention of a table or a figure, by its label; it is shown by its number."""

    label: str


Words = tuple[str | Code | Ref, ...]
"""Running text."""


@dataclass(frozen=True)
class Paragraph:
    """Running text; `aside` is set smaller, for a remark on what is missing."""

    words: Words
    aside: bool = False


@dataclass(frozen=True)
class Column:
    """A column of a table. grow: its share of the width that is left over; 0 for as wide as its contents."""

    title: str
    align: Literal["left", "right"] = "left"
    grow: float = 0.0


@dataclass(frozen=True)
class Table:
    """Rows of cells below a caption. groups: the numbers of rows that a thin line goes above; breaks: over
    pages, where it does not fit."""

    label: str
    caption: Words
    columns: Sequence[Column]
    rows: Sequence[Sequence[Words]]
    groups: frozenset[int] = frozenset()
    breaks: bool = False


@dataclass(frozen=True)
class Figure:
    """A drawing (SVG) or a file of pixels above a caption. width: share of the text's; alt: what it shows, in words."""

    label: str
    caption: Words
    source: str | Path
    alt: str
    width: float = 1.0


Block = Paragraph | Table | Figure


@dataclass(frozen=True)
class Section:
    """A numbered part of the paper. level: 1, or 2 for a part of the section before."""

    title: str
    blocks: Sequence[Block]
    level: int = 1


@dataclass(frozen=True)
class Document:
    """A whole paper. subtitle: a line below the title; numbers: of each label, such as "Figure 2"."""

    title: str
    subtitle: Words
    abstract: Words
    sections: Sequence[Section]
    numbers: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        found: dict[str, str] = {}
        counts = {Table: 0, Figure: 0}
        for block in self.blocks():
            if isinstance(block, Table | Figure):
                counts[type(block)] += 1
                found[block.label] = f"{type(block).__name__}\N{NO-BREAK SPACE}{counts[type(block)]}"
        object.__setattr__(self, "numbers", found)

    def blocks(self) -> Iterator[Block]:
        """All blocks, in order."""
        for section in self.sections:
            yield from section.blocks

    def plain(self, words: Words) -> str:
        """Running text without its marks."""
        return "".join(part if isinstance(part, str) else self._plain(part) for part in words)

    def _plain(self, part: Code | Ref) -> str:
        return part.text if isinstance(part, Code) else self.numbers[part.label]

    def headings(self) -> list[str]:
        """The number of each section: 1, 2, 2.1, 2.2, 3 ..."""
        major, minor, found = 0, 0, []
        for section in self.sections:
            major, minor = (major + 1, 0) if section.level == 1 else (major, minor + 1)
            found.append(f"{major}.{minor}" if minor else f"{major}")
        return found


def say(*words: str | Code | Ref) -> Paragraph:
    """A paragraph of these words."""
    return Paragraph(words)


def capital(words: Words) -> Words:
    """With a capital at their beginning."""
    first, *rest = words
    return (f"{first[:1].upper()}{first[1:]}" if isinstance(first, str) else first, *rest)


def cells(*values: str | Code | Words) -> tuple[Words, ...]:
    """A row of a table."""
    return tuple(value if isinstance(value, tuple) else (value,) for value in values)
