"""`faces train`: what --epochs, --lr, --batch-size and --seed mean, for recipes with and without stages."""

import pytest

from experiments.run import Run


def test_the_options_reach_the_run(command, people, recipe_file, tmp_path):
    out = tmp_path / "run"
    options = ["--epochs", 1, "--lr", 0.005, "--batch-size", 6, "--seed", 3, "--device", "cpu"]
    result = command("train", recipe_file, "--data", people, "--out", out, *options)
    assert result.status == 0, result.err
    recipe = Run.open(out).recipe()
    assert (recipe.epochs, recipe.optimizer.lr, recipe.batch_size, recipe.seed) == (1, 0.005, 6, 3)
    assert result.out.splitlines()[-1] == f"next: faces evaluate {out} --data {people}"


def test_an_option_wins_over_a_setting(command, people, recipe_file, tmp_path):
    out = tmp_path / "run"
    result = command("train", recipe_file, "--data", people, "--out", out, "--set", "epochs=7", "--epochs", 1)
    assert result.status == 0, result.err
    assert Run.open(out).recipe().epochs == 1


def test_fewer_epochs_than_stages_are_refused(command, people, tmp_path):
    result = command("train", "mobilenet_v2_a", "--data", people, "--out", tmp_path / "run", "--epochs", 1)
    assert result.status == 2
    assert "one for each stage" in " ".join(result.err.split())


@pytest.mark.parametrize(("option", "value"), [("--epochs", 0), ("--batch-size", 1), ("--seed", -1), ("--lr", "x")])
def test_what_cannot_be_is_refused(command, people, recipe_file, tmp_path, option, value):
    out = tmp_path / "run"
    result = command("train", recipe_file, "--data", people, "--out", out, option, value)
    assert result.status == 2
    assert not out.exists()


def test_mytorch_trains_on_the_cpu_and_says_so(command, people, recipe_file, tmp_path):
    result = command("train", recipe_file, "--data", people, "--out", tmp_path / "run", "--device", "cuda")
    assert result.status == 2
    assert "trains on the CPU" in " ".join(result.err.split())
    assert not (tmp_path / "run").exists()
