"""The table of hairstyles: a few numbers each, from which hair.py draws locks and strands."""

from dataclasses import dataclass

FRINGE_KNOTS = (-1.0, -0.86, -0.55, 0.0, 0.55, 0.86, 1.0)
"""Where a fringe's heights are given, in fractions of the head's half width."""

FRINGES: dict[str, tuple[float, ...]] = {
    "natural": (0.05, -0.36, -0.58, -0.64, -0.58, -0.36, 0.05),
    "receding": (0.02, -0.44, -0.78, -0.64, -0.78, -0.44, 0.02),
    "widow": (0.05, -0.36, -0.63, -0.52, -0.63, -0.36, 0.05),
    "square": (0.05, -0.46, -0.60, -0.60, -0.60, -0.46, 0.05),
    "high": (0.02, -0.42, -0.68, -0.76, -0.68, -0.42, 0.02),
    "bangs": (0.12, -0.18, -0.21, -0.20, -0.21, -0.18, 0.12),
    "short bangs": (0.08, -0.30, -0.38, -0.38, -0.38, -0.30, 0.08),
    "swept": (0.06, -0.18, -0.28, -0.46, -0.64, -0.48, 0.06),
    "curtain": (0.14, -0.10, -0.38, -0.68, -0.38, -0.10, 0.14),
}
"""Height of the lower edge of the hair over the forehead at each knot, in half face heights."""


@dataclass(frozen=True, slots=True)
class Style:
    """Shape of the hair, in half face heights.

    `top` and `side` are how far it stands off the skull; `length` is where the back ends (y), None where it is cut
    above the ears; `flare` widens it there. `wave` bends strands; `bumps` scallops the outline, for curls, and `fine`
    makes them small. `gathered` is "bun", "ponytail", or nothing. `rounded` is less than 1 for hair combed up to a
    crest. The last three say how often a style is drawn.
    """

    fringes: tuple[str, ...]
    top: float
    side: float
    length: float | None = None
    flare: float = 0.0
    wave: float = 0.0
    bumps: float = 0.0
    fine: bool = False
    gathered: str = ""
    rounded: float = 1.0
    feminine: float = 1.0
    masculine: float = 1.0
    on_dark: float = 1.0


STYLES: dict[str, Style] = {
    "bald": Style(("natural",), 0, 0, feminine=0.1, masculine=0.9),
    "buzz": Style(("square", "natural", "receding", "widow"), 0.025, 0.015, feminine=0.2, masculine=1.2, on_dark=2),
    "crop": Style(("short bangs", "natural", "receding"), 0.10, 0.045, wave=0.01, feminine=0.3, masculine=1.6),
    "parted": Style(("swept", "natural", "widow", "receding"), 0.15, 0.055, wave=0.01, feminine=0.4, masculine=2),
    "quiff": Style(("square", "high", "natural"), 0.23, 0.03, wave=0.02, rounded=0.8, feminine=0.2, masculine=1.6),
    "shaggy": Style(("bangs", "swept", "short bangs"), 0.17, 0.12, 0.35, 0.02, wave=0.03, feminine=0.8, masculine=1),
    "curls": Style(("short bangs", "natural", "high"), 0.20, 0.13, bumps=0.05, wave=0.05, on_dark=1.6),
    "afro": Style(
        ("natural", "square", "high"),
        0.36,
        0.32,
        bumps=0.035,
        wave=0.05,
        fine=True,
        feminine=0.5,
        masculine=0.5,
        on_dark=3,
    ),
    "bob": Style(("bangs", "swept", "curtain"), 0.12, 0.13, 0.72, 0.06, wave=0.01, feminine=2, masculine=0.05),
    "long": Style(
        ("curtain", "swept", "natural", "bangs"), 0.10, 0.12, 1.5, 0.08, wave=0.015, feminine=2.2, masculine=0.25
    ),
    "wavy": Style(("curtain", "swept", "natural"), 0.14, 0.18, 1.25, 0.14, wave=0.06, feminine=2, masculine=0.25),
    "big curls": Style(
        ("curtain", "swept", "natural"),
        0.22,
        0.28,
        0.95,
        0.12,
        wave=0.06,
        bumps=0.05,
        feminine=1.4,
        masculine=0.2,
        on_dark=2,
    ),
    "bun": Style(
        ("natural", "high", "curtain", "bangs"), 0.06, 0.03, gathered="bun", feminine=1.2, masculine=0.2, on_dark=1.5
    ),
    "ponytail": Style(
        ("natural", "high", "curtain", "swept"), 0.08, 0.04, gathered="ponytail", feminine=1.2, masculine=0.1
    ),
    "headscarf": Style(("natural",), 0.16, 0.14, 1.3, 0.1, feminine=0.7, masculine=0),
}
