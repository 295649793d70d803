"""The site's pictures, drawn as it is built: what they show is computed by mytorch, or read from the code."""

import re
from io import StringIO
from pathlib import Path

from matplotlib.figure import Figure

from docs.pictures import curves as lines
from docs.pictures import networks, optimisers, rooms, statistics, windows
from docs.pictures.canvas import Draw, style
from mytorch.files import replacing

PICTURES: dict[str, Draw] = {
    "convolution": windows.convolution,
    "transposed_convolution": windows.transposed_convolution,
    "pooling": windows.pooling,
    "adaptive_pooling": windows.adaptive_pooling,
    "resampling": windows.resampling,
    "linear": networks.linear,
    "containers": networks.containers,
    "squeeze": networks.squeeze,
    "activation": lines.activations,
    "softmax": lines.softmax,
    "class_losses": lines.class_losses,
    "value_losses": lines.value_losses,
    "margins": lines.margins,
    "batch_norm": statistics.batch_norm,
    "image_norm": statistics.image_norm,
    "dropout": statistics.dropout,
    "sgd": optimisers.sgd,
    "adam": optimisers.adam,
    "schedules": optimisers.schedules,
    "averages": optimisers.averages,
    "rooms": rooms.rooms,
}
"""Each picture, by the name that pages call it by."""


def save(draw: Draw, path: Path) -> None:
    """Draw and write an SVG, the same bytes each time."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with style(), replacing(path) as beside:
        figure: Figure = draw()
        drawn = StringIO()
        figure.savefig(drawn, format="svg", metadata={"Date": None}, bbox_inches="tight", pad_inches=0.12)
        beside.write_text(_numbered(drawn.getvalue()), encoding="utf-8")


def _numbered(svg: str) -> str:
    """An SVG whose hashed names count up instead: Matplotlib hashes places to their last bit, which varies."""
    names = dict.fromkeys(re.findall(r'id="([a-zA-Z][0-9a-f]{10})"', svg))
    for number, name in enumerate(names):
        svg = svg.replace(name, f"shape{number}")
    return svg
