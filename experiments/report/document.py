"""A paper as data: sections of paragraphs, tables and figures, which the PDF and the page in HTML are made from.

Figures as people read them.
"""

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


SPACE = "\N{NO-BREAK SPACE}"
NONE = "\N{EN DASH}"
_NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")


def percent(share: float | None, digits: int = 1) -> str:
    """0.794 as 79.4 %."""
    return NONE if share is None else f"{100 * share:.{digits}f}{SPACE}%"


def between(interval: Sequence[float] | None, digits: int = 1) -> str:
    """An interval of shares: 74.8 to 83.6 %."""
    if not interval:
        return ""
    return f"{100 * interval[0]:.{digits}f} to {100 * interval[1]:.{digits}f}{SPACE}%"


def points(difference: float) -> str:
    """A difference of two shares, in percentage points."""
    return f"{abs(100 * difference):.1f} points"


def decimal(value: float | None, digits: int = 3) -> str:
    """A loss, or another number of no great size."""
    return NONE if value is None else f"{value:.{digits}f}"


def setting(value: float) -> str:
    """A setting, without zeros that say nothing: 0.0005, 0.1, 24."""
    return f"{value:g}"


def large(value: float | None) -> str:
    """2,300,000 as 2.30 M."""
    if value is None:
        return NONE
    for unit in ("", "k", "M", "G", "T"):
        if value < 999.5 or unit == "T":
            return f"{value:.3g}{SPACE}{unit}".strip()
        value /= 1000
    raise AssertionError("unreachable")


def number(count: int) -> str:
    """Twelve and below in letters."""
    return _NUMBERS[count] if 0 <= count < len(_NUMBERS) else f"{count:,}"


def counted(count: int, what: str, plural: str = "") -> str:
    """one run, three runs, 20 runs."""
    return f"{number(count)} {what if count == 1 else plural or what + 's'}"


def listed(items: Sequence[str]) -> str:
    """a, b and c."""
    return " and ".join([", ".join(items[:-1]), items[-1]]) if len(items) > 1 else "".join(items)


def sentence(text: str) -> str:
    """With a capital."""
    return text[:1].upper() + text[1:]
