import ast
import colorsys
import inspect
import json
import re
from itertools import chain
from pathlib import Path
from xml.etree import ElementTree as ET

import markdown
import pytest
import yaml
from PIL import Image

from docs import links, tables
from docs.commands import parameter_of, usage_of
from docs.drawings import VARIANTS, save_variants, windows
from docs.drawings.canvas import invert_lightness
from docs.drawings.packages import floors, imported, imports_between_parts
from docs.lessons import markdown_of
from docs.markdown import block, inline, plain, plot
from docs.search import sections
from docs.tables import every_setting
from experiments.config.explain import setting_names
from experiments.config.recipe import Recipe
from experiments.errors import FacesError
from mytorch import nn, optim
from tests.gradients.cases import CASES

LAYERS = Path(tables.__file__).parent / "pages/layers"


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


def test_formulas_become_mathml():
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
        "a.html: https://example.org/s.js: loaded from elsewhere",
        "b.html: gone.svg: no such file",
    ]


def test_a_drawing_is_the_same_each_time(tmp_path):
    for name in ("a", "b"):
        save_variants(windows.pooling, tmp_path / f"{name}.svg")
    for variant in VARIANTS:
        assert (tmp_path / f"a-{variant}.svg").read_bytes() == (tmp_path / f"b-{variant}.svg").read_bytes()


def test_narrow_drawings_stack_their_panels(tmp_path):
    save_variants(windows.pooling, tmp_path / "a.svg")
    width, height = (
        [
            float(ET.parse(tmp_path / f"a-{variant}.svg").getroot().get(side)[:-2])
            for variant in ("light", "light-narrow")
        ]
        for side in ("width", "height")
    )
    assert width[1] < 0.6 * width[0]
    assert height[1] > 1.5 * height[0]


def lightness(color):
    return colorsys.rgb_to_hls(*(int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)))[1]


@pytest.mark.parametrize("color", ["#ffffff", "#000000", "#1f5fa8", "#f4e0cb"])
def test_dark_drawings_keep_hues_and_reverse_lightness(color):
    (dark,) = re.findall("#[0-9a-f]{6}", invert_lightness(f"<path style='fill: {color}'/>"))
    assert lightness(dark) == pytest.approx(0.93 - 0.8 * lightness(color), abs=0.01)
    red, blue = (int(color[i : i + 2], 16) for i in (1, 5))
    if red != blue:
        assert (int(dark[1:3], 16) > int(dark[5:7], 16)) == (red > blue)


def test_formulas_of_a_row_can_be_put_below_each_other():
    assert block(r"a \qquad b").count("<math") == 2
    assert block("a\n\nb").count('class="row"') == 2


def test_a_lesson_keeps_code_and_gets_mathml():
    text = markdown_of("cost $a_i$ and `$HOME`, see [next](2-scanning.ipynb):\n\n$$x^2$$")
    assert "`#!math a_i`" in text
    assert "`$HOME`" in text
    assert "](2-scanning.md)" in text
    assert "```math\nx^2\n```" in text


def test_sections_of_a_page_are_found_for_the_search():
    html = (
        "<nav>menu</nav><article><h1>Pooling<a>¶</a></h1><p>largest\n value</p><h2 id='x'>API</h2>"
        "<script>var no;</script><p>class</p></article>"
    )
    assert sections(html) == [
        {"id": "", "title": "Pooling", "text": "largest value"},
        {"id": "x", "title": "API", "text": "class"},
    ]


def test_imports_are_read_anywhere_in_a_file(tmp_path):
    path = tmp_path / "module.py"
    path.write_text("import a.b\nfrom a import c, name\ndef f():\n    from d import g\nimport numpy\n")
    known = dict.fromkeys(("a", "a.b", "a.c", "d"), path)
    assert ast.parse(path.read_text())
    assert sorted(imported(path, known)) == ["a", "a.b", "a.c", "d"]


def test_each_part_is_above_what_it_imports():
    graph = imports_between_parts()
    assert {"mytorch.ops", "mytorch.nn", "models", "experiments.data", "experiments.commands", "autograder"} <= set(
        graph
    )
    floor = floors(graph)
    assert all(floor[name] > floor[other] for name, targets in graph.items() for other in targets)
    assert floor["mytorch.ops"] < floor["mytorch.nn"] < floor["experiments.training"] < floor["experiments.commands"]


def test_a_cycle_has_no_floors():
    with pytest.raises(ValueError, match="cycle"):
        floors({"a": {"b"}, "b": {"a"}})


def test_the_page_of_agreement_has_every_row_and_every_reason():
    page = tables.conformance_tables()
    for kind in ("modules", "opinfo", "onnx"):
        record = json.loads((tables.CONFORMANCE / f"{kind}.json").read_text(encoding="utf-8"))
        section = page.partition(f"## {record['title']}")[2].partition("\n## ")[0]
        assert (
            f"**{record['totals']['agree']:,} of {record['totals']['in scope']:,} samples in scope agree**" in section
        )
        for row in record["rows"]:
            assert f"<tr><th>{row['name']}</th><td>{row['agree'] or ''}</td>" in section
        assert all(reason in section for reason in record["outside"].values())


