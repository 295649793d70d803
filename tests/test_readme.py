import re
import shlex
from pathlib import Path

import pytest
import typer

from experiments.cli import app

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = {
    name: (ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "CONTRIBUTING.md", "ARCHITECTURE.md")
}


def test_the_example_runs_and_learns():
    (example,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    names: dict = {}
    exec(example, names)
    learned = names["value"]
    assert learned < 1.8  # it begins near log 10 = 2.3


TYPED = re.compile(r"(?:`|^\$ )faces (?!--)([^`\n]+)", re.MULTILINE)
COMMANDS = sorted({found for page in PAGES.values() for found in TYPED.findall(page)})


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_the_pages_name_exists_with_those_options(command):
    group = typer.main.get_command(app)
    words = shlex.split(command)
    context = group.make_context("faces", ["--help"], resilient_parsing=True)
    while hasattr(group, "commands"):
        group = group.get_command(context, words.pop(0))
        assert group is not None, f"faces {command}: no such command"
    known = {option for parameter in group.params for option in (*parameter.opts, *parameter.secondary_opts)}
    assert {word for word in words if word.startswith("--")} <= known


def test_nothing_is_left_to_fill_in():
    assert re.findall(r"@[A-Z]+@", README) == []


@pytest.mark.parametrize("name", PAGES)
def test_every_file_a_page_links_to_is_there(name):
    links = re.findall(r"\]\(([^)#]+)\)", PAGES[name])
    assert links or name == "ARCHITECTURE.md"
    missing = [link for link in links if "://" not in link and not (ROOT / link).exists()]
    assert missing == []


ROOMS = r"`((?:mytorch|models|experiments|autograder|tests)/[\w./-]+)`"


@pytest.mark.parametrize("name", ["CONTRIBUTING.md", "ARCHITECTURE.md"])
def test_every_file_a_page_names_is_there_or_is_made_by_its_example(name):
    made = {"experiments/recipes/regnety_004.yaml"}
    assert [path for path in re.findall(ROOMS, PAGES[name]) if path not in made and not (ROOT / path).exists()] == []
