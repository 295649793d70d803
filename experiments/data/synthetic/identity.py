"""Who it is: the features of a face that every image of it shares.

Lengths are in half face heights: the crown of the skull lies at y = -1, the chin at y = 1, and x = 0 runs between the
eyes. Angles are in radians.
"""

from dataclasses import dataclass

from experiments.data.synthetic.palettes import Colour


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
    """Where the eyes are and how they are cut; `fold` is the crease of the upper lid, `lashes` how long they are."""

    spacing: float
    y: float
    width: float
    height: float
    tilt: float
    peak: float
    iris: float
    colour: Colour
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
    """`y` is its base; `tip` how far that stands out from the face."""

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
    colour: Colour


@dataclass(frozen=True, slots=True)
class Hair:
    """A style out of hairstyles.STYLES, a fringe out of FRINGES, and what makes this head's its own.

    `hairline`, `volume` and `length` change the style's; `part` is -1 left to 1 right; `scarf` is the
    colour of the headscarf where the style is one; `grain` seeds what is too fine to be listed: single strands, hairs
    of a beard, freckles.
    """

    style: str
    fringe: str
    colour: Colour
    hairline: float
    volume: float
    length: float
    part: float
    scarf: Colour
    grain: int


@dataclass(frozen=True, slots=True)
class Beard:
    """How much of each kind of facial hair, 0 to 1; `colour` is near the hair's."""

    stubble: float
    moustache: float
    chin: float
    full: float
    colour: Colour


@dataclass(frozen=True, slots=True)
class Marks:
    """Spots as (x, y, radius); freckles as how many; a scar as (x, y, angle) or nothing; lines of age, 0 to 1."""

    moles: tuple[tuple[float, float, float], ...]
    freckles: int
    scar: tuple[float, float, float] | None
    lines: float
    blush: float


@dataclass(frozen=True, slots=True)
class Glasses:
    """Half size of a lens, how square it is (0 round, 1 square) and the rim."""

    width: float
    height: float
    square: float
    rim: float
    colour: Colour


@dataclass(frozen=True, slots=True)
class Identity:
    """One person: `number` counts from 0, and the features are drawn once from the seed and that number."""

    number: int
    skin: Colour
    head: Head
    eyes: Eyes
    brows: Brows
    nose: Nose
    mouth: Mouth
    hair: Hair
    beard: Beard
    marks: Marks
    glasses: Glasses | None
    earrings: Colour | None
