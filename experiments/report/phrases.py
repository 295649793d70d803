"""Numbers as people read them."""

from collections.abc import Sequence

SPACE = "\N{NO-BREAK SPACE}"
NONE = "\N{EN DASH}"
"""What a table shows for a value that there is not."""

_NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")


def percent(fraction: float | None, digits: int = 1) -> str:
    """Write 0.794 as 79.4 %."""
    return NONE if fraction is None else f"{100 * fraction:.{digits}f}{SPACE}%"


def interval(bounds: Sequence[float] | None, digits: int = 1) -> str:
    """Write an interval of fractions: 74.8 to 83.6 %. Empty for None."""
    if not bounds:
        return ""
    return f"{100 * bounds[0]:.{digits}f} to {100 * bounds[1]:.{digits}f}{SPACE}%"


def points(difference: float) -> str:
    """Write the size of a difference of two fractions in percentage points."""
    return f"{abs(100 * difference):.1f} points"


def decimal(value: float | None, digits: int = 3) -> str:
    """Write a loss, or another small number."""
    return NONE if value is None else f"{value:.{digits}f}"


def setting(value: float) -> str:
    """Write a setting without needless zeros: 0.0005, 0.1, 24."""
    return f"{value:g}"


def large(value: float | None) -> str:
    """Write 2,300,000 as 2.3 M."""
    if value is None:
        return NONE
    for unit in ("", "k", "M", "G", "T"):
        if value < 999.5 or unit == "T":
            return f"{value:.3g}{SPACE}{unit}".strip()
        value /= 1000
    raise AssertionError("unreachable")


def spelled(count: int) -> str:
    """Write twelve and below in letters."""
    return _NUMBERS[count] if 0 <= count < len(_NUMBERS) else f"{count:,}"


def counted(count: int, what: str, plural: str = "") -> str:
    """Write a number of things: one run, three runs, 20 runs."""
    return f"{spelled(count)} {what if count == 1 else plural or what + 's'}"


def ordinal(count: int) -> str:
    """Write 1st, 2nd, 3rd, 11th."""
    ending = "th" if 10 <= count % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(count % 10, "th")
    return f"{count}{ending}"


def enumerated(items: Sequence[str]) -> str:
    """Write a, b and c."""
    return " and ".join([", ".join(items[:-1]), items[-1]]) if len(items) > 1 else "".join(items)


def capitalized(text: str) -> str:
    """Begin a text with a capital."""
    return text[:1].upper() + text[1:]
