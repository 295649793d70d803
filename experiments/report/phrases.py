"""Figures as people read them."""

from collections.abc import Sequence

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
