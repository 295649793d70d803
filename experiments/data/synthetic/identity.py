"""Identities: the features that all images of a person share, drawn from a seed.

Lengths are in half face heights: the crown of the skull is at y = -1, the chin at y = 1, and x = 0 is between the eyes.
Angles are in radians.
"""

from dataclasses import dataclass

import numpy as np

from experiments.data.synthetic import styles
from experiments.data.synthetic.styles import STYLES, Color, mix


@dataclass(frozen=True, slots=True)
class Head:
    """Outline of the skull and jaw; `width` is half the face's, the others are fractions of it."""

    width: float
    temple: float
    cheek: float
    jaw: float
    jaw_y: float
    chin: float
    ear_size: float
    ear_lobe: float
    neck: float


@dataclass(frozen=True, slots=True)
class Eyes:
    """Position and shape of the eyes; `fold` is the height of the lid's crease, `lashes` their length."""

    spacing: float
    y: float
    width: float
    height: float
    tilt: float
    peak: float
    iris: float
    color: Color
    fold: float
    lashes: float
    bags: float


@dataclass(frozen=True, slots=True)
class Brows:
    """Above the eyes by `lift`; `arch` is the height of the bend, `slope` that of the outer end over the inner."""

    lift: float
    arch: float
    slope: float
    length: float
    thickness: float
    inset: float


@dataclass(frozen=True, slots=True)
class Nose:
    """`y` is its base; `tip` is the height of the tip above the face."""

    y: float
    width: float
    bridge: float
    tip: float
    droop: float


@dataclass(frozen=True, slots=True)
class Mouth:
    """Thickness of both lips, the depth of the cupid's bow, and the tilt of the corners at rest."""

    y: float
    width: float
    upper: float
    lower: float
    bow: float
    corners: float
    color: Color


@dataclass(frozen=True, slots=True)
class Hair:
    """A style of `styles.STYLES`, a fringe of `styles.FRINGES`, and this person's changes to them.

    `hairline`, `volume` and `length` change the style's values; `part` runs from -1 (left) to 1 (right); `scarf` is
    the color of a headscarf; `detail_seed` seeds the fine details: single strands, hairs of a beard, freckles.
    """

    style: str
    fringe: str
    color: Color
    hairline: float
    volume: float
    length: float
    part: float
    scarf: Color
    detail_seed: int


@dataclass(frozen=True, slots=True)
class Beard:
    """Amount of each kind of facial hair, 0 to 1; `color` is similar to the hair's."""

    stubble: float
    mustache: float
    chin: float
    full: float
    color: Color


@dataclass(frozen=True, slots=True)
class Marks:
    """Moles as (x, y, radius); the number of freckles; a scar as (x, y, angle) or None; lines of age, 0 to 1."""

    moles: tuple[tuple[float, float, float], ...]
    freckles: int
    scar: tuple[float, float, float] | None
    lines: float
    blush: float


@dataclass(frozen=True, slots=True)
class Glasses:
    """Half size of a lens, its squareness (0 round, 1 square), and the width of the rim."""

    width: float
    height: float
    square: float
    rim: float
    color: Color


@dataclass(frozen=True, slots=True)
class Identity:
    """One person. `number` counts from 0; the features depend on the seed and that number alone."""

    number: int
    skin: Color
    head: Head
    eyes: Eyes
    brows: Brows
    nose: Nose
    mouth: Mouth
    hair: Hair
    beard: Beard
    marks: Marks
    glasses: Glasses | None
    earrings: Color | None


def _pick(rng: np.random.Generator, weights: tuple[float, ...] | list[float]) -> int:
    cumulative = np.cumsum(weights)
    return int(np.searchsorted(cumulative, rng.random() * cumulative[-1], side="right"))


def _jitter(rng: np.random.Generator, color: Color, amount: float) -> Color:
    red, green, blue = np.clip(np.array(color) * rng.uniform(1 - amount, 1 + amount) + rng.normal(0, 3, 3), 12, 253)
    return float(red), float(green), float(blue)


