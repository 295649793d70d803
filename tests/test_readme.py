import re
import shlex
from pathlib import Path

import pytest
import typer

from experiments.cli import app

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")


def test_the_example_runs_and_learns():
    (example,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    names: dict = {}
    exec(example, names)
    learned = names["value"]
    assert learned < 1.8  # it begins near log 10 = 2.3


COMMANDS = sorted(set(re.findall(r"`faces ([^`]+)`", README)))


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_it_names_exists_with_those_options(command):
    group = typer.main.get_command(app)
    words = shlex.split(command)
    context = group.make_context("faces", ["--help"], resilient_parsing=True)
    while hasattr(group, "commands"):
        group = group.get_command(context, words.pop(0))
        assert group is not None, f"faces {command}: no such command"
    known = {option for parameter in group.params for option in parameter.opts}
    assert {word for word in words if word.startswith("--")} <= known


def test_nothing_is_left_to_fill_in():
    assert re.findall(r"@[A-Z]+@", README) == []


def test_every_file_it_links_to_is_there():
    links = re.findall(r"\]\(([^)#]+)\)", README)
    assert links
    missing = [link for link in links if "://" not in link and not (Path(__file__).parent.parent / link).exists()]
    assert missing == []
