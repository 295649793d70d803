"""The command `python -m tests.conformance`: its table, its files, its exit status."""

import json

import numpy as np
import pytest

from tests.conformance import __main__ as command
from tests.conformance.equal import difference
from tests.conformance.record import Outcome, rows_of, summary, table, totals

MIXED = [
    Outcome("B", "B() on 1", "agree"),
    Outcome("B", "B() on 2", "differ", "float64: output: shape (1,), expected ()"),
    Outcome("A", "A() on 1", "unsupported", "no a|b\nsecond line"),
    Outcome("A", "A() on 2", "excluded", "complex numbers"),
]


def run(monkeypatch, tmp_path, outcomes, *arguments):
    """Run the command on these outcomes instead of PyTorch's inputs."""
    kind = command.Kind("Title", "About.", lambda seed, names: iter(outcomes), {"C": "a reason"}, ())
    monkeypatch.setattr(command, "KINDS", {"modules": kind})
    return command.main(["--out", str(tmp_path), *arguments])


def test_rows_and_totals_count_each_status():
    rows = rows_of(MIXED)
    assert [(row.name, row.agrees) for row in rows] == [("A", False), ("B", False)]
    assert totals(rows) == {"samples": 4, "in scope": 3, "agree": 1, "differ": 1, "unsupported": 1, "excluded": 1}
    assert "1 of 3 samples in scope agree" in summary(rows)
    assert "3 of 4 (75.0%) are in scope" in summary(rows)
    assert table(rows).splitlines()[2] == "| A |  |  | 1 | 1 | no a\\|b (1); complex numbers (1) |"


def test_the_record_holds_every_row_and_what_is_outside(monkeypatch, tmp_path, capsys):
    assert run(monkeypatch, tmp_path, MIXED, "--seed", "3") == 1
    record = json.loads((tmp_path / "modules.json").read_text(encoding="utf-8"))
    assert (record["seed"], record["totals"]["agree"], record["outside"]) == (3, 1, {"C": "a reason"})
    assert [row["name"] for row in record["rows"]] == ["A", "B"]
    text = (tmp_path / "modules.md").read_text(encoding="utf-8")
    assert "- C: a reason" in text
    assert "`python -m tests.conformance --only modules --seed 3`" in text


def test_status_0_only_if_everything_in_scope_agrees(monkeypatch, tmp_path, capsys):
    assert run(monkeypatch, tmp_path, [MIXED[0], MIXED[3]]) == 0
    for wrong in MIXED[1:3]:
        assert run(monkeypatch, tmp_path, [MIXED[0], wrong]) == 1


def test_a_stale_exclusion_fails_and_is_named(monkeypatch, tmp_path, capsys):
    assert run(monkeypatch, tmp_path, [Outcome("A", "A() on 3", "excluded", "complex", stale=True)]) == 1
    assert "excluded, but it agrees: A() on 3" in capsys.readouterr().out


def test_some_names_alone_write_nothing_and_verbose_prints_the_sample(monkeypatch, tmp_path, capsys):
    assert run(monkeypatch, tmp_path, MIXED, "--name", "A", "--verbose") == 1
    assert "unsupported: A() on 1\n    no a|b" in capsys.readouterr().out
    assert not list(tmp_path.iterdir())


def test_a_name_without_samples_fails(monkeypatch, tmp_path, capsys):
    assert run(monkeypatch, tmp_path, [], "--name", "Conv9d") == 1
    assert "no sample of Conv9d" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("ours", "theirs", "agree"),
    [
        ([1.0, np.inf, np.nan], [1.0, np.inf, np.nan], True),
        ([1.0, -np.inf], [1.0, np.inf], False),
        ([1.0, np.nan], [1.0, 2.0], False),
        ([1.0, 2.0], [1.0, np.nan], False),
        ([1.0, 2.0 + 1e-8], [1.0, 2.0], False),
        ([1.0, 2.0 + 1e-10], [1.0, 2.0], True),
        ([[1.0]], [1.0], False),
        ([], [], True),
        ([1e-16], [0.0], True),
    ],
)
def test_arrays_agree_if_they_are_equal_up_to_rounding(ours, theirs, agree):
    assert (difference(np.array(ours), np.array(theirs), "float64") is None) == agree


def test_integers_agree_only_if_they_are_equal():
    assert difference(np.array([1, 2]), np.array([1, 2]), "float64") is None
    assert "first difference at [1]" in str(difference(np.array([1, 3]), np.array([1, 2]), "float64"))