def draw_identity(seed: int, number: int) -> Identity:
    """Draw person `number` of `seed`. The same two numbers give the same person."""
    rng = np.random.default_rng([seed, 0, number])
    between = rng.uniform
    feminine = rng.random()  # a tendency that correlates the features
    age = between(0, 1) ** 1.3
    tone = int(rng.integers(len(styles.SKIN)))
    skin = _jitter(rng, styles.SKIN[tone], 0.05)
    dark = tone >= 5
    head = _draw_head(rng, feminine)
    hair = _draw_hair(rng, feminine, age, dark)
    return Identity(
        number=number,
        skin=skin,
        head=head,
        eyes=_draw_eyes(rng, feminine, age, dark, head.width),
        brows=Brows(
            lift=between(0.15, 0.23),
            arch=between(0.0, 0.055) + 0.02 * feminine,
            slope=between(-0.04, 0.05),
            length=between(0.17, 0.25),
            thickness=between(0.016, 0.032) + 0.016 * (1 - feminine),
            inset=between(-0.03, 0.03),
        ),
        nose=Nose(
            y=between(0.36, 0.48),
            width=between(0.10, 0.155) + (0.035 if dark else 0) * rng.random(),
            bridge=between(0.035, 0.07),
            tip=between(0.12, 0.28),
            droop=between(-0.03, 0.04),
        ),
        mouth=Mouth(
            y=between(0.615, 0.69),
            width=between(0.20, 0.30),
            upper=between(0.03, 0.06) + 0.012 * feminine,
            lower=between(0.045, 0.085) + 0.012 * feminine,
            bow=between(0.1, 0.9),
            corners=between(-0.02, 0.025),
            color=mix(_lips(skin, feminine), (200, 70, 80), 0.35 * feminine * rng.random()),
        ),
        hair=hair,
        beard=_draw_beard(rng, feminine if STYLES[hair.style].masculine else 1.0, hair.color),
        marks=_draw_marks(rng, age, tone, head.width),
        glasses=_draw_glasses(rng) if rng.random() < 0.22 else None,
        earrings=_pick_earrings(rng) if rng.random() < 0.5 * feminine else None,
    )


def _lips(skin: Color, feminine: float) -> Color:
    """Return the color of the lips: the skin, redder and darker."""
    return (skin[0] * 0.86, skin[1] * (0.66 - 0.06 * feminine), skin[2] * 0.68)


def _draw_head(rng: np.random.Generator, feminine: float) -> Head:
    between = rng.uniform
    return Head(
        width=between(0.66, 0.79),
        temple=between(0.93, 1.0),
        cheek=between(0.95, 1.04),
        jaw=between(0.76, 0.95) - 0.05 * feminine,
        jaw_y=between(0.48, 0.62),
        chin=between(0.30, 0.52) - 0.05 * feminine,
        ear_size=between(0.17, 0.25),
        ear_lobe=between(0.5, 1.0),
        neck=between(0.50, 0.62) - 0.08 * feminine,
    )


def _draw_eyes(rng: np.random.Generator, feminine: float, age: float, dark: bool, head_width: float) -> Eyes:
    between = rng.uniform
    names = list(styles.IRIS)
    weights = styles.IRIS_ON_DARK_SKIN if dark else styles.IRIS_ON_LIGHT_SKIN
    width = between(0.165, 0.215)
    return Eyes(
        spacing=head_width * between(0.45, 0.54),
        y=between(0.02, 0.11),
        width=width,
        height=width * between(0.40, 0.62),
        tilt=between(-0.10, 0.16),
        peak=between(-0.3, 0.2),
        iris=between(0.090, 0.112),
        color=_jitter(rng, styles.IRIS[names[_pick(rng, weights)]], 0.1),
        fold=between(0.0, 0.055) if rng.random() < 0.8 else 0.0,
        lashes=0.05 * feminine * between(0.4, 1),
        bags=max(0.0, between(-0.4, 0.4) + 0.6 * age),
    )


