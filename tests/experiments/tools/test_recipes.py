"""`faces recipes`: every recipe is listed, and what is printed of it was measured."""

import json
from pathlib import Path
from statistics import mean

import pytest
import yaml

from experiments.config.load import RECIPES_FOLDER, load_recipe, recipe_names
from experiments.tools.recipes import measured, recipe_rows

ROOT = Path(__file__).parents[3]


def test_every_recipe_is_listed_with_its_size_and_epochs(command):
    result = command("recipes")
    assert result.status == 0, result.err
    lines = {line.split()[0]: line for line in result.out.splitlines() if line.strip()}
    for name in recipe_names():
        settings = yaml.safe_load((RECIPES_FOLDER / f"{name}.yaml").read_text(encoding="utf-8"))
        assert f" {settings['data']['size'][0]} px" in lines[name] if "size" in settings.get("data", {}) else True
        assert settings["model"].get("name", settings["model"].get("backbone")) in lines[name]
    assert "next: faces train RECIPE --data DIR" in result.out


def test_a_recipe_is_printed_as_a_file_that_gives_the_same_recipe(command, tmp_path):
    printed = command("recipes", "scratch_cnn")
    assert printed.status == 0, printed.err
    file = tmp_path / "mine.yaml"
    file.write_text(printed.out, encoding="utf-8")
    assert load_recipe(file) == load_recipe("scratch_cnn")


def test_an_unknown_recipe_is_refused(command):
    result = command("recipes", "scratch_cn")
    assert (result.status, "did you mean 'scratch_cnn'?" in result.err) == (2, True)


@pytest.mark.parametrize("name", sorted(measured()))
def test_what_is_said_to_be_measured_is_in_the_results(name):
    row = measured()[name]
    folders = sorted(ROOT.glob(row["source"]))
    assert folders
    assert name in recipe_names()
    runs = [json.loads((folder / "metrics.json").read_text()) for folder in folders]
    evaluations = [folder / "evaluation.json" for folder in folders if (folder / "evaluation.json").is_file()]
    found = [json.loads(file.read_text())["top1"] for file in evaluations] or [run["top1"] for run in runs]
    assert float(row["top1"]) == pytest.approx(mean(found), abs=5e-5)
    assert float(row["seconds"]) == pytest.approx(mean(run["seconds"] for run in runs), abs=1)
    for folder in folders:
        ran = yaml.safe_load((folder / "recipe.yaml").read_text())
        plain = load_recipe(name)
        assert ran["model"].get("name", ran["model"].get("backbone")).removesuffix("_tf") == plain.model.name
        if ran["data"]["size"] != list(plain.data.size):
            assert f"at {ran['data']['size'][0]} px" in row["data"]


def test_weights_are_told_apart():
    weights = {row["recipe"]: row["weights"] for row in recipe_rows()}
    assert weights["scratch_cnn"] == "random (mytorch)"
    assert weights["resnet18_scratch"] == "random"
    assert weights["resnet18"] == "ImageNet"
    assert weights["inception_resnet_v1"] == "VGGFace2 faces"
    assert weights["mobilefacenet"] == "--weights FILE"
    assert weights["mobilenet_v2_arcface"] == weights["resnet18_arcface"] == "--weights RUN"
