"""The drawings of the site, made while it is built: mytorch computes what they show, or it is read from the code."""

import re
from io import StringIO
from pathlib import Path

from docs.drawings import curves, networks, optimizers, packages, statistics, windows
from docs.drawings.canvas import Draw, invert_lightness, style
from mytorch.files import atomic_write

DRAWINGS: dict[str, Draw] = {
    "convolution": windows.convolution,
    "transposed_convolution": windows.transposed_convolution,
    "pooling": windows.pooling,
    "adaptive_pooling": windows.adaptive_pooling,
    "resampling": windows.resampling,
    "linear": networks.linear,
    "containers": networks.containers,
    "squeeze": networks.squeeze,
    "activation": curves.activations,
    "softmax": curves.softmax,
    "class_losses": curves.class_losses,
    "value_losses": curves.value_losses,
    "margins": curves.margins,
    "batch_norm": statistics.batch_norm,
    "image_norm": statistics.image_norm,
    "dropout": statistics.dropout,
    "sgd": optimizers.sgd,
    "adam": optimizers.adam,
    "schedules": optimizers.schedules,
    "averages": optimizers.averages,
    "packages": packages.packages,
}
"""Each drawing by the name that pages use."""

VARIANTS = ("light", "dark", "light-narrow", "dark-narrow")
"""Each drawing is written for the light and the dark scheme, and for narrow screens, where its panels are stacked."""


def save_variants(draw: Draw, path: Path) -> None:
    """Write a drawing as SVG files, one per variant: `path` with the variant's name before its ending.

    Repeated calls write the same bytes.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    for narrow in (False, True):
        light = _svg(draw, narrow)
        for scheme, svg in (("light", light), ("dark", invert_lightness(light))):
            variant = f"{scheme}-narrow" if narrow else scheme
            with atomic_write(path.with_name(f"{path.stem}-{variant}{path.suffix}")) as temporary:
                temporary.write_text(svg, encoding="utf-8")


def _svg(draw: Draw, narrow: bool) -> str:
    drawn = StringIO()
    with style(narrow):
        draw().savefig(
            drawn, format="svg", metadata={"Date": None}, bbox_inches="tight", pad_inches=0.12, transparent=True
        )
    return _stable_ids(drawn.getvalue())


def _stable_ids(svg: str) -> str:
    """Replace hashed ids by counted ones: Matplotlib hashes coordinates to their last bit, which varies."""
    names = dict.fromkeys(re.findall(r'id="([a-zA-Z][0-9a-f]{10})"', svg))
    for number, name in enumerate(names):
        svg = svg.replace(name, f"shape{number}")
    return svg