def _draw_hair(rng: np.random.Generator, feminine: float, age: float, dark: bool) -> Hair:
    weights = styles.HAIR_ON_DARK_SKIN if dark else styles.HAIR_ON_LIGHT_SKIN
    color = _jitter(rng, list(styles.HAIR.values())[_pick(rng, weights)], 0.12)
    if age > 0.55 and rng.random() < 0.6:
        color = mix(color, styles.HAIR["white" if rng.random() < 0.4 else "gray"], min(1.0, rng.random() + 0.3))
    names = list(STYLES)
    weight = [
        (style.feminine * feminine + style.masculine * (1 - feminine)) * (style.on_dark if dark else 1)
        for style in STYLES.values()
    ]
    name = names[_pick(rng, weight)]
    fringes = [fringe for fringe in STYLES[name].fringes if fringe != "receding" or age > 0.3] or ["natural"]
    return Hair(
        style=name,
        fringe=fringes[int(rng.integers(len(fringes)))],
        color=color,
        hairline=rng.uniform(-0.06, 0.07),
        volume=rng.uniform(0.75, 1.35),
        length=rng.uniform(-0.2, 0.25),
        part=rng.uniform(-0.55, 0.55),
        scarf=_jitter(rng, styles.CLOTH[int(rng.integers(len(styles.CLOTH)))], 0.1),
        detail_seed=int(rng.integers(2**31)),
    )


def _draw_beard(rng: np.random.Generator, feminine: float, hair: Color) -> Beard:
    color = mix(styles.darker(hair, 0.3), hair, rng.random())
    kind = rng.choice(("none", "stubble", "mustache", "goatee", "full"), p=(0.4, 0.2, 0.1, 0.12, 0.18))
    if feminine > 0.42 or kind == "none":
        return Beard(0, 0, 0, 0, color)
    strength = rng.uniform(0.5, 1)
    return Beard(
        stubble=strength if kind == "stubble" else 0.25 * strength,
        mustache=strength if kind in ("mustache", "goatee", "full") else 0.0,
        chin=strength if kind == "goatee" else 0.0,
        full=strength if kind == "full" else 0.0,
        color=color,
    )


def _draw_marks(rng: np.random.Generator, age: float, tone: int, width: float) -> Marks:
    count = int(rng.choice((0, 1, 2, 3), p=(0.5, 0.28, 0.15, 0.07)))
    spots = [(rng.uniform(-0.7, 0.7) * width, rng.uniform(0.12, 0.8), rng.uniform(0.014, 0.028)) for _ in range(count)]
    moles = tuple((x, y, r) for x, y, r in spots if abs(x) > 0.17 and (x / width) ** 2 + y**2 < 0.8)
    scarred = rng.random() < 0.07
    return Marks(
        moles=moles,
        freckles=int(rng.integers(18, 46)) if rng.random() < (0.22 if tone < 5 else 0.05) else 0,
        scar=(rng.choice((-1, 1)) * 0.55 * width, rng.uniform(-0.25, 0.45), rng.uniform(0.3, 2.8)) if scarred else None,
        lines=max(0.0, age - 0.45) * 1.6,
        blush=rng.uniform(0.2, 1),
    )


def _draw_glasses(rng: np.random.Generator) -> Glasses:
    return Glasses(
        width=rng.uniform(0.21, 0.27),
        height=rng.uniform(0.13, 0.21),
        square=rng.uniform(0, 1),
        rim=rng.uniform(0.010, 0.028),
        color=styles.FRAMES[int(rng.integers(len(styles.FRAMES)))],
    )


def _pick_earrings(rng: np.random.Generator) -> Color:
    return styles.JEWEL[int(rng.integers(len(styles.JEWEL)))]
