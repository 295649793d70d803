"""The learning-rate range test: on curves whose answer is known, and by the command with both libraries."""

import csv

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from experiments.errors import FacesError
from experiments.training import lr_finder
from experiments.training.lr_finder import STEPS, analyze, describe, find_lr, has_diverged, smooth
from experiments.training.mytorch_engine import MytorchEngine
from experiments.training.trainer import TrainOptions

RATES = 1e-6 * 1e7 ** (np.arange(STEPS) / (STEPS - 1))
ALONE = TrainOptions(workers=0)


def curve(steepest: float, explodes: float = 1.0) -> np.ndarray:
    """A loss that falls from 4 to 1, fastest at a rate, and rises again at another."""
    fall = 1 / (1 + np.exp(-4 * np.log10(RATES / steepest)))
    return 4 - 3 * fall + np.maximum(0, 5 * np.log10(RATES / explodes))


@pytest.mark.parametrize("steepest", [1e-4, 1e-3, 1e-2])
@pytest.mark.parametrize("noise", [0.0, 0.02])
def test_the_suggestion_is_where_the_loss_falls_fastest(steepest, noise):
    losses = curve(steepest) + np.random.default_rng(1).normal(0, noise, STEPS)
    found = analyze(RATES, losses)
    assert found.suggestion is not None
    assert abs(np.log10(found.suggestion / steepest)) < 0.3
    assert found.suggestion < found.lowest <= 1.5


@given(st.floats(0.1, 20), st.integers(0, 99))
def test_a_loss_that_does_not_fall_has_no_suggestion(level, seed):
    losses = level * (1 + np.random.default_rng(seed).normal(0, 0.005, STEPS))
    found = analyze(RATES, losses)
    assert found.suggestion is None
    assert describe(found)[-1].startswith("no suggestion: the loss fell by less than 5%")


def test_a_loss_that_only_rises_has_no_suggestion():
    assert analyze(RATES, 2 + np.log10(RATES / 1e-6)).suggestion is None


def test_smoothing_keeps_constants_and_lines_and_delays_nothing():
    np.testing.assert_allclose(smooth(np.full(30, 2.5)), 2.5, rtol=1e-12)
    line = np.arange(60.0)
    np.testing.assert_allclose(smooth(line)[20:40], line[20:40], rtol=1e-6)


@pytest.mark.parametrize(
    ("losses", "diverged"),
    [
        ([2.0, float("nan")], True), ([2.0, float("inf")], True), ([2.0] * 20, False), ([], False),
        ([2.0] * 10 + [9.0], False), ([2.0] * 10 + [30.0] * 5, True), ([2.0] * 10 + [0.1] * 60, False),
    ],
)  # fmt: skip
def test_divergence_is_told_from_one_bad_batch(losses, diverged):
    assert has_diverged(losses) == diverged


def test_a_last_loss_that_is_not_finite_is_left_out():
    losses = np.append(curve(1e-3)[:60], np.inf)
    found = analyze(RATES[:61], losses)
    assert (len(found.losses), found.diverged) == (60, True)
    with pytest.raises(FacesError, match="not finite after 2 steps"):
        analyze(RATES[:3], np.array([2.0, 2.0, np.nan]))


def test_every_step_has_its_rate(people, tiny, tmp_path, monkeypatch):
    factors, step = [], MytorchEngine.step
    monkeypatch.setattr(
        MytorchEngine, "step", lambda self, *arguments: (factors.append(arguments[-1]), step(self, *arguments))
    )
    recipe = tiny("optimizer.lr=0.05")
    found = find_lr(recipe, people, tmp_path / "lr.png", ALONE)
    rates = np.array(factors) * 0.05
    np.testing.assert_allclose(rates[: len(found.rates)], found.rates, rtol=1e-9)
    np.testing.assert_allclose(np.log10(rates), -6 + 7 * np.arange(len(rates)) / (STEPS - 1), atol=1e-9)


@pytest.mark.parametrize("which", ["recipe_file", "small_file"])
def test_the_command_writes_a_plot_and_a_table_and_no_run(people, tmp_path, command, request, which, monkeypatch):
    monkeypatch.setattr(lr_finder, "STEPS", 30)
    recipe, tables = request.getfixturevalue(which), []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        plot = tmp_path / name / "lr.png"
        result = command("train", recipe, "--data", people, "--find-lr", plot, "--workers", "0")
        assert result.status == 0, result.err
        assert sorted(path.name for path in plot.parent.iterdir()) == ["lr.csv", "lr.png"]
        with Image.open(plot) as image:
            image.verify()
        tables.append(plot.with_suffix(".csv").read_bytes())
    assert tables[0] == tables[1]  # the same seed, the same test
    rows = list(csv.DictReader(tables[0].decode().splitlines()))
    assert [*rows[0]] == ["lr", "loss", "smoothed"]
    assert float(rows[0]["lr"]) == pytest.approx(1e-6)
    assert "suggest" in result.out
    assert "next: faces train" in result.out


def test_a_network_that_diverges_ends_the_test_early(people, tiny, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(lr_finder, "HIGHEST", 1e8)
    found = find_lr(tiny("optimizer={name: sgd, lr: 0.1}", "model.dropout=0"), people, tmp_path / "lr.png", ALONE)
    assert found.diverged
    assert len(found.rates) < STEPS
    assert "where the loss diverged" in capsys.readouterr().out


def test_what_cannot_be_tested_is_refused_and_leaves_nothing(people, recipe_file, tmp_path, command, small):
    for plot, expected in (("lr.txt", "ends in .png"), ("no/lr.png", "no folder")):
        result = command("train", recipe_file, "--data", people, "--find-lr", tmp_path / plot)
        assert (result.status, expected in result.err) == (2, True)
    result = command("train", recipe_file, "--data", people, "--find-lr", tmp_path / "lr.png", "--out", tmp_path / "r")
    assert result.status == 2
    result = command("train", recipe_file, "--data", tmp_path / "none", "--find-lr", tmp_path / "lr.png")
    assert result.status == 2
    with pytest.raises(FacesError, match="learns nothing"):
        find_lr(small("model.head={name: prototypes}", "epochs=0"), people, tmp_path / "lr.png", ALONE)
    assert not list(tmp_path.iterdir())
