"""`faces demo`, with fewer people and epochs: every stage runs, and what the last screen names is there."""

import re

import pytest

from experiments import demo
from experiments.config.load import load_recipe
from experiments.demo import run_demo
from experiments.errors import FacesError


@pytest.mark.slow
def test_the_whole_way(tmp_path, monkeypatch, capsys):
    for name, value in (("PEOPLE", 4), ("IMAGES", 8), ("TEST_IMAGES", 6), ("SIZE", 48)):
        monkeypatch.setattr(demo, name, value)
    monkeypatch.setattr(demo, "load_recipe", lambda name, settings: load_recipe(name, [*settings, "epochs=2"]))
    out = tmp_path / "demo"
    run_demo(out)
    said = capsys.readouterr().out
    last = said[said.index("Done in") :]
    named = re.findall(r"^  ([a-z]\S+?)/?  +\S", last, re.MULTILINE)
    assert {"faces", "backbone", "submission.csv"} <= set(named)
    assert all((out / name).exists() for name in named), named
    assert "the mean of probabilities: 2 runs" in said
    assert len((out / "submission.csv").read_text().splitlines()) == 1 + 6


def test_a_folder_that_is_no_demos_stays(own_people, contents):
    before = contents(own_people)
    with pytest.raises(FacesError, match="is not the folder of a demo"):
        run_demo(own_people)
    assert contents(own_people) == before
