"""The lessons as they are stored, and as they run."""

import re

import pytest

from notebooks.book import FOLDER, MAX_BYTES, faults, lessons, read, tidy
from notebooks.execute import execute

LESSONS = {path.stem: path for path in lessons()}
README = (FOLDER / "README.md").read_text(encoding="utf-8")


@pytest.mark.slow
@pytest.mark.parametrize("name", LESSONS)
def test_runs_from_top_to_bottom(name):
    executed = execute(LESSONS[name])  # which refuses errors, warnings and outputs that are not there
    assert [cell.source for cell in executed.cells] == [cell.source for cell in read(LESSONS[name]).cells]


@pytest.mark.parametrize("name", LESSONS)
def test_is_stored_with_its_outputs_and_nothing_of_the_machine(name):
    book = read(LESSONS[name])
    assert faults(book) == []
    assert tidy(read(LESSONS[name])) == book
    assert LESSONS[name].stat().st_size < MAX_BYTES


@pytest.mark.parametrize("name", LESSONS)
def test_is_a_lesson(name):
    cells = read(LESSONS[name]).cells
    assert re.match(r"# \d\. \w", cells[0].source)
    assert any("Try it yourself" in cell.source for cell in cells[-1:])
    words = sum(len(cell.source.split()) for cell in cells if cell.cell_type == "markdown")
    assert words > 300
    assert any("image/png" in output.get("data", {}) for cell in cells for output in cell.get("outputs", ()))


@pytest.mark.parametrize("name", LESSONS)
def test_every_link_to_another_file_leads_somewhere(name):
    text = "\n".join(cell.source for cell in read(LESSONS[name]).cells if cell.cell_type == "markdown")
    targets = [*re.findall(r"\]\(([^)#]+)\)", text), *re.findall(r"`((?:mytorch|models|experiments)/[\w./-]+)`", text)]
    wrong = [t for t in targets if "://" not in t and not ((FOLDER / t).exists() or (FOLDER.parent / t).exists())]
    assert wrong == []


def test_the_lessons_are_numbered_and_the_readme_lists_them_in_order():
    assert [name[:2] for name in LESSONS] == [f"{n}-" for n in range(1, len(LESSONS) + 1)]
    assert re.findall(r"\((\d[\w-]+)\.ipynb\)", README) == [*LESSONS]
