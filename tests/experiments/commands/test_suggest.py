"""A wrong verb or option is answered with the right one, a wrong value with what was expected."""

import re
from pathlib import Path

import pytest
import typer
from PIL import Image

from experiments.cli import PANELS, app
from experiments.commands.suggest import OPTIONS, VERBS, commands_of

GROUP = typer.main.get_command(app)
LEAVES = dict(commands_of(GROUP))


def plain(text: str) -> str:
    """Without colors, frames and line breaks."""
    return " ".join(re.sub(r"\x1b\[[0-9;]*m|[│╭╮╰╯─]", " ", text).split())


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("pack", "faces data pack"),
        ("enroll people", "faces gallery enroll"),
        ("gallery-enroll", "faces gallery enroll"),
        ("data_pack", "faces data pack"),
        ("leave-one-out", "faces gallery evaluate"),
        ("verify-all", "faces verify --all-pairs"),
        ("rehearse", "faces doctor --smoke"),
        ("agree a.csv b.csv", "faces compare A.csv B.csv"),
        ("throughput", "faces bench --loader RECIPE"),
        ("evalute", "faces evaluate"),
        ("trian", "faces train"),
        ("idenify", "faces identify"),
        ("predict", "faces submit"),
        ("recognise", "faces identify"),
        ("data pak", "faces data pack"),
        ("data train", "faces train"),
        ("show gradcam", "faces show gradient"),
        ("gallery enrol", "faces gallery enroll"),
        ("version", "faces --version"),
    ],
)
def test_a_wrong_verb_finds_the_right_one(command, typed, meant):
    result = command(*typed.split())
    assert result.status == 2
    assert f"Did you mean {meant}" in plain(result.err)


def test_a_verb_unlike_any_other_is_not_guessed(command):
    result = command("xyzzy")
    assert result.status == 2
    assert "No such command: 'xyzzy'. faces -h lists all." in plain(result.err)
    assert "'xyzzy'. faces networks -h lists all." in plain(command("networks", "xyzzy").err)


@pytest.mark.parametrize(
    ("typed", "answer"),
    [
        ("train scratch_cnn --dataset d", "Did you mean --data?"),
        ("train scratch_cnn --learning-rate 0.1", "Did you mean --lr?"),
        ("train scratch_cnn --epoch 3", "Did you mean --epochs?"),
        ("train scratch_cnn --batch_size 3", "Did you mean --batch-size?"),
        ("train scratch_cnn --dropout 0.5", "--set model.dropout=VALUE"),
        ("train scratch_cnn --weight-decay 0.5", "--set optimizer.weight_decay=VALUE"),
        ("align in out --resolution 112", "Did you mean --size?"),
        ("evaluate run -o out", "Did you mean --out?"),
        ("gallery evaluate run dir --fpr 0.1", "Did you mean --far?"),
        ("doctor --xyzzy", "See --help"),
    ],
)
def test_a_wrong_option_finds_the_right_one(command, typed, answer):
    result = command(*typed.split())
    assert result.status == 2
    assert answer in plain(result.err)


def test_what_a_terminal_would_obey_is_not_repeated(command):
    for words in (["\x1b[2Jtrain"], ["train", "scratch_cnn", "--\x1b[2J"]):
        result = command(*words)
        assert result.status == 2
        assert "\x1b[2J" not in result.out + result.err


@pytest.mark.parametrize("answer", sorted({*VERBS.values()} - {"--help", "--version"}))
def test_every_answer_is_a_command_with_that_option(answer):
    name = max((leaf for leaf in LEAVES if f"{answer} ".startswith(f"{leaf} ")), key=len, default=None)
    assert name is not None, answer
    known = {option for parameter in LEAVES[name].params for option in parameter.opts}
    assert set(re.findall(r"--[a-z-]+", answer)) <= known


def test_no_synonym_is_a_verb_or_an_option_that_exists():
    assert not set(VERBS) & set(GROUP.commands)
    known = {option for command in LEAVES.values() for parameter in command.params for option in parameter.opts}
    assert {option for options in OPTIONS.values() for option in options} <= known | {"--no-align"}


def test_every_verb_is_in_one_panel_and_there_are_at_most_32():
    names = [name for panel in PANELS.values() for name in panel]
    assert sorted(names) == sorted(GROUP.commands)
    assert len(names) <= 32


@pytest.mark.parametrize(
    ("typed", "answer"),
    [
        ("train scratch_cnn --data d --out r --epochs ten", "'--epochs': expected a whole number, found 'ten'"),
        ("train scratch_cnn --data d --out r --lr fast", "'--lr': expected a number, such as 0.01, found 'fast'"),
        ("train scratch_cnn --data d --out r --batch-size 1", "a number greater than or equal to 2, found '1'"),
        (
            "train scratch_cnn --data d --out r --set optimizer.lr=fast",
            "optimizer.lr='fast': expected a number, such as",
        ),
        ("train scratch_cnn --data d --out r --set epochs=2.5", "epochs=2.5: expected a whole number"),
        ("align a b --format gif", "'gif' is not one of 'same', 'jpeg', 'png'."),
        ("train scratch_cnn --out r", "--data is missing: One folder per person"),
        ("match a.jpg", "expected two photos, got 1: a.jpg"),
        ("identify runs/a b.gallery", "Expected 3 arguments, found 2. RUN: A run, a known network"),
        ("gallery list", "Expected 1 argument. GALLERY: File that `faces gallery enroll` made, or"),
    ],
)
def test_a_wrong_or_missing_value_is_answered_with_what_was_expected(command, typed, answer):
    result = command(*typed.split())
    assert result.status == 2
    assert answer in plain(result.err)
    for raw in ("Input should", "Value error", "unable to parse"):
        assert raw not in result.err


@pytest.mark.parametrize(
    ("words", "status", "answer"),
    [
        (["gallery", "list"], 2, "not a gallery that `faces gallery enroll` made"),
        (["submit", "--sample", "sample.csv", "--check"], 1, "not text in UTF-8, so not a CSV file"),
    ],
)
def test_an_image_in_place_of_another_file_is_told(command, tmp_path, monkeypatch, words, status, answer):
    monkeypatch.chdir(tmp_path)
    Image.new("RGB", (8, 8)).save("1.jpg")
    Path("sample.csv").write_text("id,label\n1.jpg,\n")
    result = command(*words, "1.jpg")
    assert result.status == status
    assert f"1.jpg: {answer}" in result.out + result.err
