import numpy as np
import pytest
from PIL import Image

from experiments.plots.sheets import RIGHT, UNKNOWN, WRONG, Tile, write_sheet
from experiments.plots.training import plot_confusion_matrix, plot_learning_curves, plot_twin_curves

ROW = {"train_loss": 1.0, "train_top1": 0.5, "top1": 0.4, "top5": 0.9, "loss": 1.2}
FACE = np.random.default_rng(0).integers(0, 256, (20, 16, 3), np.uint8)


def shown(path) -> np.ndarray:
    with Image.open(path) as image:
        assert image.format == "PNG"
        return np.asarray(image.convert("RGB"))


def has_color(pixels: np.ndarray, color: str) -> bool:
    wanted = [int(color[i : i + 2], 16) for i in (1, 3, 5)]
    return bool((np.abs(pixels.astype(int) - wanted).max(-1) <= 2).any())


@pytest.mark.parametrize("epochs", [1, 3, 30])
def test_learning_curves_of_any_length(tmp_path, epochs):
    history = [{"epoch": n, **{key: value / n for key, value in ROW.items()}} for n in range(1, epochs + 1)]
    plot_learning_curves(history, tmp_path / "curves.png", "title", 0.1)
    pixels = shown(tmp_path / "curves.png")
    assert has_color(pixels, "#2b6cb0")
    assert has_color(pixels, "#dd6b20")
    assert [path.name for path in tmp_path.iterdir()] == ["curves.png"]


@pytest.mark.parametrize("classes", [2, 20, 60])
def test_a_confusion_matrix_of_few_and_of_many_people(tmp_path, classes):
    counts = np.random.default_rng(0).integers(0, 5, (classes, classes))
    plot_confusion_matrix(counts, [f"person {n}" for n in range(classes)], tmp_path / "confusion.png")
    height, width, _ = shown(tmp_path / "confusion.png").shape
    assert max(height, width) < 2500


def test_a_confusion_matrix_without_a_single_mistake(tmp_path):
    plot_confusion_matrix(np.diag([3, 4]), ["a", "b"], tmp_path / "confusion.png")
    shown(tmp_path / "confusion.png")


@pytest.mark.parametrize("difference", [np.full(5, 1e-16), np.zeros(5), np.array([0, 1e-15, 0, 1e-12, 1e-3])])
def test_twin_curves_of_any_difference_even_of_none(tmp_path, difference):
    plot_twin_curves([2.0, 1.5, 1.2, 1.1, 1.0], [2.0, 1.5, 1.2, 1.1, 1.0], difference, tmp_path / "twin.png", "float64")
    assert has_color(shown(tmp_path / "twin.png"), "#2b6cb0")


def test_a_tile_says_who_and_how_surely_and_who_it_is_where_that_differs():
    assert Tile(FACE, "anna", "anna", 0.914).caption == "anna  91%"
    assert Tile(FACE, "anna", "ben", 0.5).caption == "ben  50%\nis anna"
    assert Tile(FACE, None, "ben", 1.0).caption == "ben  100%"
    assert Tile(FACE, "a" * 40, "a" * 40, 1.0).caption == "a" * 15 + "…  100%"


def test_a_tiles_color_tells_right_wrong_and_unknown():
    colors = [Tile(FACE, truth, "anna", 0.5).color for truth in ("anna", "ben", None)]
    assert colors == [RIGHT, WRONG, UNKNOWN]


@pytest.mark.parametrize("count", [0, 1, 6, 7])
def test_a_sheet_of_any_number_of_faces(tmp_path, count):
    write_sheet([Tile(FACE, "anna", "ben", 0.5)] * count, tmp_path / "sheet.png", "title")
    assert has_color(shown(tmp_path / "sheet.png"), WRONG) == (count > 0)


def test_names_with_dollars_underscores_and_other_scripts_are_drawn_as_they_are(tmp_path):
    names = ["cash$^$money", "under_score", "明"]
    write_sheet([Tile(FACE, name, "x", 0.5) for name in names], tmp_path / "sheet.png", "title")
    plot_confusion_matrix(np.ones((3, 3), int), names, tmp_path / "confusion.png")
