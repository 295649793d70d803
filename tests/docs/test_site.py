import json
import re
from pathlib import Path

import pytest
import typer

from autograder.cli import app as grader
from docs import lessons, links, pages, site
from docs import tables as gradients
from docs.commands import anchor, faces_commands
from docs.drawings import DRAWINGS, VARIANTS
from experiments.config.load import recipe_names
from experiments.errors import FacesError
from mytorch import nn, optim

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    return site.build(tmp_path_factory.mktemp("docs"))


@pytest.fixture(scope="module")
def texts(built):
    """Every page's HTML, by its path without the ending."""
    return {path.relative_to(built).with_suffix("").as_posix(): path.read_text() for path in built.rglob("*.html")}


def test_every_page_is_built_and_has_a_title(texts):
    assert {
        name.removesuffix(".md") for name in [*pages.names(), *lessons.lesson_names(), *pages.result_names()]
    } == set(texts)
    assert [name for name, text in texts.items() if not re.search(r"<h1[ >]", text)] == []


@pytest.mark.parametrize("name", [f"nn.{name}" for name in nn.__all__] + [f"optim.{name}" for name in optim.__all__])
def test_every_public_name_is_on_one_page_with_its_formula(texts, name):
    homes = [page for page, text in texts.items() if f'id="mytorch.{name}"' in text]
    assert len(homes) == 1, f"mytorch.{name} is on {homes}: give it a place in docs/pages/layers"
    before, called, after = texts[homes[0]].partition('id="api"')
    explained = (
        re.sub(r"<nav.*?</nav>", "", before, flags=re.DOTALL)
        .partition("<article")[2]
        .partition('id="measured-errors"')[0]
    )
    assert called
    assert f'id="mytorch.{name}"' in after
    assert re.search(rf"\b{name.rpartition('.')[2]}\b", explained), f"{homes[0]} does not explain {name}"
    assert "<math" in explained


@pytest.mark.parametrize("name", gradients.rows())
def test_every_measured_layer_is_on_its_page_with_its_figures(texts, name):
    figure = f"{gradients.rows()[name]['float32']['output']:.1e}"
    row = rf"<tr><th>{re.escape(name)}</th>(<td>[^<]*</td>){{3}}<td>{re.escape(figure)}</td>"
    homes = {page for page, text in texts.items() if re.search(row, text)}
    assert "reference/errors" in homes
    assert len(homes) == 2


def test_every_command_is_in_the_reference_with_its_options(texts):
    page = texts["reference/commands"]
    assert len(faces_commands()) > 20
    for name, command in faces_commands():
        _, found, section = page.partition(f'<h2 id="{anchor(name)}"')
        section = section.partition("<h2")[0]
        assert found, name
        assert "Example" not in section
        missing = [
            option
            for parameter in command.params
            for option in parameter.opts
            if option.startswith("--") and option not in section
        ]
        assert missing == [], name


def test_every_command_of_the_grader_is_in_the_reference(texts):
    for word in typer.main.get_command(grader).commands:
        assert f'id="autograder-{word}"' in texts["reference/commands"], word


def test_every_recipe_is_in_the_table(texts):
    assert [name for name in recipe_names() if f"<td><code>{name}</code></td>" not in texts["reference/recipes"]] == []


def test_every_drawing_is_used_in_every_variant(built):
    drawn = {path.stem for path in (built / "drawings").glob("*.svg")}
    assert drawn == {f"{name}-{variant}" for name in DRAWINGS for variant in VARIANTS}
    assert all("<path" in path.read_text() for path in (built / "drawings").glob("*.svg"))


def test_the_search_index_can_be_read_from_a_folder(built):
    text = (built / "search_index.js").read_text()
    entries = json.loads(text.removeprefix("window.searchIndex = ").rstrip(";\n"))
    assert {entry[0].partition("#")[0] for entry in entries} == {
        path.relative_to(built).as_posix() for path in built.rglob("*.html")
    }
    assert any("MaxPool2d" in title for _, title, _ in entries)
    assert all('src="' not in page or "search.js" in page for page in [(built / "index.html").read_text()])


def test_nothing_is_fetched_and_no_link_is_dead(built):
    assert links.dead(built) == []
    fetched = re.compile(r"""(?:src|@import|url\()\s*=?\s*["'(]?https?://""")
    assert [path.name for path in built.rglob("*.html") if fetched.search(path.read_text())] == []


def test_formulae_are_set_and_no_marks_are_left(texts):
    for name, text in texts.items():
        text = re.sub(r"<script.*?</script>|<pre.*?</pre>", "", text, flags=re.DOTALL)
        assert "<<" not in text.replace("&lt;&lt;", "<<") or name.startswith("reference"), name
        assert not re.search(r"merror|#!math|\\(?:frac|sum|bar)\b", text), name


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[there](nowhere.md)", "nowhere"),
        ("[there](index.md#no-such-part)", "no-such-part"),
        ("::: mytorch.nn.Conv9d", "Conv9d"),
        ("<< pictrue('pooling', '') >>", "pictrue"),
        ("<< drawing('poling', '') >>", "poling"),
        ("<< errors('Conv9d') >>", "Conv9d"),
        ('<img src="gone.png">', "gone.png"),
    ],
)
def test_a_mistake_in_a_page_is_an_error_that_names_it(tmp_path, monkeypatch, text, problem):
    source = tmp_path / "source"
    source.mkdir()
    (source / "index.md").write_text(f"# Title\n\n{text}\n")
    for asset in site.ASSETS:
        (source / asset).touch()
    monkeypatch.setattr(pages, "PAGES", source)
    monkeypatch.setattr(site, "HERE", tmp_path)
    monkeypatch.setattr(lessons.book, "lessons", list)
    monkeypatch.setattr(pages, "result_names", list)
    settings = (Path(site.__file__).parent / "zensical.toml").read_text()
    (tmp_path / "zensical.toml").write_text(
        re.sub(r"nav = \[\n.*?\n\]\n", 'nav = ["index.md"]\n', settings, flags=re.DOTALL)
    )
    with pytest.raises(FacesError, match=problem):
        site.build(tmp_path / "out")


def test_a_page_that_is_in_no_menu_is_an_error(tmp_path, monkeypatch):
    monkeypatch.setattr(pages, "names", lambda: ["index.md", "forgotten.md"])
    with pytest.raises(FacesError, match="forgotten"):
        site.write_pages(tmp_path / "out")
