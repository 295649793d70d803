"""What is wrong with an input is one clear message on standard error, exit status 2, and nothing half-written."""

import struct
import zlib

import pytest
from PIL import Image


def bomb(path) -> None:
    """A PNG of a few bytes that says it has 900 million pixels."""
    header = struct.pack(">IIBBBBB", 30000, 30000, 8, 2, 0, 0, 0)
    chunk = b"IHDR" + header
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk)))


@pytest.fixture
def refused(command, contents, tmp_path):
    """refused(expected, ...): the command ends with status 2 and a message, and leaves all as it was."""

    def run(expected: str, *arguments) -> None:
        before = contents(tmp_path)
        result = command(*arguments)
        assert result.status == 2
        assert result.err.startswith("faces: ")
        assert expected in result.err
        assert "Traceback" not in result.err
        assert contents(tmp_path) == before

    return run


@pytest.fixture
def train(recipe_file, tmp_path):
    """train(folder): the command that trains on it."""
    return lambda data, *more: ["train", recipe_file, "--data", data, "--out", tmp_path / "run", *more]


def test_no_such_folder(refused, train, own_people, tmp_path):
    refused(f"no such folder: did you mean {own_people}?", *train(tmp_path / "peopl"))


def test_a_folder_without_identities(refused, train, tmp_path):
    (tmp_path / "empty").mkdir()
    refused("empty: no identity folders: it is empty; expected one folder per person", *train(tmp_path / "empty"))


def test_an_identity_with_one_image(refused, train, own_people):
    for number in range(1, 6):
        (own_people / "ben" / f"{number}.png").unlink()
    refused("at least 2 images to be split, but ben has 1", *train(own_people))


def test_an_identity_with_too_few_images_for_the_recipe(refused, train, own_people):
    refused("at least 7 images to be split, but anna has 6", *train(own_people, "--set", "split.train=6"))


def test_a_truncated_jpg(refused, train, own_people):
    path = own_people / "ben" / "new.jpg"
    with Image.open(own_people / "ben" / "0.png") as image:
        image.save(path)
    path.write_bytes(path.read_bytes()[:-300])
    refused(f"{path}: cannot be decoded, so it is truncated or damaged", *train(own_people))


def test_a_text_file_named_jpg(refused, train, own_people):
    (own_people / "ben" / "notes.jpg").write_text("see you at eight")
    refused("notes.jpg: begins with b'see you at eight', expected an image", *train(own_people))


def test_a_decompression_bomb(refused, train, own_people):
    bomb(own_people / "ben" / "bomb.png")
    refused("bomb.png: ", *train(own_people))


def test_an_unknown_key_in_a_setting(refused, train, own_people):
    refused("lerning_rate: unknown; expected one of", *train(own_people, "--set", "optimizer.lerning_rate=1"))
    refused("optimizer.lrr: unknown; did you mean 'optimizer.lr'?", *train(own_people, "--set", "optimizer.lrr=1"))


def test_an_unknown_key_in_a_file(refused, own_people, tmp_path):
    (tmp_path / "mine.yaml").write_text("epoch: 3")
    arguments = ["--data", own_people, "--out", tmp_path / "run"]
    refused("epoch: unknown; did you mean 'epochs'?", "train", tmp_path / "mine.yaml", *arguments)
    refused("epoch: unknown; did you mean 'epochs'?", "twin", tmp_path / "mine.yaml", *arguments)


def test_an_unknown_recipe(refused, own_people, tmp_path):
    refused("did you mean 'scratch_cnn'?", "train", "scratch_cn", "--data", own_people, "--out", tmp_path / "run")


def test_a_run_folder_that_exists(refused, train, own_people, command):
    assert command(*train(own_people)).status == 0
    refused("run exists already: choose another --out, or resume it with --resume", *train(own_people))


def test_more_people_than_there_are(refused, train, own_people):
    refused("cannot keep 5 identities of 4: choose from 2 to 4", *train(own_people, "--identities", 5))


@pytest.mark.parametrize("verb", ["evaluate", "submit", "resume"])
def test_a_run_folder_that_is_none(refused, own_people, verb, recipe_file):
    expected = "has no recipe.yaml and no classes.json; give a folder that `faces train ... --out RUN` made"
    arguments = {
        "evaluate": ["evaluate", own_people, "--data", own_people],
        "submit": ["submit", own_people, "--test", own_people / "ben", "--sample", "x.csv"],
        "resume": ["train", recipe_file, "--data", own_people, "--out", own_people, "--resume"],
    }
    refused(expected, *arguments[verb])


def test_a_run_folder_in_a_file(refused, train, own_people, tmp_path, recipe_file):
    out = own_people / "ben" / "0.png" / "run"
    refused("is not a folder that you may write to", "train", recipe_file, "--data", own_people, "--out", out)


def test_a_competition_drawn_over_another_folder(refused, own_people):
    refused("expected a new or an empty folder, but it holds files", "data", "synth", own_people)


def test_a_check_of_a_folder_that_is_not_there(refused, tmp_path):
    refused("no such folder", "data", "check", tmp_path / "none")


def test_a_check_that_finds_something_ends_with_status_1(command, own_people):
    (own_people / "ben" / "notes.jpg").write_text("see you at eight")
    result = command("data", "check", own_people)
    assert result.status == 1
    assert "notes.jpg" in result.out


def test_a_twin_of_an_unknown_dtype(refused, own_people, recipe_file, tmp_path):
    arguments = ["twin", recipe_file, "--data", own_people, "--out", tmp_path / "twin", "--dtype", "float16"]
    refused("--dtype float16: expected float32 or float64", *arguments)


def test_a_file_name_longer_than_the_system_takes(refused, train, own_people, recipe_file, tmp_path):
    out = tmp_path / ("x" * 300)
    refused("File name too long", "train", recipe_file, "--data", own_people, "--out", out)


def test_a_device_that_does_not_exist(refused, own_people, people, recipe_file, tmp_path, trained_once):
    for name in ("zzz", "cuda:99"):
        expected = f"--device {name}: "
        refused(expected, "align", people, tmp_path / "aligned", "--device", name, "--workers", 1)
        refused(expected, "train", "resnet10_scratch", "--data", people, "--out", tmp_path / "run", "--device", name)


def test_a_file_where_a_run_is_expected(refused, own_people):
    file = own_people / "ben" / "0.png"
    refused("is a file, expected a run's folder", "evaluate", file, "--data", own_people)


@pytest.mark.parametrize("verb", ["match", "explain"])
def test_an_image_to_write_has_its_suffix_and_its_folder_before_anything_is_computed(
    refused, own_people, tmp_path, verb
):
    one, other = own_people / "ben" / "0.png", own_people / "ben" / "1.png"
    for out, expected in (("x.txt", "ends in .png"), ("none/x.png", "is not a folder"), ("people", "ends in .png")):
        refused(expected, verb, tmp_path / "run", one, other, "--out", tmp_path / out)


def test_submissions_and_runs_are_not_mixed(refused, own_people, tmp_path, command):
    (tmp_path / "a.csv").write_text("id,label\n1,x\n")
    mixed = command("compare", tmp_path / "a.csv", own_people)
    assert (mixed.status, "give runs or submissions" in " ".join(mixed.err.split())) == (2, True)
    wrong = command("pseudo-label", tmp_path, "--test", own_people, "--out", tmp_path / "o", "--min-votes", 1)
    assert (wrong.status, "for submissions, but these are runs" in " ".join(wrong.err.split())) == (2, True)
