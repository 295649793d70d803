from base64 import b64decode, b64encode
from io import BytesIO

import nbformat
import numpy as np
from PIL import Image

from notebooks.book import shrink


def book(image):
    """A notebook whose one output is that image."""
    file = BytesIO()
    image.save(file, "PNG")
    encoded = b64encode(file.getvalue()).decode()
    output = nbformat.v4.new_output("display_data", {"image/png": encoded, "text/plain": "a figure"})
    return nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1", outputs=[output])])


def stored(book):
    return book.cells[0].outputs[0].data["image/png"]


def opened(encoded):
    return np.asarray(Image.open(BytesIO(b64decode(encoded))).convert("RGB")).astype(int)


def test_a_figure_takes_fewer_bytes_and_looks_the_same():
    y, x = np.mgrid[:120, :160]
    smooth = np.stack([x, y, (x + y) // 2], 2) + np.random.default_rng(0).integers(0, 9, (120, 160, 3))
    before = book(Image.fromarray(smooth.astype(np.uint8)))
    encoded = stored(before)
    assert len(stored(shrink(before))) < len(encoded) / 2
    assert np.abs(opened(stored(before)) - opened(encoded)).mean() < 6


def test_what_is_clear_becomes_paper():
    clear = Image.new("RGBA", (40, 30), (0, 0, 0, 0))
    clear.putpixel((3, 4), (10, 20, 30, 255))
    pixels = opened(stored(shrink(book(clear.resize((400, 300), Image.Resampling.NEAREST)))))
    assert (pixels[0, 0] == 255).all()
    assert (pixels[45, 35] == (10, 20, 30)).all()


def test_once_more_changes_nothing():
    once = shrink(book(Image.effect_noise((90, 80), 40).convert("RGB")))
    assert stored(shrink(nbformat.from_dict(once.copy()))) == stored(once)
