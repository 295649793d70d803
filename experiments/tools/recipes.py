"""Recipes to look at: all of them in a table with what was measured, and the first batch that one trains on."""

import csv
import os
from math import ceil
from pathlib import Path

import numpy as np
from rich import box
from rich.table import Table

from experiments.config.load import RECIPES_FOLDER, load_recipe, recipe_names
from experiments.config.recipe import Recipe
from experiments.errors import FacesError
from experiments.progress import console, format_duration, print_table, say

MEASURED = RECIPES_FOLDER / "measured.csv"
"""Top-1 and training time by recipe, copied from results/ (`tests/experiments/tools/test_recipes.py` compares them)."""
FILE_WIDTH = 160
FROM_A_RUN = "--weights RUN"
"""What a recipe's `about` says where it continues from another run."""

COLUMNS, MAX_IMAGES = 8, 64
"""Of a sheet of the first batch."""
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
    if recipe.model.library == "mytorch":
        return "random (mytorch)"
    model = recipe.torch_model
    if model.weights == "none":
        return "random"
    if FROM_A_RUN in recipe.about:
        return FROM_A_RUN
    from models.backbones import find_backbone

    backbone = find_backbone(model.backbone)
    if not backbone.weights:
        return "--weights FILE"
    return "VGGFace2 faces" if "VGGFace2" in backbone.source else "ImageNet"


def first_batch(recipe: Recipe, data: str | os.PathLike[str]) -> tuple[np.ndarray, list[str]]:
    """Return the images (n, H, W, 3) uint8 of the first batch, recovered from the network's input, and their people."""
    import torch

    from experiments.data.augment import mix_batch
    from experiments.data.dataset import read_split
    from experiments.data.loader import EpochLoader, ShardedBatches, normalize_tensor

    faces, _ = read_split(data, recipe)
    batch = next(EpochLoader(ShardedBatches(faces, recipe, training=True), 0).epoch(0))
    pixels = normalize_tensor(batch.images, recipe.data, torch.device("cpu"))
    pixels, kept = mix_batch(pixels, recipe.mixing, recipe.seed, 0, 0)
    mean, std = (torch.as_tensor(value).expand(3).reshape(3, 1, 1) for value in (recipe.data.mean, recipe.data.std))
    images = ((pixels * std + mean) * 255).round().clamp(0, 255).byte().permute(0, 2, 3, 1).numpy()
    names = [faces.names[label] for label in batch.labels.tolist()]
    if kept < 1:
        names = [f"{a} {kept:.0%}\n{b} {1 - kept:.0%}" for a, b in zip(names, names[::-1], strict=True)]
    return images, names


def show_batch(recipe: Recipe, data: str | os.PathLike[str], path: Path) -> None:
    """Save the first images of the first batch as PNG: augmented, mixed, and at the network's size.

    Raises FacesError for another type of file.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    from experiments.plots.style import write_plot

    if path.suffix.lower() != ".png":
        raise FacesError(f"--show-batch {path}: expected the name of a file that ends in .png")
    images, names = first_batch(recipe, data)
    images, names, size = images[:MAX_IMAGES], names[:MAX_IMAGES], recipe.data.size
    rows = ceil(len(images) / COLUMNS)
    drawing = Figure(figsize=(1.5 * COLUMNS, 1.8 * rows + 0.5), layout="constrained")
    FigureCanvasAgg(drawing)
    drawing.suptitle(
        f"{recipe.model.name} sees {size[0]} x {size[1]} pixels: the first batch of epoch 1, seed {recipe.seed}"
    )
    for place, (image, name) in enumerate(zip(images, names, strict=True), 1):
        axis = drawing.add_subplot(rows, COLUMNS, place)
        axis.set_axis_off()
        axis.imshow(image, interpolation="nearest")
        axis.set_title(name, fontsize=7, parse_math=False)
    write_plot(drawing, path)
    say(f"{path}: {len(images)} images of {size[0]} x {size[1]} pixels, as the network will see them")
