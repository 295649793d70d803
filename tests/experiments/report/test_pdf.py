"""The PDF as a reader's program sees it, and its pages as pixels."""

import io
import re

import numpy as np
import pytest
from PIL import Image
from pypdf import PdfReader

from experiments.report.document import Plot, Table
from experiments.report.pdf import write_pages, write_pdf

PPI = 60
MARGIN = 2.5 / 2.54 * PPI
"""Pixels, at each side of the text."""


@pytest.fixture
def pdf(tmp_path):
    def make(document):
        write_pdf(document, tmp_path / "report.pdf")
        return PdfReader(io.BytesIO((tmp_path / "report.pdf").read_bytes()))

    return make


def squeezed(text: str) -> str:
    """Letters and digits alone: without spaces, breaks and the hyphens at the end of lines."""
    return re.sub(r"[\W_]", "", text)


def pixels_of(pdf) -> int:
    """How many images of pixels there are."""
    found = 0
    for page in pdf.pages:
        resources = page["/Resources"].get("/XObject", {})
        found += sum(entry.get_object()["/Subtype"] == "/Image" for entry in resources.values())
    return found


@pytest.mark.parametrize("name", ["bare", "judged", "verified", "ten"])
def test_everything_is_in_the_text_of_the_pages(name, write, pdf, request):
    runs = request.getfixturevalue(name)
    document = write(*(runs if isinstance(runs, list) else [runs]))
    text = squeezed("".join(page.extract_text() for page in pdf(document).pages))
    assert squeezed(document.title) in text
    assert squeezed(document.plain(document.abstract)) in text
    for section in document.sections:
        assert squeezed(section.title) in text
    for block in document.blocks():
        if isinstance(block, Table | Plot):
            assert squeezed(document.numbers[block.label] + document.plain(block.caption)) in text
        if isinstance(block, Table):
            for cell in (cell for row in block.rows for cell in row):
                for word in document.plain(cell).split():
                    assert squeezed(word) in text


def test_what_is_copied_from_a_page_is_what_was_typed(bare, write, pdf):
    text = "".join(page.extract_text() for page in pdf(write(bare)).pages)
    assert "\u200b" not in text


def test_plots_are_vectors_and_only_faces_and_the_confusion_are_pixels(bare, judged, write, pdf):
    assert pixels_of(pdf(write(bare))) == 0
    document = write(judged)
    assert pixels_of(pdf(document)) == sum(
        isinstance(block, Plot) and not isinstance(block.source, str) for block in document.blocks()
    )


@pytest.mark.parametrize("name", ["verified", "ten"])
def test_nothing_sticks_out_into_the_margins(name, write, tmp_path, request):
    runs = request.getfixturevalue(name)
    (tmp_path / "pages").mkdir()
    pages = write_pages(write(*(runs if isinstance(runs, list) else [runs])), tmp_path / "pages", PPI)
    assert len(pages) >= 4
    for path in pages:
        with Image.open(path) as image:
            ink = np.asarray(image.convert("L")) < 200
        edge = int(MARGIN) - 3
        assert not ink[:, :edge].any()
        assert not ink[:, -edge:].any()
        assert ink.any()


def test_the_same_runs_make_the_same_file_without_a_date(judged, write, tmp_path):
    for name in ("a.pdf", "b.pdf"):
        write_pdf(write(judged), tmp_path / name)
    assert (tmp_path / "a.pdf").read_bytes() == (tmp_path / "b.pdf").read_bytes()
    assert not {"/CreationDate", "/ModDate"} & set(PdfReader(tmp_path / "a.pdf").metadata or {})
