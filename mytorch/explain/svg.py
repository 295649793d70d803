"""A failed case as an SVG: expected next to got with what differs marked, the windows of one element, and the inputs.

The drawing is text of bounded size. It runs no script, loads nothing, and everything that comes from the case is
escaped, so a page can contain it. It follows the reader's light or dark setting.
"""

import math
from collections.abc import Collection, Sequence
from html import escape

import numpy as np

from mytorch.explain.case import FailedCase, sizes
from mytorch.explain.trace import Trace, trace

Index = tuple[int, ...]

WIDTH = 860
CELL_WIDTH, CELL_HEIGHT, LINE = 62, 22, 18
MAX_ROWS, MAX_COLUMNS, MAX_PLANES = 9, 6, 3
"""How much of an array is drawn: rows and columns of a plane, and planes."""

ORDER = ("Z", "A", "Y", "W", "b", "BW", "Bb", "dLdZ", "dLdA")
"""The inputs' order."""

TITLE_WIDTH = 150
MAX_TERMS = 9
MAX_LINES = 6

STYLE = """
.fc{--paper:#fff;--ink:#1a202c;--soft:#5a6577;--line:#cbd5e0;--wrong:#fed7d7;--wrongline:#c53030;--right:#c6f6d5;
--rightline:#276749;--window:#feebc8;--windowline:#b7600a;font:12px ui-monospace,Menlo,Consolas,monospace}
@media (prefers-color-scheme:dark){.fc{--paper:#171c26;--ink:#e8ecf3;--soft:#a4afc0;--line:#465063;--wrong:#5c2430;
--wrongline:#fc8181;--right:#1d4634;--rightline:#68d391;--window:#57391a;--windowline:#f6ad55}}
.fc text{fill:var(--ink)}.fc .soft{fill:var(--soft)}.fc .head{font:bold 14px system-ui,sans-serif}
.fc .say{font:13px system-ui,sans-serif}.fc .paper{fill:var(--paper)}.fc rect.cell{fill:var(--paper);stroke:var(--line)}
.fc rect.wrong{fill:var(--wrong);stroke:var(--wrongline);stroke-width:2}.fc text.wrong{font-weight:bold}
.fc rect.right{fill:var(--right);stroke:var(--rightline);stroke-width:2}.fc text.right{font-weight:bold}
.fc rect.window{fill:var(--window);stroke:var(--windowline);stroke-width:2}
"""


def draw(case: FailedCase) -> str:
    """Return the drawing as an SVG of its own, which a file or an HTML page can hold."""
    sheet = _Sheet()
    place = case.place
    sheet.heading(f"{case.title}: {case.what}")
    sheet.say(case.problem)
    shown = _as_expected(case)
    wrong = set() if case.wrong is None else {tuple(map(int, i)) for i in np.argwhere(case.wrong)}
    sides = [("expected", case.expected, wrong, "right"), ("got", shown, wrong, "wrong")]
    _side_by_side(sheet, sides, place)
    if case.wrong is not None and case.expected is not None:
        sheet.say(f"Framed: the elements that differ, {len(wrong)} of {case.expected.size}.", "soft")
    found = _trace(case, place)
    if found is not None and place is not None:
        _explain(sheet, case, place, found)
    cells = found.cells if found is not None else {}
    focus = {name: min(there) for name, there in cells.items()}
    if case.inputs:
        sheet.heading("What went in" + (", and the cells of this element" if cells else ""))
        left, top = 12, sheet.bottom
        for name in sorted(case.inputs, key=lambda name: (ORDER.index(name) if name in ORDER else 9, name)):
            left, top = _array(sheet, (left, top), name, case.inputs[name], cells.get(name, ()), focus.get(name))
        sheet.bottom += 8
        for name, array in case.inputs.items():
            if (hidden := math.prod(array.shape[:-2]) - MAX_PLANES) > 0:
                sheet.say(f"Of {name}, {MAX_PLANES} of {hidden + MAX_PLANES} planes are drawn.", "soft")
    if case.left_out:
        sheet.say(f"Too large to draw: {', '.join(case.left_out)}.", "soft")
    return sheet.svg(f"{case.title}: {case.what}, expected and got")


def number(value: float, digits: int = 4) -> str:
    """Write a number in at most eight characters or so."""
    if not math.isfinite(value):
        return "∞" if value > 0 else "−∞" if value < 0 else "nan"
    if value and not 1e-3 <= abs(value) < 1e6:
        mantissa, exponent = f"{value:.1e}".split("e")
        return f"{mantissa}e{int(exponent)}".replace("-", "−")
    return f"{value:.{min(digits, 2) if abs(value) < 0.1 else digits}g}".replace("-", "−")


