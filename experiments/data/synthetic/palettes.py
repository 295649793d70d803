"""Colours, and how they are mixed. A colour is (red, green, blue), 0 to 255, sRGB."""

Colour = tuple[float, float, float]

SKIN: tuple[Colour, ...] = (
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

HAIR: dict[str, Colour] = {
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
    "grey": (142, 142, 146),
    "white": (208, 205, 200),
    "burgundy": (110, 32, 52),
    "teal": (44, 112, 118),
    "rose": (206, 116, 140),
}
HAIR_ON_LIGHT_SKIN = (3, 1, 5, 5, 4, 3, 3, 4, 4, 2, 0, 0, 0.4, 0.4, 0.5)
HAIR_ON_DARK_SKIN = (9, 2, 5, 2, 0.7, 0.3, 0, 0.1, 0.3, 0.2, 0, 0, 0.6, 0.3, 0.2)
"""How often each hair colour is drawn, in HAIR's order; grey and white come with age."""

IRIS: dict[str, Colour] = {
    "dark brown": (62, 38, 26),
    "brown": (104, 64, 34),
    "amber": (156, 104, 44),
    "hazel": (122, 108, 56),
    "green": (84, 128, 84),
    "blue": (78, 128, 176),
    "pale blue": (138, 176, 200),
    "grey": (116, 126, 134),
}
IRIS_ON_LIGHT_SKIN = (2, 4, 2, 3, 3, 4, 2, 2)
IRIS_ON_DARK_SKIN = (8, 5, 1.2, 0.6, 0.3, 0.1, 0.1, 0.2)

CLOTH: tuple[Colour, ...] = (
    (44, 62, 92), (186, 72, 62), (232, 190, 96), (78, 124, 104), (236, 232, 222), (54, 52, 58), (134, 98, 142),
    (92, 152, 186), (206, 124, 92), (166, 176, 132), (116, 44, 58), (196, 160, 172), (70, 100, 60), (210, 216, 224),
)  # fmt: skip

FRAMES: tuple[Colour, ...] = ((34, 30, 34), (92, 56, 36), (150, 118, 62), (128, 132, 140), (136, 40, 44), (40, 66, 110))

JEWELS: tuple[Colour, ...] = ((222, 182, 92), (226, 228, 232), (190, 52, 70), (66, 140, 150))

BACKGROUND: tuple[Colour, ...] = (
    (142, 178, 196), (236, 220, 190), (198, 142, 118), (96, 128, 120), (64, 74, 98), (230, 236, 238), (184, 190, 160),
    (240, 196, 132), (124, 96, 112), (60, 90, 76), (212, 170, 176), (170, 200, 216), (88, 70, 62), (34, 38, 48),
)  # fmt: skip

INK: Colour = (40, 26, 28)
WHITE: Colour = (250, 247, 243)


def mix(a: Colour, b: Colour, amount: float) -> Colour:
    """`a` with `amount` (0 to 1) of `b` in it."""
    keep = 1 - amount
    return (a[0] * keep + b[0] * amount, a[1] * keep + b[1] * amount, a[2] * keep + b[2] * amount)


def darker(colour: Colour, amount: float) -> Colour:
    """`colour` in shadow; shadows keep some red, as they do on skin and hair."""
    return (colour[0] * (1 - 0.8 * amount), colour[1] * (1 - amount), colour[2] * (1 - 0.95 * amount))


def lighter(colour: Colour, amount: float) -> Colour:
    """`colour` with a highlight on it."""
    return mix(colour, (255, 244, 228), amount)


def luminance(colour: Colour) -> float:
    """Brightness, 0 to 1."""
    return (0.299 * colour[0] + 0.587 * colour[1] + 0.114 * colour[2]) / 255
