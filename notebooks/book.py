"""A lesson's file: found, read, tidied so that it changes only where its contents do, and looked through for faults.

Figures small enough to be kept for ever: a lesson is stored with its outputs.
"""

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
from mytorch.files import replacing

FOLDER = Path(__file__).parent
LARGEST = 600_000
"""Bytes of a lesson with its figures: what a reader waits for, and a repository keeps for ever."""

KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}

FAULTS = {
    "an absolute path": re.compile(r"(?:^|[\s'\"=(:<>])((?:/[\w.+-]+){2,}|[A-Z]:\\\w+)", re.MULTILINE),
    "a warning": re.compile(r"(\w*Warning\b)"),
    "a terminal's code": re.compile(r"(\x1b\[)"),
    "an address in memory": re.compile(r"\b(0x[0-9a-f]{6,})\b"),
}
"""What has no place in an output: it differs from machine to machine, or should have been mended."""


LATE = "IOStream.flush timed out"
"""What a kernel says of itself on a machine so busy that its outputs wait for seconds; they come all the same."""


def lessons() -> list[Path]:
    """The notebooks of this folder, in their order. Raises FacesError where there are none."""
    found = sorted(FOLDER.glob("[0-9]*.ipynb"))
    if not found:
        raise FacesError(f"{FOLDER}: no notebooks; they come with the repository, not with an installed package")
    return found


def read(path: Path) -> Any:
    """A notebook. Raises FacesError where the file is none."""
    try:
        book = nbformat.read(path, as_version=4)
        nbformat.validate(book)
    except (OSError, ValueError, AttributeError, TypeError, nbformat.ValidationError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise FacesError(f"{path}: not a notebook that can be read ({reason})") from error
    return book


def write(book: Any, path: Path) -> None:
    """Store a tidied notebook, whole or not at all."""
    with replacing(path) as temporary:
        nbformat.write(book, temporary)


def tidy(book: Any) -> Any:
    """Leave out, in place, all that is no content: times, the kernel's version, an editor's notes. Returns it.

    Cells are named by their place, so that running a lesson again changes its outputs alone.
    """
    book.metadata = nbformat.from_dict({"kernelspec": KERNEL, "language_info": {"name": "python"}})
    book.nbformat, book.nbformat_minor = 4, 5
    for number, cell in enumerate(book.cells, 1):
        cell.id, cell.metadata = f"cell-{number:02}", nbformat.from_dict({})
        if "outputs" in cell:
            cell.outputs = [output for output in cell.outputs if set(output.get("text", "").splitlines()) != {LATE}]
        for output in cell.get("outputs", ()):
            if "metadata" in output:
                output.metadata = nbformat.from_dict({})
    return book


def faults(book: Any) -> list[str]:
    """What is wrong with an executed notebook, a sentence each.

    Cells must have run, each once and in order, without an error or a word on standard error; a cell that is meant to
    show something must have; and no output may name a path of this machine or an address, or hold a warning.
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
    """Whether a code cell is meant to show something: commands, a print, or a value as its last line."""
    if source.startswith("%%"):
        return True
    tree = ast.parse("\n".join("" if line.startswith("%") else line for line in source.splitlines()))
    calls = {node.func.id for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}
    last = tree.body[-1] if tree.body else None
    return "print" in calls or (isinstance(last, ast.Expr) and calls != {"begin"})


def _texts(cell: Any) -> Iterator[str]:
    """All that a cell's outputs say in words."""
    for output in cell.outputs:
        if output.output_type == "stream":
            yield output.text
        for kind, value in output.get("data", {}).items():
            if kind.startswith("text/"):
                yield value


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
