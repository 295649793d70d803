"""Makes text from a submission safe to show: names, messages and printed output, in every format and every terminal.

A file name may hold bytes that are not UTF-8, an exception's message half a surrogate pair, and printed output the
sequences that clear a terminal, rename its window or reverse its text. `plain` turns each into a visible escape, so
that a report can be written and printed anywhere. Renderers escape HTML, and `cell` neutralizes formulas.
"""

import re
import unicodedata

_LAYOUT = {0x200E, 0x200F, 0x2028, 0x2029, 0xFEFF, *range(0x202A, 0x202F), *range(0x2066, 0x206A)}
_FORMULA = re.compile(r"[\s'\"\u200b\u00a0]*[=+\-@\uff1d\uff0b\uff0d\uff20]")


def plain(text: str) -> str:
    """The text with control characters, lone surrogates and changes of direction as escapes; lines and tabs stay."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(_shown(character) for character in text.replace("\r\n", "\n"))


def line(text: str) -> str:
    """As `plain`, on one line."""
    return plain(text).replace("\n", "\\n").replace("\t", "\\t")


def cell(text: str) -> str:
    """One cell of a CSV file: on one line, and never taken for a formula by a spreadsheet.

    https://owasp.org/www-community/attacks/CSV_Injection
    """
    return f"'{line(text)}" if _FORMULA.match(text) else line(text)


def _shown(character: str) -> str:
    code = ord(character)
    if character in "\n\t":
        return character
    if 0xDC80 <= code <= 0xDCFF:  # a byte that is no UTF-8, as Python reads it from a file's name
        return f"\\x{code - 0xDC00:02x}"
    category = unicodedata.category(character)
    if category == "Cc":
        return f"\\x{code:02x}"
    if category == "Cs" or code in _LAYOUT:
        return f"\\u{code:04x}"
    return character


def expected_words(message: str) -> str:
    """Return pydantic's message about a value in plain words."""
    message = message.removeprefix("Value error, ").partition(", unable to parse")[0]
    return message.replace("Input should be", "expected").replace("Field required", "missing")
