"""`faces show` as typed: a film of every operation, sheets of a run of either library, and what is refused."""

import json
import re

import numpy as np
import pytest
import torch
from PIL import Image
from typer.main import get_command

from experiments.commands.show import show
from experiments.inference.model import TrainedModel
from experiments.visualize.network import (
    convolutions,
    feature_maps,
    load_image_for,
    logits_of,
    pixel_gradient,
    strongest,
)
from mytorch.explain.case import FailedCase


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("conv", ["--kernel", "outline", "--stride", 2, "--padding", 1]),
        ("im2col", ["--stride", 2]),
        ("winograd", []),
        ("pool", ["--mode", "average", "--kernel", 3]),
        ("transposed", ["--padding", 1]),
        ("upsample", ["--mode", "nearest", "--scale", 3]),
        ("dropout", ["--p", 0.2]),
    ],
)
def test_an_operation_is_drawn(command, tmp_path, name, options):
    out = tmp_path / f"{name}.png"
    result = command("show", name, "--size", 8, "--frames", 6, "--out", out, *options)
    assert result.status == 0, result.err
    assert result.err == ""
    with Image.open(out) as poster:
        assert poster.format == "PNG"


SHOWN = [
    "conv", "im2col", "winograd", "pool", "transposed", "upsample", "dropout", "batchnorm",
    "filters", "features", "gradient", "failed-case", "explore",
]  # fmt: skip


def test_every_help_has_an_example_with_options_that_there_are(command):
    assert set(SHOWN) == set(get_command(show).commands)
    for name in SHOWN:
        result = command("show", name, "--help")
        assert result.status == 0
        text = " ".join(re.sub(r"\x1b\[[0-9;]*m|[│╭╮╰╯─]", " ", result.out).split())
        (example,) = re.findall(rf"Example: faces show ({name} .*?) (?=Arguments|Options)", text)
        for option in re.findall(r"--[a-z-]+", example):
            assert text.count(option) >= 2, option


def test_a_film_of_a_picture(command, people, tmp_path):
    out = tmp_path / "pool.gif"
    result = command("show", "pool", people / "anna" / "0.png", "--size", 6, "--frames", 5, "--out", out)
    assert result.status == 0, result.err
    with Image.open(out) as film:
        assert f"{out}: {film.n_frames} steps" in result.out


def test_batch_norm_of_pictures(command, people, tmp_path):
    images = [people / "anna" / "0.png", people / "ben" / "0.png"]
    result = command("show", "batchnorm", *images, "--size", 8, "--out", tmp_path / "norm.png")
    assert result.status == 0, result.err
    assert (tmp_path / "norm.png").is_file()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["conv", "--out", "film.mp4"], "--out film.mp4: expected a name that ends in .png or .gif, such as film.png"),
        (["conv", "--out", "absent/film.gif"], "absent is not a folder; make it first"),
        (["conv", "--kernel", "sharp"], "did you mean sharpen?"),
        (["conv", "--size", 1000], "--size 1000: expected 6 to 96"),
        (["conv", "absent.png"], "absent.png: no such file"),
        (["winograd", "--kernel", "1,2/3,4"], "expected 3 x 3"),
        (["pool", "--kernel", 9], "--kernel 9: expected 1 to 5"),
        (["pool", "--padding", 2], "--padding 2: expected 0 to 1"),
        (["transposed", "--size", 6, "--padding", 8], "leaves nothing"),
        (["upsample", "--scale", 0.01], "--scale 0.01: expected outputs per pixel"),
        (["dropout", "--p", 1], "--p 1: expected the share"),
        (["filters", "absent"], "absent: no such folder"),
        (["filters", "absent", "--out", "filters.gif"], "expected a name that ends in .png"),
        (["explore", "absent", "--image", "a.png"], "absent: no such folder"),
        (["explore", "absent", "--image", "a.png", "--out", "a.png"], "expected a name that ends in .html"),
        (["failed-case", "absent.json"], "absent.json: No such file"),
        (["failed-case", "a.json", "--out", "a.png"], "expected a name that ends in .svg"),
    ],
)
def test_what_cannot_be_drawn_is_refused_in_one_line_and_nothing_is_written(
    command, tmp_path, monkeypatch, arguments, message
):
    monkeypatch.chdir(tmp_path)
    result = command("show", *arguments)
    assert result.status == 2
    assert result.err.startswith("faces: ")
    assert message in result.err
    assert result.err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.fixture(params=["mytorch", "PyTorch"])
