import numpy as np
from PIL import Image

from experiments.data.dataset import read_split
from experiments.data.loader import EpochLoader, ShardedBatches
from experiments.tools.recipes import first_batch


def test_the_pictures_come_back_from_the_numbers_that_the_network_gets(people, small):
    recipe = small("data.mean=[0.1, 0.5, 0.9]", "data.std=[0.2, 0.3, 0.4]")
    share = next(EpochLoader(ShardedBatches(read_split(people, recipe)[0], recipe, training=True), 0).epoch(0))
    images, names = first_batch(recipe, people)
    assert np.array_equal(images, share.images.permute(0, 2, 3, 1).numpy())
    assert names == [("anna", "ben", "chloe", "dan")[label] for label in share.labels]


def test_mixed_pictures_say_of_whom_how_much(people, small):
    _, names = first_batch(small("mixing.mixup=1.0"), people)
    assert all(name.count("%") == 2 for name in names)


def test_the_command_saves_a_sheet_and_stops(people, small_file, recipe_file, tmp_path, command, contents):
    for number, recipe in enumerate((small_file, recipe_file)):
        path = tmp_path / f"{number}.png"
        assert command("train", recipe, "--data", people, "--show-batch", path).status == 0
        with Image.open(path) as sheet:
            assert sheet.size[0] > 500
    assert contents(tmp_path) == {"0.png", "1.png"}


def test_another_kind_of_file_is_refused(people, small_file, tmp_path, command):
    result = command("train", small_file, "--data", people, "--show-batch", tmp_path / "a.txt")
    assert result.status == 2
    assert "expected the name of a file that ends in .png" in result.err


def test_training_without_a_folder_is_refused(people, small_file, command):
    result = command("train", small_file, "--data", people)
    assert result.status == 2
    assert "--out" in result.err
