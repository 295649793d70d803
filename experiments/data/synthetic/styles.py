"""Tables of hairstyles and colors, and functions that mix colors. A color is (red, green, blue), 0 to 255, sRGB."""

from dataclasses import dataclass

FRINGE_KNOTS = (-1.0, -0.86, -0.55, 0.0, 0.55, 0.86, 1.0)
"""Positions of a fringe's heights, in half widths of the head."""

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

    `top` and `side` are its thickness over the skull; `length` is where the back ends (y), None for hair that ends
    above the ears; `flare` widens it there. `wave` bends strands; `bumps` scallops the outline, for curls, and `fine`
    makes them small. `gathered` is "bun", "ponytail" or empty. `rounded` is less than 1 for hair combed up to a crest.
    The last three are sampling weights.
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


Color = tuple[float, float, float]

SKIN: tuple[Color, ...] = (
    (246, 212, 190),
    (244, 202, 174),
    (240, 192, 158),
    (232, 180, 142),
    (226, 168, 122),
    (212, 150, 106),
    (192, 130, 90),
    (170, 110, 76),
    (146, 92, 64),
    (122, 76, 56),
    (102, 64, 50),
)
"""From the lightest to the darkest."""

HAIR: dict[str, Color] = {
    "black": (38, 32, 36),
    "blue-black": (38, 42, 58),
    "dark brown": (66, 44, 34),
    "brown": (100, 66, 42),
    "chestnut": (128, 72, 42),
    "auburn": (142, 62, 38),
    "ginger": (194, 98, 46),
    "dark blond": (164, 124, 76),
    "blond": (212, 172, 108),
    "platinum": (222, 200, 156),
    "gray": (142, 142, 146),
    "white": (208, 205, 200),
    "burgundy": (110, 32, 52),
    "teal": (44, 112, 118),
    "rose": (206, 116, 140),
}
HAIR_ON_LIGHT_SKIN = (3, 1, 5, 5, 4, 3, 3, 4, 4, 2, 0, 0, 0.4, 0.4, 0.5)
HAIR_ON_DARK_SKIN = (9, 2, 5, 2, 0.7, 0.3, 0, 0.1, 0.3, 0.2, 0, 0, 0.6, 0.3, 0.2)
"""Sampling weights of the hair colors, in the order of HAIR; gray and white come with age."""

IRIS: dict[str, Color] = {
    "dark brown": (62, 38, 26),
    "brown": (104, 64, 34),
    "amber": (156, 104, 44),
    "hazel": (122, 108, 56),
    "green": (84, 128, 84),
    "blue": (78, 128, 176),
    "pale blue": (138, 176, 200),
    "gray": (116, 126, 134),
}
IRIS_ON_LIGHT_SKIN = (2, 4, 2, 3, 3, 4, 2, 2)
IRIS_ON_DARK_SKIN = (8, 5, 1.2, 0.6, 0.3, 0.1, 0.1, 0.2)

CLOTH: tuple[Color, ...] = (
    (44, 62, 92), (186, 72, 62), (232, 190, 96), (78, 124, 104), (236, 232, 222), (54, 52, 58), (134, 98, 142),
    (92, 152, 186), (206, 124, 92), (166, 176, 132), (116, 44, 58), (196, 160, 172), (70, 100, 60), (210, 216, 224),
)  # fmt: skip

FRAMES: tuple[Color, ...] = ((34, 30, 34), (92, 56, 36), (150, 118, 62), (128, 132, 140), (136, 40, 44), (40, 66, 110))

JEWEL: tuple[Color, ...] = ((222, 182, 92), (226, 228, 232), (190, 52, 70), (66, 140, 150))

BACKGROUND: tuple[Color, ...] = (
    (142, 178, 196), (236, 220, 190), (198, 142, 118), (96, 128, 120), (64, 74, 98), (230, 236, 238), (184, 190, 160),
    (240, 196, 132), (124, 96, 112), (60, 90, 76), (212, 170, 176), (170, 200, 216), (88, 70, 62), (34, 38, 48),
)  # fmt: skip

INK: Color = (40, 26, 28)
WHITE: Color = (250, 247, 243)


def mix(a: Color, b: Color, amount: float) -> Color:
    """Mix `amount` (0 to 1) of `b` into `a`."""
    keep = 1 - amount
    return (a[0] * keep + b[0] * amount, a[1] * keep + b[1] * amount, a[2] * keep + b[2] * amount)


def darker(color: Color, amount: float) -> Color:
    """Darken `color`; shadows keep some red, as on skin and hair."""
    return (color[0] * (1 - 0.8 * amount), color[1] * (1 - amount), color[2] * (1 - 0.95 * amount))


def lighter(color: Color, amount: float) -> Color:
    """Mix a warm white into `color`."""
    return mix(color, (255, 244, 228), amount)


def luminance(color: Color) -> float:
    """Return the brightness, 0 to 1."""
    return (0.299 * color[0] + 0.587 * color[1] + 0.114 * color[2]) / 255
