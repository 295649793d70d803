"""`faces train`: what --epochs, --lr, --batch-size and --seed mean, for recipes with and without stages."""

import pytest
import yaml

from experiments.commands.train import _as_settings
from experiments.config import recipe as recipes
from experiments.run import Run


def changed(name, **options):
    settings = {"epochs": None, "lr": None, "batch_size": None, "seed": None, **options}
    return recipes.load_recipe(name, _as_settings(recipes.load_recipe(name), **settings))


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


@pytest.mark.parametrize("epochs", [2, 3, 5, 17, 100])
def test_stages_keep_their_proportions_and_have_an_epoch_each(epochs):
    plain, recipe = recipes.load_recipe("mobilenet_v2_a"), changed("mobilenet_v2_a", epochs=epochs)
    assert recipe.epochs == epochs
    lengths = [stage.epochs for stage in recipe.stages]
    assert min(lengths) >= 1
    if epochs >= 10 * len(lengths):
        for mine, theirs in zip(lengths, plain.stages, strict=True):
            assert mine / epochs == pytest.approx(theirs.epochs / plain.epochs, abs=1 / epochs)


def test_fewer_epochs_than_stages_are_refused(command, people, tmp_path):
    result = command("train", "mobilenet_v2_a", "--data", people, "--out", tmp_path / "run", "--epochs", 1)
    assert result.status == 2
    assert "has 2 stages" in result.err


def test_rates_of_stages_are_scaled_as_the_optimizers(tmp_path):
    file = tmp_path / "mine.yaml"
    stages = [{"epochs": 1, "train": "head"}, {"epochs": 2, "lr": 0.004}, {"epochs": 2, "lr": {"head": 0.02}}]
    text = {"model": {"backbone": "resnet18", "weights": "none"}, "optimizer": {"lr": 0.01}, "stages": stages}
    file.write_text(yaml.safe_dump(text), encoding="utf-8")
    recipe = changed(file, lr=0.005)
    assert recipe.optimizer.lr == 0.005
    assert [stage.lr for stage in recipe.stages] == [None, 0.002, {"head": 0.01}]


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