def test_a_missing_table_of_agreement_is_named_with_the_remedy(monkeypatch, tmp_path):
    monkeypatch.setattr(tables, "CONFORMANCE", tmp_path)
    with pytest.raises(FacesError, match=r"modules\.json.*run `make conformance`"):
        tables.conformance_tables()


def test_every_setting_of_a_recipe_is_listed_with_a_value_that_loads():
    text = every_setting()
    blocks = [yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)]
    scratch, transfer, heads = blocks
    assert Recipe.parse(scratch, "the page") == Recipe.parse({}, "none")
    assert Recipe.parse({**scratch, **transfer}, "the page").torch_model.backbone == "resnet18"
    named = setting_names(Recipe)
    for group, names in named.items():
        found = {"": scratch, "model": {**scratch["model"], **transfer["model"]}, "stages": transfer["stages"][0]}
        keys = found.get(group) or scratch.get(group) or {key for head in heads for key in head}
        assert set(names) <= set(keys), group
    for head in heads:
        for name in head.pop("name").split(" or "):
            tree = {"model": {"backbone": "resnet18", "head": {"name": name, **head}}}
            assert Recipe.parse(tree, "the page").torch_model.head.name == name


def test_every_drawn_layer_is_in_the_list_of_one_page():
    lists = [re.findall(r"<< errors\((.*?)\) >>", path.read_text(), re.DOTALL) for path in LAYERS.glob("*.md")]
    named = re.findall(r'"([^"]+)"', " ".join(chain.from_iterable(lists)))
    assert sorted(named) == sorted(CASES)


def test_a_layer_without_a_row_is_named_below_the_table(monkeypatch):
    monkeypatch.setattr(tables, "rows", lambda: {row["layer"]: row for row in tables.measured()["rows"][:1]})
    (known,) = tables.rows()
    other = "ReLU"
    text = tables.gradient_table(known, other)
    assert f"<tr><th>{known}</th>" in text
    assert f"Not in the table yet: {other}." in text
    assert "<table" not in tables.gradient_table(other)


@pytest.mark.parametrize(
    ("printed", "shown"),
    [
        ("Usage: faces evaluate [OPTIONS] {RUN ...}...", "faces evaluate [OPTIONS] RUN ..."),
        ("Usage: faces submit [OPTIONS] [RUN ...]...", "faces submit [OPTIONS] [RUN ...]"),
        ("Usage: faces show batchnorm [OPTIONS] [[IMAGE ...]]...", "faces show batchnorm [OPTIONS] [IMAGE ...]"),
        ("Usage: faces match [OPTIONS] {[NETWORK] A.jpg B.jpg}...", "faces match [OPTIONS] [NETWORK] A.jpg B.jpg"),
        ("Usage: faces verify [OPTIONS] [[RUN]]", "faces verify [OPTIONS] [RUN]"),
        ("Usage: faces identify {RUN} {GALLERY} {PHOTO ...}...", "faces identify RUN GALLERY PHOTO ..."),
    ],
)
def test_a_usage_has_one_ellipsis(printed, shown):
    assert usage_of(printed) == shown


@pytest.mark.parametrize(
    ("printed", "shown"),
    [
        ("RUN ... <list[Path]>", "RUN ..."),
        ("[IMAGE] <path>", "[IMAGE]"),
        ("--size <int range>", "--size <int>"),
        ("--out <list[Path]>", "--out <path>"),
        ("--tta <none|flip>", "--tta <none|flip>"),
        ("--data DIR", "--data DIR"),
    ],
)
def test_a_parameter_has_the_type_of_one_value(printed, shown):
    assert parameter_of(printed) == shown


def test_plots_of_several_panels_are_wide(tmp_path):
    for width, marks in ((300, ".plot .wide"), (150, ".plot")):
        Image.new("L", (width, 100)).save(tmp_path / "a.png")
        assert plot("Loss", "b.png", tmp_path / "a.png") == f"![Loss](b.png){{ {marks} }}"


def test_bars_of_a_formula_open_and_close():
    bars = inline(r"\lvert d \rvert - \lVert u \rVert_2 \| \lvert x \rvert").findall(".//mo")
    forms = [bar.get("form") for bar in bars if bar.text in "|‖"]
    assert forms == ["prefix", "postfix", "prefix", "postfix", None, "prefix", "postfix"]


def test_names_of_functions_have_a_space_but_not_next_to_a_bracket():
    names = inline(r"\sin x + t \log x + \max(0, y) + (\cos z) + u \bmod v").findall(".//mo")
    found = {name.text: (name.get("lspace"), name.get("rspace")) for name in names if name.text.isalpha()}
    assert found == {
        "sin": ("0em", "0.17em"),
        "log": ("0.17em", "0.17em"),
        "max": ("0.17em", "0em"),
        "cos": ("0em", "0.17em"),
        "mod": (None, None),
    }