def trained(request) -> TrainedModel:
    return TrainedModel.open(
        request.getfixturevalue("trained_once" if request.param == "mytorch" else "transfer_once").folder
    )


@pytest.fixture
def image(trained, people) -> np.ndarray:
    return load_image_for(trained, people / "anna" / "0.png")


def test_sheets_of_a_run(command, trained, people, tmp_path):
    run, image = trained.run.folder, people / "anna" / "0.png"
    for arguments in (["filters", run], ["features", run, image], ["gradient", run, image, "--copies", 2]):
        out = tmp_path / f"{arguments[0]}.png"
        result = command("show", *arguments, "--out", out)
        assert result.status == 0, result.err
        assert result.err == ""
        with Image.open(out) as sheet:
            assert min(sheet.size) > 100


def test_a_page_to_explore_a_run_of_mytorch(command, trained_once, people, tmp_path):
    out = tmp_path / "page.html"
    arguments = ["show", "explore", trained_once.folder, "--image", people / "anna" / "0.png", "--out", out]
    result = command(*arguments, "--class", "ben")
    assert result.status == 0, result.err
    assert "layers" in result.out
    assert '"ben"' in out.read_text()
    refused = command(*arguments, "--class", "nobody")
    assert refused.status == 2
    assert "--class nobody: expected a person of" in refused.err


def test_a_run_of_pytorch_cannot_be_explored_and_says_so(command, transfer_once, people, tmp_path):
    out = tmp_path / "page.html"
    image = people / "anna" / "0.png"
    result = command("show", "explore", transfer_once.folder, "--image", image, "--out", out)
    assert result.status == 2
    assert "a network of PyTorch; explore takes one of mytorch" in result.err
    assert not out.exists()


def test_a_stored_failed_case_is_drawn(command, tmp_path):
    path, out = tmp_path / "case.json", tmp_path / "case.svg"
    case = FailedCase.bounded("ReLU()", "A", "wrong", np.ones(3), np.zeros(3), np.ones(3, bool), {"Z": np.ones(3)})
    path.write_text(json.dumps(case.to_dict()))
    result = command("show", "failed-case", path, "--out", out)
    assert result.status == 0, result.err
    assert out.read_text().startswith("<svg ")
    path.write_text("[]")
    refused = command("show", "failed-case", path, "--out", out)
    assert refused.status == 2
    assert "case.json: not a failed case" in refused.err


def test_the_gradient_at_the_pixels_is_the_slope_of_the_logit(trained, image):
    rng = np.random.default_rng(0)
    image = np.clip(image, 20, 235)
    way = rng.choice([-1, 1], image.shape).astype(np.int16)
    grad = pixel_gradient(trained, image, 2)
    up, down = ((image + sign * way).astype(np.uint8) for sign in (1, -1))
    slope = (logits_of(trained, up)[2] - logits_of(trained, down)[2]) / (2 / 255)
    size = np.linalg.norm(grad) * np.linalg.norm(way.astype(float))
    assert abs(float((grad * way).sum()) - slope) < 0.05 * size


def test_feature_maps_and_kernels_are_the_networks(trained, image):
    maps, kernels = feature_maps(trained, image), convolutions(trained)
    assert len(maps) >= 2
    sizes = [values.shape[1] for values in maps.values()]
    assert sizes == sorted(sizes, reverse=True)
    first = next(iter(kernels.values()))
    assert first.shape[1] == 3
    if isinstance(trained.network, torch.nn.Module):
        inner = [m for m in trained.network.modules() if isinstance(m, torch.nn.Conv2d) and max(m.kernel_size) > 1]
        assert len(kernels) == len(inner)
    else:
        np.testing.assert_array_equal(first, trained.network[0].weight.data)


def test_a_layer_or_a_person_that_is_not_there_is_said_with_the_nearest(command, trained_once, people, tmp_path):
    run, out = trained_once.folder, tmp_path / "sheet.png"
    layer = command("show", "filters", run, "--layer", "00", "--out", out)
    assert (layer.status, "the convolutions are 0" in layer.err) == (2, True)
    person = command("show", "gradient", run, people / "anna" / "0.png", "--class", "ana", "--out", out)
    assert person.status == 2
    assert "did you mean anna?" in person.err
    assert not out.exists()


def test_the_strongest_channels_are_those_that_differ_most_by_place():
    values = np.zeros((3, 4, 4))
    values[1, 0, 0], values[2, 0, 0], values[0] = 5, 1, 100
    assert strongest(values, 2) == [1, 2]
