"""A sheet of the first training batch as the network sees it: augmented, mixed, and at its size."""

import os
from math import ceil
from pathlib import Path

import numpy as np
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from experiments.config.recipe import Recipe
from experiments.data.augment import mix_batch
from experiments.data.dataset import read_split
from experiments.data.loader import EpochLoader, ShardedBatches, normalize_tensor
from experiments.errors import FacesError
from experiments.plots.style import write_plot
from experiments.progress import say

COLUMNS, MAX_IMAGES = 8, 64


def first_batch(recipe: Recipe, data: str | os.PathLike[str]) -> tuple[np.ndarray, list[str]]:
    """Return the images (n, H, W, 3) uint8 of the first batch, recovered from the network's input, and their people."""
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
    """Save the first images of the first batch as PNG. Raises FacesError for another type of file."""
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
