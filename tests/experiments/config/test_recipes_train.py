"""Every recipe of a transfer network starts and learns: two batches in each of its stages."""

import csv
from pathlib import Path

import numpy as np
import pytest
import yaml

from experiments.config.load import RECIPES_FOLDER, load_recipe, recipe_names
from experiments.config.model_settings import TransferModel
from experiments.inference.model import TrainedModel
from experiments.training import recorder, trainer
from experiments.training.trainer import TrainOptions, train

SIDES = {"inception": 80, "mobilefacenet": 112}
"""The smallest images that a network can work on, where 32 pixels are too few."""

NAMES = [name for name in recipe_names() if isinstance(load_recipe(name).model, TransferModel)]


def shortened(name: str):
    """The recipe with drawn weights, small images, and one epoch of two batches in each stage."""
    tree = yaml.safe_load((RECIPES_FOLDER / f"{name}.yaml").read_text())
    side = next((side for start, side in SIDES.items() if tree["model"]["backbone"].startswith(start)), 32)
    epochs = [f"stages.{number}.epochs=1" for number in range(len(tree.get("stages", [])))] or ["epochs=1"]
    if "prototypes" in name:
        epochs = []
    common = ["model.weights=none", f"data.size=[{side}, {side}]", "batch_size=2", "split.train=0.5"]
    return load_recipe(name, [*common, *epochs])


@pytest.fixture(scope="module")
def two_people(tmp_path_factory) -> Path:
    """Two people with four images each: two train, two validate."""
    from PIL import Image

    folder, rng = tmp_path_factory.mktemp("two"), np.random.default_rng(0)
    for name in ("anna", "ben"):
        (folder / name).mkdir()
        for number in range(4):
            Image.fromarray(rng.integers(0, 256, (40, 40, 3), np.uint8)).save(folder / name / f"{number}.png")
    return folder


@pytest.fixture(autouse=True)
def without_curves_and_checkpoints(monkeypatch):
    """Both take most of so short a run's time, and do not depend on the recipe: test_torch_resume attacks them."""
    monkeypatch.setattr(recorder, "plot_learning_curves", lambda *_: None)
    for module in (recorder, trainer):
        monkeypatch.setattr(module, "save_checkpoint", lambda *_: None)


@pytest.mark.parametrize("name", NAMES)
def test_every_recipe_learns_from_two_batches(name, two_people, tmp_path):
    recipe = shortened(name)
    run = train(recipe, two_people, tmp_path / "run", options=TrainOptions(workers=0))
    with run.history_file.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["epoch"]) for row in rows] == list(range(1, recipe.epochs + 1)) or recipe.epochs == 0
    assert all(np.isfinite(float(row["loss"])) for row in rows)
    assert all(np.isfinite(float(row["train_loss"])) for row in rows if recipe.epochs)
    trained = TrainedModel.open(run.folder)
    images = np.zeros((2, *trained.size, 3), np.uint8)
    assert trained.logits(images).shape == (2, 2)


def test_published_recipes_say_whose_figures_they_are_after():
    published = [name for name in NAMES if name.rsplit("_", 1)[-1] in ("a", "a2", "b", "c", "c2")]
    assert len(published) == 11
    assert all(load_recipe(name).about.startswith("Published, ") for name in published)
    assert all("%" in load_recipe(name).about or "results of A" in load_recipe(name).about for name in published)
