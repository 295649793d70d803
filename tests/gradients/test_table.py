"""The table of `make gradcheck`: it has every layer, finds a mistake, and is written completely."""

import json

import numpy as np
import pytest

from mytorch import nn
from tests.gradients import cases
from tests.gradients.__main__ import LIMITS, main, measure, short_of


@pytest.mark.parametrize("name", sorted(cases.CASES))
def test_every_layer_is_within_its_limits_on_a_few_draws(name):
    row = measure(name, seed=1, draws=4)
    assert short_of(row) == []
    assert {"output", "input"} <= set(row["float64"])


def test_no_layer_is_forgotten():
    assert cases.forgotten() == set()


def test_a_forgotten_layer_ends_with_status_1(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(nn, "__all__", [*nn.__all__, "Brand"])
    assert main(["--out", str(tmp_path), "--layers", "ReLU", "--draws", "1"]) == 1
    assert "no case for ['Brand']: add one to" in capsys.readouterr().err


def test_a_planted_mistake_is_found_by_all_three(monkeypatch, capsys, tmp_path):
    right = nn.Tanh.backward
    monkeypatch.setattr(nn.Tanh, "backward", lambda layer, grad: 1.001 * right(layer, grad))
    assert main(["--out", str(tmp_path), "--layers", "Tanh", "--draws", "2"]) == 1
    text = (tmp_path / "table.md").read_text(encoding="utf-8")
    for kind in LIMITS:
        assert f"Tanh: input 1.0e-03 in {kind}, limit {LIMITS[kind]:.0e}" in text
    assert text.splitlines()[2].startswith("`python -m tests.gradients --seed 0 --draws 2`")


def test_nan_is_no_pass():
    row = {"layer": "ReLU", "float64": {"output": np.nan}, "float32": {}, "differences": {}}
    assert short_of(row) == ["ReLU: output nan in float64, limit 1e-10"]


def test_the_record_names_its_command_and_versions(tmp_path, capsys):
    assert main(["--out", str(tmp_path / "new"), "--layers", "Linear", "--draws", "2", "--seed", "5"]) == 0
    record = json.loads((tmp_path / "new" / "table.json").read_text(encoding="utf-8"))
    assert (record["seed"], record["draws"], set(record["versions"])) == (5, 2, {"python", "numpy", "torch", "machine"})
    assert [row["layer"] for row in record["rows"]] == ["Linear"]
    assert "| Linear |" in capsys.readouterr().out