def _as_expected(case: FailedCase) -> np.ndarray | None:
    """What came, in the expected shape where the elements can be compared one by one."""
    if case.got is None or case.expected is None or case.wrong is None or case.got.size != case.expected.size:
        return case.got
    return case.got.reshape(case.expected.shape)


def _trace(case: FailedCase, place: Index | None) -> Trace | None:
    """Where the element comes from, if the window's products do add up to what is expected."""
    if case.window is None or place is None or case.expected is None:
        return None
    found = trace(case.window, case.what, place, case.inputs)
    right = float(case.expected[place])
    if found is None or not math.isclose(found.total, right, rel_tol=1e-4, abs_tol=1e-5):
        return None
    return found


def _explain(sheet: "_Sheet", case: FailedCase, place: Index, found: Trace) -> None:
    """The element as its terms, and what came instead."""
    sheet.heading(f"Where {case.what}{list(place)} comes from")
    terms = [" × ".join(number(float(case.inputs[name][at])) for name, at in term) for term in found.terms]
    names = " × ".join(dict.fromkeys(name for name, _ in found.terms[0])) if found.terms else "nothing"
    rest = len(terms) - MAX_TERMS
    shown = [f"({term})" if "−" in term and not found.largest else term for term in terms[:MAX_TERMS]]
    if rest > 0:
        shown.append(f"… {rest} more")
    if found.largest:
        sheet.say(f"The largest of {names} in the window: max({', '.join(shown)}) = {number(found.total)}")
    else:
        factor = "" if found.factor == 1 else f" × {number(found.factor)}"
        body = " + ".join(shown) or "0"
        formula = f"({body}){factor}" if factor else body
        sheet.say(f"{len(terms)} terms, {names}{factor}: {formula} = {number(found.total)}")
    shown_got = _as_expected(case)
    if shown_got is not None and case.expected is not None and shown_got.shape == case.expected.shape:
        sheet.say(f"Expected {number(found.total, 6)}, got {number(float(shown_got[place]), 6)}.")


