"""The notebook files: find, read, tidy and write them, shrink their images, and check their outputs for faults."""

import ast
import re
from base64 import b64decode, b64encode
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import nbformat
from PIL import Image

from experiments.errors import FacesError
from mytorch.files import atomic_write

FOLDER = Path(__file__).parent
MAX_BYTES = 600_000
"""Largest file of a lesson with its images, which the repository keeps forever."""

KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}

FAULTS = {
    "an absolute path": re.compile(r"(?:^|[\s'\"=(:<>])((?:/[\w.+-]+){2,}|[A-Z]:\\\w+)", re.MULTILINE),
    "a warning": re.compile(r"(\w*Warning\b)"),
    "a terminal escape": re.compile(r"(\x1b\[)"),
    "an address in memory": re.compile(r"\b(0x[0-9a-f]{6,})\b"),
}
"""What an output must not contain: it differs between machines, or is a fault that should be fixed."""

LATE_OUTPUT = "IOStream.flush timed out"
"""A kernel's message on a busy machine; the output itself still arrives."""


def lessons() -> list[Path]:
    """Return the notebooks of this folder in order. Raises FacesError if there are none."""
    found = sorted(FOLDER.glob("[0-9]*.ipynb"))
    if not found:
        raise FacesError(f"{FOLDER}: no notebooks; they come with the repository, not with an installed package")
    return found


def read(path: Path) -> Any:
    """Read a notebook. Raises FacesError for a file that is none."""
    try:
        book = nbformat.read(path, as_version=4)
        nbformat.validate(book)
    except (OSError, ValueError, AttributeError, TypeError, nbformat.ValidationError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise FacesError(f"{path}: not a notebook that can be read ({reason})") from error
    return book


def write(book: Any, path: Path) -> None:
    """Write a tidied notebook, completely or not at all."""
    with atomic_write(path) as temporary:
        nbformat.write(book, temporary)


def tidy(book: Any) -> Any:
    """Remove everything that is not content, in place: times, kernel version, editor metadata. Returns the notebook.

    Cells are named by their position, so that running a lesson again changes only its outputs.
    """
    book.metadata = nbformat.from_dict({"kernelspec": KERNEL, "language_info": {"name": "python"}})
    book.nbformat, book.nbformat_minor = 4, 5
    for number, cell in enumerate(book.cells, 1):
        cell.id, cell.metadata = f"cell-{number:02}", nbformat.from_dict({})
        if "outputs" in cell:
            cell.outputs = [
                output for output in cell.outputs if set(output.get("text", "").splitlines()) != {LATE_OUTPUT}
            ]
        for output in cell.get("outputs", ()):
            if "metadata" in output:
                output.metadata = nbformat.from_dict({})
    return book


def faults(book: Any) -> list[str]:
    """Return what is wrong with an executed notebook, one sentence per fault.

    Every cell must have run once, in order, without an error and without text on standard error. A cell that is meant
    to show something must have an output. No output may contain a warning, a path of this machine or a memory address.
    """
    found, cells = [], [cell for cell in book.cells if cell.cell_type == "code"]
    counts = [cell.execution_count for cell in cells]
    if counts != [*range(1, len(cells) + 1)]:
        found.append(f"its code cells ran as {counts}: expected each once, from top to bottom")
    for number, cell in enumerate(cells, 1):
        if shows(cell.source) and not cell.outputs:
            found.append(f"code cell {number} is meant to show something, and does not")
        for text in _texts(cell):
            for name, form in FAULTS.items():
                if match := form.search(text):
                    found.append(f"code cell {number} shows {name}: {match[1]}")
        for output in cell.outputs:
            if output.output_type == "error":
                found.append(f"code cell {number} raised {output.ename}: {output.evalue}")
            elif output.get("name") == "stderr":
                found.append(f"code cell {number} wrote to standard error: {output.text.strip()[:200]}")
    return found


def shows(source: str) -> bool:
    """Return whether a code cell is meant to show something: commands, a print, or a value as its last line."""
    if source.startswith("%%"):
        return True
    tree = ast.parse("\n".join("" if line.startswith("%") else line for line in source.splitlines()))
    calls = {node.func.id for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}
    last = tree.body[-1] if tree.body else None
    return "print" in calls or (isinstance(last, ast.Expr) and calls != {"begin"})


def _texts(cell: Any) -> Iterator[str]:
    """Yield the text of a cell's outputs."""
    for output in cell.outputs:
        if output.output_type == "stream":
            yield output.text
        for kind, value in output.get("data", {}).items():
            if kind.startswith("text/"):
                yield value


COLORS = 256


def shrink(book: Any) -> Any:
    """Convert the images in a notebook's outputs to 256 colors where that is smaller, in place. Returns the notebook.

    Plots have fewer colors anyway, faces look the same, and a PNG takes a third of the bytes.
    """
    for cell in book.cells:
        for output in cell.get("outputs", ()):
            if encoded := output.get("data", {}).get("image/png"):
                output["data"]["image/png"] = _smaller(encoded)
    return book


def _smaller(encoded: str) -> str:
    """Return a base64 PNG with 256 colors if that is smaller, else unchanged."""
    image: Image.Image = Image.open(BytesIO(b64decode(encoded)))
    if image.mode == "P":
        return encoded
    if image.mode == "RGBA":
        paper = Image.new("RGB", image.size, "white")
        paper.paste(image, mask=image.getchannel("A"))
        image = paper
    file = BytesIO()
    image.convert("RGB").quantize(COLORS, Image.Quantize.MEDIANCUT).save(file, "PNG", optimize=True)
    found = b64encode(file.getvalue()).decode("ascii")
    return found if len(found) < len(encoded) else encoded
