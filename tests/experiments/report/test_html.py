"""The page as a browser takes it."""

import io
from base64 import b64decode
from html.parser import HTMLParser
from xml.etree import ElementTree as ET

import pytest
from PIL import Image

from experiments.report.document import Plot, Table
from experiments.report.html import page

EMPTY = {"meta", "img", "br"}


class Page(HTMLParser):
    """A page's text, its links, its images and its names; tags must close in order."""

    def __init__(self, text: str):
        super().__init__()
        self.open, self.links, self.images, self.ids, self.cells, self.text = [], [], [], [], 0, ""
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        if tag not in EMPTY:
            self.open.append(tag)
        self.links += [given["href"]] if "href" in given else []
        self.images += [given] if tag == "img" else []
        self.ids += [given["id"]] if "id" in given else []
        self.cells += tag == "td"

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] != "style":
            self.text += data


@pytest.mark.parametrize("name", ["bare", "judged", "verified", "ten"])
def test_the_page_is_whole_and_fetches_nothing(name, write, request):
    runs = request.getfixturevalue(name)
    document = write(*(runs if isinstance(runs, list) else [runs]))
    found = Page(page(document))
    assert all(link.startswith("#") and link[1:] in found.ids for link in found.links)
    assert len(found.ids) == len(set(found.ids)) == len(document.numbers)
    assert len(found.images) == sum(isinstance(block, Plot) for block in document.blocks())
    for image in found.images:
        assert image["alt"]
        kind, _, content = image["src"].partition(";base64,")
        data = b64decode(content)
        if kind == "data:image/svg+xml":
            assert ET.fromstring(data).tag.endswith("svg")
        else:
            Image.open(io.BytesIO(data)).load()


def test_the_page_says_what_the_paper_says(ten, write):
    document = write(*ten)
    found = Page(page(document))
    assert document.plain(document.abstract) in found.text
    tables = [block for block in document.blocks() if isinstance(block, Table)]
    assert found.cells == sum(len(row) for table in tables for row in table.rows)
    for run in ten:
        assert run.name in found.text, "names with <, & and quotes too"


def test_the_same_runs_make_the_same_page(judged, write):
    assert page(write(judged)) == page(write(judged))
