"""Python source as numbers that stay the same when names, comments, layout, strings and constants are changed."""

import dataclasses
import io
import json
import keyword
import token
import tokenize
import zlib
from pathlib import Path

from autograder.submission import files_below
from autograder.text import plain

MAX_SOURCE = 512 << 10  # bytes of a file, and of all notebooks' code in one
_MAX_TOKENS = 300_000  # of a hand-in
_NAME, _NUMBER, _STRING, _INDENT, _DEDENT = 1, 2, 3, 4, 5
_KEYWORDS = {word: 100 + place for place, word in enumerate(sorted({*keyword.kwlist, "print"}))}
_OPERATORS = {text: 200 + place for place, text in enumerate(sorted(token.EXACT_TOKEN_TYPES))}
_FUNCTIONS = 1000  # names in NumPy are not the student's to choose, so that each has a number of its own
_NOTHING = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.ENCODING, tokenize.ENDMARKER}


@dataclasses.dataclass(frozen=True)
class Source:
    """One file: its text, the numbers of its tokens, and the line, from 0, that each is on."""

    name: str
    lines: list[str]
    codes: list[int]
    places: list[int]


def read(folder: Path) -> list[Source]:
    """The Python files and notebooks below a folder, but those that are too large or no text."""
    found = []
    left = _MAX_TOKENS
    for path in files_below(folder):
        try:
            if path.suffix.lower() not in (".py", ".ipynb") or path.stat().st_size > 4 * MAX_SOURCE:
                continue
            text = path.read_text(encoding="utf-8-sig", errors="replace")
        except OSError:
            continue
        if path.suffix.lower() == ".ipynb":
            text = _code(text)
        source = tokens(plain(str(path.relative_to(folder))), text[:MAX_SOURCE])
        left -= len(source.codes)
        if left < 0:
            break
        found.append(source)
    return found


def tokens(name: str, text: str) -> Source:
    """A file's tokens, as far as it can be read; imports, docstrings and layout are left out."""
    codes: list[int] = []
    places: list[int] = []
    statement: list[tuple[int, int]] = []
    first = ""
    before = ("", "")
    try:
        for item in tokenize.generate_tokens(io.StringIO(text).readline):
            if item.type == tokenize.NEWLINE:
                if first not in ("import", "from") and not all(code == _STRING for code, _ in statement):
                    codes += [code for code, _ in statement]
                    places += [place for _, place in statement]
                statement, first = [], ""
            if item.type in _NOTHING:
                continue
            if item.type in (tokenize.INDENT, tokenize.DEDENT):
                codes.append(_INDENT if item.type == tokenize.INDENT else _DEDENT)
                places.append(item.start[0] - 1)
                continue
            first = first or item.string
            statement.append((_code_of(item, before), item.start[0] - 1))
            before = (before[1], item.string)
    except (tokenize.TokenError, SyntaxError, ValueError, RecursionError):
        pass  # what came before counts
    lines = plain(text).splitlines()
    return Source(name, lines, codes, [min(place, max(0, len(lines) - 1)) for place in places])


def _code_of(item: tokenize.TokenInfo, before: tuple[str, str]) -> int:
    if item.type == tokenize.NAME:
        if item.string in _KEYWORDS:
            return _KEYWORDS[item.string]
        if before[1] == "." and before[0] in ("np", "numpy"):
            return _FUNCTIONS + zlib.crc32(item.string.encode()) % (1 << 30)
        return _NAME
    if item.type == tokenize.NUMBER:
        return _NUMBER
    if item.type == tokenize.OP:
        return _OPERATORS[item.string]
    return _STRING


def _code(notebook: str) -> str:
    """The code cells of a notebook, without magics; nothing where it is no notebook."""
    try:
        cells = json.loads(notebook)["cells"]
        texts = ["".join(cell["source"]) for cell in cells if cell.get("cell_type") == "code"]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return ""
    lines = "\n".join(texts).splitlines()
    return "\n".join(f"# {text}" if text.lstrip().startswith(("%", "!")) else text for text in lines)