def _side_by_side(
    sheet: "_Sheet", sides: Sequence[tuple[str, np.ndarray | None, Collection[Index], str]], place: Index | None
) -> None:
    """Two arrays with the same planes next to each other, one row of the sheet for each plane."""
    planes = _planes(sides[0][1], {at[:-2] for at in sides[0][2]}, place)
    planes = planes or _planes(sides[1][1], set(), None) or [()]
    for plane in planes:
        bottom = top = sheet.bottom
        for number_, (title, array, marked, style) in enumerate(sides):
            left = 12 + number_ * (WIDTH // 2)
            if array is None:
                sheet.text(left, top + LINE, f"{title}: nothing to draw", "soft")
                bottom = max(bottom, top + 2 * LINE)
                continue
            same = array.ndim == (sides[0][1].ndim if sides[0][1] is not None else array.ndim)
            at = plane if same and all(i < size for i, size in zip(plane, array.shape[:-2], strict=False)) else None
            at = (0,) * max(0, array.ndim - 2) if at is None else at
            focus = place if place is not None and same and place[:-2] == at else None
            bottom = max(bottom, sheet.grid(left, top, title, array, at, marked, style, focus))
        sheet.bottom = bottom + 8
    total = math.prod(sides[0][1].shape[:-2]) if sides[0][1] is not None else 0
    if total > len(planes):
        sheet.say(f"{total - len(planes)} more of {total} planes are not drawn.", "soft")


def _array(
    sheet: "_Sheet", corner: tuple[int, int], name: str, array: np.ndarray, marked: Collection[Index],
    focus: Index | None,
) -> tuple[int, int]:  # fmt: skip
    """One array: its planes next to each other, from a corner on; returns the next corner."""
    left, top = corner
    for plane in _planes(array, {at[:-2] for at in marked}, focus):
        at = next((at for at in sorted(marked) if at[:-2] == plane), focus if focus and focus[:-2] == plane else None)
        width = CELL_WIDTH * min(MAX_COLUMNS, array.shape[-1] if array.ndim else 1)
        if left > 12 and left + max(width, TITLE_WIDTH) > WIDTH:
            left, top = 12, sheet.bottom + 8
        sheet.bottom = max(sheet.bottom, sheet.grid(left, top, name, array, plane, marked, "window", at))
        left += max(width, TITLE_WIDTH) + 24
    return left, top


def _planes(array: np.ndarray | None, first: Collection[Index], focus: Index | None) -> list[Index]:
    """The planes (indices before the last two axes) to draw: that of the focus, then the marked ones, then others."""
    if array is None or not array.size:
        return []
    front = [focus[:-2]] if focus is not None else []
    every = np.ndindex(array.shape[:-2])
    found = dict.fromkeys([*front, *sorted(first), *(at for at, _ in zip(every, range(MAX_PLANES), strict=False))])
    return sorted(list(found)[:MAX_PLANES])


def _cut(size: int, most: int, middle: int) -> range:
    """At most so many of `size` rows or columns, around the middle one."""
    start = max(0, min(middle - most // 2, size - most))
    return range(start, min(size, start + most))


class _Sheet:
    """Elements one below the other; `bottom` is where the next one begins."""

    def __init__(self) -> None:
        self.parts: list[str] = []
        self.bottom: int = 8

    def text(self, left: float, base: float, text: str, style: str = "", anchor: str = "") -> None:
        """Write a line; `base` is its base line."""
        anchored = f' text-anchor="{anchor}"' if anchor else ""
        self.parts.append(f'<text x="{left:g}" y="{base:g}" class="{style}"{anchored}>{_clean(text)}</text>')

    def heading(self, text: str) -> None:
        """Write a heading."""
        self.bottom += 26
        self.text(12, self.bottom - 6, text if len(text) <= 100 else f"{text[:99]}…", "head")

    def say(self, text: str, style: str = "") -> None:
        """Write a paragraph, wrapped, of at most MAX_LINES lines."""
        lines = [line for part in text.splitlines() for line in _wrapped(part, 118)]
        if len(lines) > MAX_LINES:
            lines = [*lines[: MAX_LINES - 1], "…"]
        for line in lines:
            self.bottom += LINE
            self.text(12, self.bottom - 4, line, f"say {style}".strip())

    def grid(
        self, left: int, top: int, title: str, array: np.ndarray, plane: Index, marked: Collection[Index],
        style: str, focus: Index | None,
    ) -> int:  # fmt: skip
        """Draw one plane of an array as a grid of numbers; returns where it ends."""
        values = array[plane] if array.ndim > 2 else array.reshape((1,) * (2 - array.ndim) + array.shape)
        prefix = plane if array.ndim > 2 else ()
        row, column = (0, 0, *focus)[-2:] if focus is not None else (0, 0)
        rows, columns = _cut(values.shape[0], MAX_ROWS, row), _cut(values.shape[1], MAX_COLUMNS, column)
        name = f"{title}{list(prefix)}" if prefix else title
        self.text(left, top + 14, f"{name}, {sizes(array.shape)}", "soft")
        top += 20
        for y, r in enumerate(rows):
            for x, c in enumerate(columns):
                index = (*prefix, r, c)[-array.ndim :] if array.ndim else ()
                kind = style if index in marked else ""
                corner = f'x="{left + x * CELL_WIDTH:g}" y="{top + y * CELL_HEIGHT:g}"'
                self.parts.append(
                    f'<rect {corner} width="{CELL_WIDTH - 3}" height="{CELL_HEIGHT - 3}" class="cell {kind}"/>'
                )
                middle = left + x * CELL_WIDTH + (CELL_WIDTH - 3) / 2
                self.text(middle, top + y * CELL_HEIGHT + 14, number(float(values[r, c])), kind, "middle")
        bottom = top + len(rows) * CELL_HEIGHT
        if len(rows) < values.shape[0] or len(columns) < values.shape[1]:
            bottom += LINE
            of = f"rows {rows.start} to {rows.stop - 1}, columns {columns.start} to {columns.stop - 1}"
            self.text(left, bottom - 4, of, "soft")
        return bottom

    def svg(self, label: str) -> str:
        """Return the sheet as an SVG."""
        height = self.bottom + 12
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" class="fc" role="img" aria-label="{_clean(label)}" '
            f'viewBox="0 0 {WIDTH} {height:g}" width="{WIDTH}" height="{height:g}">'
            f"<style>{STYLE}</style>"
            f'<rect class="paper" width="{WIDTH}" height="{height:g}"/>{"".join(self.parts)}</svg>\n'
        )


def _wrapped(text: str, width: int) -> list[str]:
    """Lines of at most `width` characters, broken at spaces where there are any."""
    lines = []
    while len(text) > width:
        cut = text.rfind(" ", width // 2, width)
        cut = width if cut < 0 else cut
        lines.append(text[:cut])
        text = text[cut:].lstrip()
        if len(lines) > MAX_LINES:
            break
    return [*lines, text]


def _clean(text: str) -> str:
    """Text for XML: markup escaped, and characters that XML forbids, or that change the reading order, as a mark."""
    return escape("".join(c if c.isprintable() else " " if c in "\t\n" else "\N{REPLACEMENT CHARACTER}" for c in text))
