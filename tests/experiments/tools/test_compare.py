import csv
import json
import shutil

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from experiments.errors import FacesError
from experiments.files import read_json
from experiments.inference.model import TrainedModel
from experiments.tools.compare import compare, cost, count_torch_flops, name_runs
from models.twin import twin


@pytest.fixture
def worse(trained_once, tmp_path, sign):
    """The same run with another name, and figures that are worse."""
    run = shutil.copytree(trained_once.folder, tmp_path / "worse")
    metrics = run / "metrics.json"
    metrics.write_text(metrics.read_text().replace('"top1": 1.0', '"top1": 0.25'))
    sign(run)
    return run


def test_the_table_has_the_runs_own_figures_the_best_first(trained_once, worse, tmp_path, capsys):
    rows = compare([worse, trained_once.folder], [tmp_path / "table.csv", tmp_path / "table.md"])
    metrics = read_json(trained_once.metrics_file)
    assert [row["run"] for row in rows] == ["run", "worse"]
    for key in ("top1", "top5", "loss", "best_top1", "parameters", "images_per_second", "seconds"):
        assert rows[0][key] == metrics[key]
    assert (rows[0]["epochs"], rows[1]["top1"]) == (12, 0.25)
    with (tmp_path / "table.csv").open(newline="") as file:
        written = list(csv.DictReader(file))
    assert [row["run"] for row in written] == ["run", "worse"]
    assert float(written[0]["loss"]) == metrics["loss"]
    markdown = (tmp_path / "table.md").read_text().splitlines()
    assert markdown[2].startswith("| run | face_cnn | 100.0% | 100.0% |")
    assert len({line.count("|") for line in markdown}) == 1
    out = capsys.readouterr().out
    assert out.index(" run ") < out.index("worse")
    assert "best top-1" in out


def test_the_plot_shows_every_run(trained_once, worse, tmp_path):
    compare([trained_once.folder, worse], [tmp_path / "plot.png"])
    with Image.open(tmp_path / "plot.png") as image:
        pixels = np.asarray(image.convert("RGB")).astype(int)
    assert (np.abs(pixels - [43, 108, 176]).max(-1) <= 2).sum() > 100


def test_runs_of_other_images_are_noted(trained_once, worse, capsys, sign):
    environment = worse / "environment.json"
    environment.write_text(environment.read_text().replace(trained_once.image_fingerprint(), "other"))
    sign(worse)
    compare([trained_once.folder, worse])
    assert "note: these runs learned from different images" in capsys.readouterr().out


def test_a_run_without_an_epoch_is_refused(trained_once, worse):
    (worse / "metrics.json").unlink()
    with pytest.raises(FacesError, match=r"worse: no epoch is done; continue the run"):
        compare([trained_once.folder, worse])


@pytest.mark.parametrize(("name", "expected"), [("a.txt", "ends in .csv, .md or .png"), ("no/a.csv", "no folder")])
def test_a_file_that_cannot_be_written_is_refused_first(tmp_path, name, expected):
    with pytest.raises(FacesError, match=expected):
        compare([tmp_path / "no run"], [tmp_path / name])


def test_the_cost_of_our_network_is_near_that_of_its_twin_by_pytorchs_counter(trained_once):
    """PyTorch counts convolutions and matrix products alone, so ours has the elementwise layers more."""
    trained = TrainedModel.open(trained_once.folder)
    ours, theirs = cost(trained), count_torch_flops(twin(trained.network), (3, 16, 16))
    assert ours.parameters == sum(p.numel() for p in twin(trained.network).parameters())
    assert theirs < ours.flops < 1.5 * theirs


def test_a_multiply_add_is_two_and_the_networks_mode_is_kept():
    network = torch.nn.Sequential(torch.nn.Conv2d(3, 5, 3, bias=False), torch.nn.Flatten(), torch.nn.Linear(20, 7))
    assert count_torch_flops(network, (3, 4, 4)) == 2 * (5 * 4 * 27 + 20 * 7)
    assert network.training


def test_runs_of_both_libraries_stand_in_one_table(trained_once, transfer_once):
    rows = {row["run"]: row for row in compare([trained_once.folder, transfer_once.folder])}
    assert rows["transfer"]["model"] == TrainedModel.open(transfer_once.folder).recipe.model.name
    assert rows["transfer"]["parameters"] == read_json(transfer_once.metrics_file)["parameters"]
    assert rows["transfer"]["flops"] > rows["run"]["flops"] > 0


def test_names_are_text_and_equal_names_are_told_apart(trained_once, tmp_path, capsys):
    places = ["cnn[arcface]", "[bold]", "A/run", "B/run", "x/A/run"]
    runs = [shutil.copytree(trained_once.folder, tmp_path / place) for place in places]
    rows = compare(runs, [tmp_path / "table.md"])
    names = ["cnn[arcface]", "[bold]", f"{tmp_path.name}/A/run", "B/run", "x/A/run"]
    assert [row["run"] for row in rows] == names
    out = capsys.readouterr().out
    assert all(name in out for name in names)
    assert all(f"| {name} |" in (tmp_path / "table.md").read_text() for name in names)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.lists(st.sampled_from("ab"), min_size=1, max_size=4).map("/".join), min_size=1, unique=True))
def test_names_are_different_and_as_short_as_can_be(places):
    names = name_runs([f"/top/{place}" for place in places])
    assert len(set(names)) == len(names)
    for place, name in zip(places, names, strict=True):
        assert f"/top/{place}".endswith(f"/{name}")
        shorter = name.partition("/")[2]
        assert not shorter or sum(f"/{other}".endswith(f"/{shorter}") for other in places) > 1


def test_one_run_given_twice_is_refused(trained_once, tmp_path):
    (tmp_path / "link").symlink_to(trained_once.folder)
    with pytest.raises(FacesError, match="link: given twice; give each run once"):
        compare([trained_once.folder, tmp_path / "link"])


@pytest.mark.parametrize(
    "change", [{"top1": 2.0}, {"best_top1": -0.1}, {"top5": "high"}, {"loss": -1}, {"seconds": None}]
)
def test_metrics_that_were_edited_are_refused(worse, change):
    metrics = read_json(worse / "metrics.json")
    (worse / "metrics.json").write_text(json.dumps(metrics | change))
    with pytest.raises(
        FacesError, match=rf"metrics\.json: {next(iter(change))} is .*; was the file cut off, or edited"
    ):
        compare([worse])
