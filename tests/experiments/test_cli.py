"""The `faces` command, from help to a competition's submission."""

import csv
import re
import subprocess
import sys

import pytest
import typer

from experiments.cli import app


def names(group, before=()):
    """Every command below, as typed."""
    found = []
    for name, command in group.commands.items():
        typed = (*before, name)
        found += names(command, typed) if hasattr(command, "commands") else [" ".join(typed)]
    return found


COMMANDS = names(typer.main.get_command(app))


def plain(text: str) -> str:
    """Without colors, frames and line breaks."""
    return " ".join(re.sub(r"\x1b\[[0-9;]*m|[│╭╮╰╯─]", " ", text).split())


def test_help_lists_every_command(command):
    result = command("--help")
    assert result.status == 0
    for name in COMMANDS:
        assert f" {name.split()[0]} " in plain(result.out)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_commands_help_has_an_example(command, name):
    result = command(*name.split(), "--help")
    assert result.status == 0
    assert f"Example: faces {name}" in plain(result.out)


@pytest.mark.parametrize("name", ["", *COMMANDS])
def test_the_example_of_a_command_names_options_that_it_has(command, name):
    text = plain(command(*name.split(), "--help").out)
    for example in re.findall(r"Example: (faces .*?) (?=Arguments|Options|Usage)", text):
        for option in re.findall(r"--[a-z-]+", example):
            assert text.count(option) >= 2, option


def test_help_comes_without_importing_torch():
    program = """
import sys
from experiments.cli import main
sys.argv = ["faces", "train", "--help"]
try:
    main()
except SystemExit as end:
    assert not end.code
heavy = {"torch", "torchvision", "matplotlib", "numpy"} & set(sys.modules)
sys.exit(f"imported: {heavy}" if heavy else 0)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_command_runs_as_a_module():
    done = subprocess.run(
        [sys.executable, "-m", "experiments.cli", "--help"], capture_output=True, text=True, check=True
    )
    assert "train" in done.stdout


@pytest.mark.parametrize("arguments", [[], ["train"], ["nonsense"], ["train", "scratch_cnn", "--data", "x"]])
def test_a_command_typed_wrongly_is_explained(command, arguments):
    result = command(*arguments)
    assert result.status == 2
    assert "Usage: faces" in plain(result.out + result.err)


def test_settings_and_a_number_of_people_reach_the_recipe(command, people, recipe_file, tmp_path):
    from experiments.run import Run

    result = command(
        "train", recipe_file, "--data", people, "--out", tmp_path / "run", "--identities", 3,
        "--set", "epochs=1", "--set", "optimizer.lr=1e-3",
    )  # fmt: skip
    assert result.status == 0
    recipe = Run.open(tmp_path / "run").recipe()
    assert (recipe.epochs, recipe.optimizer.lr, recipe.identities) == (1, 0.001, 3)
    assert len(Run.open(tmp_path / "run").classes()) == 3


def test_a_run_goes_on_by_the_same_command_with_resume(command, people, recipe_file, tmp_path):
    arguments = ["train", recipe_file, "--data", people, "--out", tmp_path / "run"]
    assert command(*arguments).status == 0
    result = command(*arguments, "--resume")
    assert result.status == 0
    assert "has all its 2 epochs already" in result.out


def test_a_twin(command, people, recipe_file, tmp_path):
    result = command(
        "twin", recipe_file, "--data", people, "--out", tmp_path / "twin", "--steps", 3, "--dtype", "float64"
    )
    assert result.status == 0
    assert (tmp_path / "twin" / "twin.png").is_file()


def test_a_competition_from_drawing_to_submission(command, recipe_file, tmp_path):
    faces, run, answer = tmp_path / "faces", tmp_path / "run", tmp_path / "submission.csv"
    synth = command(
        "data", "synth", faces, "--identities", 3, "--images", 5, "--test-images", 7, "--size", 32, "--workers", 1
    )
    assert synth.status == 0, synth.err
    assert f"next: faces train scratch_cnn --data {faces}" in synth.out
    for arguments in (
        ["data", "check", faces],
        ["train", recipe_file, "--data", faces, "--out", run],
        ["evaluate", run, "--data", faces],
        ["submit", run, "--test", faces / "test", "--sample", faces / "sample_submission.csv", "--out", answer],
    ):
        result = command(*arguments)
        assert result.status == 0, result.err
        assert result.err == ""
    with answer.open(newline="") as mine, (faces / "sample_submission.csv").open(newline="") as sample:
        rows, wanted = list(csv.DictReader(mine)), list(csv.DictReader(sample))
    assert [row["image_name"] for row in rows] == [row["image_name"] for row in wanted]
    assert {row["label"] for row in rows} <= {"n000001", "n000002", "n000003"}
