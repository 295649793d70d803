import ast
import inspect
import re
from xml.etree import ElementTree as ET

import markdown
import pytest

from docs import links
from docs.markdown import block, inline, plain
from docs.pictures import save, windows
from docs.pictures.rooms import between_rooms, groups, imported, reach
from mytorch import nn, optim


def _words(html: str) -> str:
    return "".join(ET.fromstring(f"<x>{html}</x>").itertext())


@pytest.mark.parametrize("thing", [getattr(room, name) for room in (nn, optim) for name in room.__all__])
def test_docstrings_come_through_markdown_unchanged(thing):
    text = inspect.getdoc(thing)
    assert text
    shown = _words(markdown.markdown(plain(text)))
    assert shown.replace("`", "").split() == text.replace("`", "").split()


@pytest.mark.parametrize(
    "text", ["(*, in) -> (*, out)", "(N, C, *size) -> (N, C, *out)", "a [b](c) d", "x < y_i_ **z**", "`a*b*c` *d*"]
)
def test_plain_text_is_no_markdown(text):
    html = markdown.markdown(plain(text))
    assert re.search("<(em|strong|a)[ >]", html) is None
    assert _words(html) == text.replace("`", "")


def test_formulae_become_mathml():
    element = inline(r"\frac{a}{b_i}")
    assert (element.tag, element.find(".//mfrac") is not None) == ("math", True)
    html = block("x^2\n\n\\sum_i x_i")
    assert html.count("<math") == 2
    assert all(part in html for part in ("<msup>", "<munder>"))


def test_links_are_followed(tmp_path):
    (tmp_path / "a.html").write_text(
        '<h1 id="top"></h1><a href="b.html#part">x</a><a href="b.html#none">x</a><a href="c.html">x</a>'
        '<a href="https://example.org/x">x</a><script src="https://example.org/s.js"></script>'
        '<a href="#top">x</a><a href="deep/">x</a>'
    )
    (tmp_path / "b.html").write_text('<p id="part"></p><img src="gone.svg">')
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "index.html").write_text('<a href="../a.html#top">x</a>')
    assert links.dead(tmp_path) == [
        "a.html: b.html#none: no such anchor",
        "a.html: c.html: no such file",
        "a.html: https://example.org/s.js: fetched from elsewhere",
        "b.html: gone.svg: no such file",
    ]


def test_a_picture_is_the_same_each_time(tmp_path):
    for name in ("a", "b"):
        save(windows.pooling, tmp_path / f"{name}.svg")
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()


def test_imports_are_read_wherever_they_stand(tmp_path):
    path = tmp_path / "module.py"
    path.write_text("import a.b\nfrom a import c, name\ndef f():\n    from d import g\nimport numpy\n")
    known = dict.fromkeys(("a", "a.b", "a.c", "d"), path)
    assert ast.parse(path.read_text())
    assert sorted(imported(path, known)) == ["a", "a.b", "a.c", "d"]


def test_rooms_are_drawn_as_the_imports_run():
    graph = between_rooms()
    assert {"mytorch.ops", "mytorch.nn", "models", "experiments.data", "experiments.commands", "autograder"} <= set(
        graph
    )
    assert "mytorch.ops" in graph["mytorch.nn"]
    assert all(
        other.startswith("mytorch") for name in graph if name.startswith("mytorch") for other in reach(name, graph)
    )
    for name, together in groups(graph).items():
        assert all(name in reach(other, graph) and other in reach(name, graph) for other in together if other != name)
