"""The recipes that come with the project, as a table, with what was measured of them."""

import csv

from rich import box
from rich.table import Table

from experiments.config.load import RECIPES_FOLDER, load_recipe, recipe_names
from experiments.config.model_settings import TransferModel
from experiments.config.recipe import Recipe
from experiments.progress import console, format_duration, print_table

MEASURED = RECIPES_FOLDER / "measured.csv"
"""Top-1 and training time by recipe, copied from results/ (`tests/experiments/tools/test_recipes.py` compares them)."""
FILE_WIDTH = 160
HEAD = ("recipe", "network", "size", "weights", "epochs", "top-1", "time", "measured on")


def recipe_rows() -> list[dict[str, str]]:
    """A row per recipe, by the names in HEAD. What was not measured is empty."""
    return [_row(name, load_recipe(name), measured().get(name, {})) for name in recipe_names()]


def recipe_table() -> None:
    """Print the recipes."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    width = console.width if console.is_terminal else FILE_WIDTH
    head = HEAD if width >= 130 else HEAD[:-1]
    for name in head:
        table.add_column(name, justify="right" if name in ("epochs", "top-1", "time") else "left", overflow="fold")
    for row in recipe_rows():
        table.add_row(*(row[name] for name in head))
    print_table(table, FILE_WIDTH)


def measured() -> dict[str, dict[str, str]]:
    """What was measured, by recipe."""
    with MEASURED.open(newline="", encoding="utf-8") as file:
        return {row["recipe"]: row for row in csv.DictReader(file)}


def _row(name: str, recipe: Recipe, found: dict[str, str]) -> dict[str, str]:
    height, width = recipe.data.size
    values = (
        name, recipe.model.name, f"{height} px" if height == width else f"{height}x{width} px", _weights(recipe),
        str(recipe.epochs) if recipe.epochs else "none", f"{float(found['top1']):.1%}" if found else "",
        format_duration(float(found["seconds"])) if found and float(found["seconds"]) else "", found.get("data", ""),
    )  # fmt: skip
    return dict(zip(HEAD, values, strict=True))


def _weights(recipe: Recipe) -> str:
    """Where a recipe's weights come from, in a word."""
    model = recipe.model
    if not isinstance(model, TransferModel):
        return "random (mytorch)"
    if model.weights == "none":
        return "random"
    from models.backbones import find_backbone

    backbone = find_backbone(model.backbone)
    if not backbone.weights:
        return "--weights FILE"
    return "VGGFace2 faces" if "VGGFace2" in backbone.source else "ImageNet"
