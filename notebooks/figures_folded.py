"""Figures small enough to be kept for ever: a lesson is stored with its outputs."""

from base64 import b64decode, b64encode
from io import BytesIO
from typing import Any

from PIL import Image

COLOURS = 256


def shrink(book: Any) -> Any:
    """Give every figure in a notebook's outputs, in place, a palette of 256 colours where that is smaller. Returns it.

    Plots have fewer anyway, faces look the same on paper, and a PNG of them takes a third of the bytes.
    """
    for cell in book.cells:
        for output in cell.get("outputs", ()):
            if encoded := output.get("data", {}).get("image/png"):
                output["data"]["image/png"] = _smaller(encoded)
    return book


def _smaller(encoded: str) -> str:
    """A PNG in base64, in as few colours if that takes fewer bytes, else as it is."""
    image: Image.Image = Image.open(BytesIO(b64decode(encoded)))
    if image.mode == "P":
        return encoded
    if image.mode == "RGBA":
        paper = Image.new("RGB", image.size, "white")
        paper.paste(image, mask=image.getchannel("A"))
        image = paper
    file = BytesIO()
    image.convert("RGB").quantize(COLOURS, Image.Quantize.MEDIANCUT).save(file, "PNG", optimize=True)
    found = b64encode(file.getvalue()).decode("ascii")
    return found if len(found) < len(encoded) else encoded
