"""The table of `python -m tests.conversion`: it finds a mistake and names its command, versions and errors."""

import json

import numpy as np
import pytest
from torch import nn as theirs

from mytorch import nn
from tests.conversion import __main__ as command
from tests.conversion.networks import NETWORKS, Network


@pytest.fixture
def small(monkeypatch):
    """One small network in place of the large ones."""

    def build():
        return theirs.Sequential(
            theirs.Conv2d(3, 4, 3, padding=1), theirs.BatchNorm2d(4), theirs.Tanh(), theirs.AdaptiveAvgPool2d(1),
            theirs.Flatten(), theirs.Linear(4, 10),
        )  # fmt: skip

    monkeypatch.setitem(NETWORKS, "small", Network(build, (6, 5), (4, 5), 2))


@pytest.mark.usefixtures("small")
def test_the_table_names_its_command_versions_and_errors(tmp_path, capsys):
    assert command.main(["--out", str(tmp_path), "--networks", "small", "--steps", "4", "--seed", "3"]) == 0
    record = json.loads((tmp_path / "table.json").read_text(encoding="utf-8"))
    assert record["command"] == "python -m tests.conversion --seed 3 --steps 4 --networks small"
    assert {"python", "numpy", "torch", "torchvision", "timm", "facenet-pytorch", "machine"} == set(record["versions"])
    (row,) = record["rows"]
    assert row["count"] == 3 * 4 * 9 + 4 + 8 + 50
    assert 0 < row["float64"]["parameters"] < 1e-9 < row["float32"]["parameters"] < 1e-3
    assert row["losses"] < 1e-12 < row["change"]
    text = (tmp_path / "table.md").read_text(encoding="utf-8")
    assert "Every error is within its limit.\n" in text
    assert "| small | 6x5 | 170 |" in text
    assert "| small |" in capsys.readouterr().out


@pytest.mark.usefixtures("small")
def test_a_planted_mistake_is_found(monkeypatch, tmp_path, capsys):
    right = nn.Tanh.backward
    monkeypatch.setattr(nn.Tanh, "backward", lambda layer, grad: (1 + 1e-6) * right(layer, grad))
    assert command.main(["--out", str(tmp_path), "--networks", "small", "--steps", "2"]) == 1
    assert "small: input 1.0e-06 in float64, limit 1e-09" in capsys.readouterr().out


@pytest.mark.usefixtures("small")
def test_a_table_that_was_stopped_says_how_many_networks_are_missing(monkeypatch, tmp_path):
    measure, calls = command.measure, []

    def stopped(name, *arguments):
        if calls:
            raise KeyboardInterrupt
        calls.append(name)
        return measure(name, *arguments)

    monkeypatch.setattr(command, "measure", stopped)
    with pytest.raises(KeyboardInterrupt):
        command.main(["--out", str(tmp_path), "--networks", "small", "small", "--steps", "2"])
    assert "1 networks are missing: it was stopped." in (tmp_path / "table.md").read_text(encoding="utf-8")


def test_nan_is_too_far():
    parts = dict.fromkeys(command.PARTS, 0.0)
    row = {"network": "n", "float64": parts | {"input": np.nan}, "float32": parts, "losses": np.nan}
    row |= {"PyTorch float64": parts, "PyTorch float32": parts}
    assert [line.partition(",")[0] for line in command.too_far(row)] == [
        "n: input nan in float64", "n: all steps nan in losses"
    ]  # fmt: skip
