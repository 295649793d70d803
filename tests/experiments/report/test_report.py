import csv
import json
import re
import shutil
from pathlib import Path
from statistics import mean, stdev

import pytest
import yaml

from experiments.config.pretrained_run import resolve_recipe
from experiments.config.recipe import Recipe
from experiments.errors import FacesError
from experiments.files import read_json
from experiments.report.document import Plot, Table
from experiments.report.phrases import counted, enumerated, large, percent
from experiments.report.report import report
from experiments.report.study import Study
from experiments.run import Run
from experiments.training.trainer import TrainOptions, train


def labels(document):
    return set(document.numbers)


def numbers_in(run: Path) -> set[float]:
    """Every number in a run's files."""
    found: set[float] = set()

    def collect(value):
        if isinstance(value, dict | list):
            for inner in value.values() if isinstance(value, dict) else value:
                collect(inner)
        elif isinstance(value, int | float):
            found.add(float(value))
        elif isinstance(value, str):  # remarks
            found.update(map(float, re.findall(r"\d+\.\d+", value)))

    for path in run.rglob("*.json"):
        collect(json.loads(path.read_text()))
    for path in run.rglob("*.csv"):
        with path.open(newline="") as file:
            for row in csv.reader(file):
                found.update(float(cell) for cell in row if re.fullmatch(r"-?\d+(\.\d+)?(e-?\d+)?", cell))
    collect(yaml.safe_load((run / "recipe.yaml").read_text()))
    return found


@pytest.mark.parametrize("name", ["bare", "judged", "verified"])
def test_every_share_loss_and_threshold_is_in_the_runs_files(name, write, read, request):
    run = request.getfixturevalue(name)
    known = {f"{100 * value:.{digits}f}" for value in numbers_in(run) for digits in (1, 2)}
    known |= {f"{value:.{digits}f}" for value in numbers_in(run) for digits in (2, 3, 4)}
    text = re.sub(r"[\d.]+ points", "", read(write(run)).replace("\N{NO-BREAK SPACE}", " "))  # differences
    text = re.sub(r"[\d.]+ [kMG]\b", "", text)  # counted on the network
    packages = set(read_json(run / "environment.json")["packages"].values())
    shown = set(re.findall(r"(?<![\w./])\d+\.\d+(?![\w/]|\.\d)", text)) - packages
    assert len(shown) >= 5
    settings = {f"{value:g}" for value in numbers_in(run)}
    assert shown <= known | settings, shown - known - settings


def test_other_metrics_in_the_folder_are_other_metrics_in_the_report(bare, altered, write, read):
    text = read(write(altered(bare, "other", top1=0.4321, top5=0.8765, seconds=125.0)))
    assert percent(0.4321) in text
    assert percent(0.8765) in text
    assert "2 min 5 s" in text


def test_a_bare_run_has_a_remedy_in_place_of_each_part_that_is_missing(bare, write, read, section):
    document = write(bare)
    text = read(document)
    data = read_json(bare / "environment.json")["data"]
    assert f"faces evaluate {bare} --data {data}" in text
    assert f"faces verify {bare} --pairs PAIRS" in text
    assert not labels(document) & {"people", "confusion", "hardest", "pairs", "verification", "ranking"}
    assert {"curves", "hyper", "data", "networks"} <= labels(document)
    assert len(section(document, "Verification").blocks) == 1


def test_a_transfer_run_that_was_not_verified_is_told_how(transfer_once, write, read):
    assert f"faces verify {transfer_once.folder} --pairs PAIRS" in read(write(transfer_once.folder))


def test_an_evaluated_run_shows_its_mistakes(judged, write, read):
    document = write(judged)
    with (judged / "evaluation" / "confused.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    (table,) = [block for block in document.blocks() if isinstance(block, Table) and block.label == "confused"]
    shown = [[document.plain(cell) for cell in row] for row in table.rows]
    assert rows
    assert shown == [[row["true"], row["taken_for"], row["times"], row["of"]] for row in rows]
    images = {block.source for block in document.blocks() if isinstance(block, Plot)}
    assert {judged / "evaluation" / name for name in ("confusion.png", "hardest.png")} <= images


def test_a_verified_run_shows_its_error_rates_and_curves(verified, write, read):
    document = write(verified)
    figures = read_json(verified / "verification" / "verification.json")
    text = read(document)
    assert {"pairs", "similarities"} <= labels(document)
    assert percent(figures["eer"], 2) in text
    for far, tar in figures["tar_at_far"].items():
        assert f"TAR {percent(tar)} at FAR {far}" in text


def test_ten_runs_are_in_one_table_the_best_recipe_first(ten, write, read):
    document = write(*ten)
    (table,) = [block for block in document.blocks() if isinstance(block, Table) and block.label == "ranking-table"]
    names = [document.plain(row[0]) for row in table.rows]
    assert sorted(names) == sorted(run.name for run in ten)
    means = [family.top1() for family in Study.of(ten).families]
    assert means == sorted(means, reverse=True)
    assert {"together", "each", "ranking", "costs", "pairs", "single"} <= labels(document)
    assert "ten runs of seven recipes" in read(document).lower()


def test_seeds_of_one_recipe_are_told_as_such(ten, write, read):
    top1s = [read_json(run / "metrics.json")["top1"] for run in ten[:3]]
    text = read(write(*ten[:4]))
    assert "first (3 seeds) is one recipe with the seeds 0, 1 and 2." in text
    assert f"mean top-1 of {percent(mean(top1s))} with a standard deviation of {100 * stdev(top1s):.1f} points" in text


def test_a_single_difference_is_put_down_to_its_setting(bare, altered, write, read):
    text = read(write(bare, altered(bare, "slow", {"optimizer.lr": 0.002}, top1=0.25)))
    lr = yaml.safe_load((bare / "recipe.yaml").read_text())["optimizer"]["lr"]
    top1 = read_json(bare / "metrics.json")["top1"]
    assert (
        f"optimizer.lr: {lr} (first) has a top-1 of {percent(top1)}, 0.002 (slow) of {percent(0.25)}, a difference of "
        f"{100 * (top1 - 0.25):.1f} points"
    ) in text


def test_several_differences_are_a_table(bare, altered, write):
    slow, slower = (altered(bare, f"lr{lr}", {"optimizer.lr": lr}, top1=lr * 100) for lr in (0.002, 0.001))
    document = write(bare, slow, slower)
    (table,) = [block for block in document.blocks() if isinstance(block, Table) and block.label == "single"]
    rows = [[document.plain(cell) for cell in row] for row in table.rows]
    assert ["optimizer.lr", "0.002 (lr0.002)", percent(0.2), "0.001 (lr0.001)", percent(0.1), "10.0"] in rows
    assert len(rows) == 3


def test_recipes_that_differ_in_much_show_no_single_difference(bare, altered, write):
    other = altered(bare, "other", {"optimizer.lr": 0.002, "batch_size": 8})
    assert "single" not in labels(write(bare, other))


def test_runs_of_other_images_are_told(bare, altered, write, read, sign):
    other = altered(bare, "other", {"batch_size": 8})
    environment = other / "environment.json"
    environment.write_text(environment.read_text().replace(read_json(environment)["images"], "others"))
    sign(other)
    assert "did not all learn from the same images" in read(write(bare, other))


def test_a_run_that_was_stopped_says_so(bare, altered, write, read):
    stopped = altered(bare, "stopped", epoch=2)
    lines = (stopped / "history.csv").read_text().splitlines(keepends=True)
    (stopped / "history.csv").write_text("".join(lines[:3]))
    text = read(write(stopped))
    assert "stopped after epoch 2 of 12" in text
    assert "--resume" in text
    assert "--resume" not in read(write(bare))


def test_a_run_without_weights_is_reported_without_what_they_say(bare, altered, write, read):
    light = altered(bare, "light")
    (light / "best.safetensors").unlink()
    document = write(light)
    assert "has no best.safetensors" in read(document)
    assert not any(label.startswith("parts") for label in labels(document))


def made(people, folder, **settings):
    model = {"backbone": "test_resnet", "weights": "none", **settings.pop("model", {})}
    recipe = resolve_recipe(
        Recipe.model_validate({"model": model, "data": {"size": [32, 24]}, "batch_size": 5, **settings})
    )
    return train(recipe, people, folder, options=TrainOptions(workers=0)).folder


def test_class_means_have_no_curves(people, tmp_path, write, read):
    document = write(made(people, tmp_path / "means", model={"head": {"name": "prototypes"}}))
    assert "nothing was trained" in document.plain(document.abstract)
    assert "Class means have no epochs" in read(document)
    assert "curves" not in labels(document)


def test_a_run_that_validates_nothing_claims_nothing(people, bare, tmp_path, write, read):
    run = made(people, tmp_path / "all", split={"train": "all"}, epochs=2)
    text = read(write(run))
    assert "none are left to measure its accuracy" in text
    assert "Without validation images" in text
    assert "first classifies" in read(write(run, bare))


def test_runs_of_the_same_name_are_told_apart(bare, tmp_path, write, read):
    other = shutil.copytree(bare, tmp_path / "other" / "first")
    text = read(write(bare, other))
    assert f"{bare.parent.name}/first" in text
    assert "other/first" in text


def test_what_is_wrong_is_a_line_before_anything_is_written(bare, altered, tmp_path):
    out, empty = tmp_path / "report.pdf", tmp_path / "empty"
    empty.mkdir()
    begun = altered(bare, "begun")
    (begun / "metrics.json").unlink()
    for runs, outs, expected in (
        ([tmp_path / "none"], [out], "none: no such folder; give a folder that `faces train"),
        ([empty], [out], "empty: has no recipe.yaml and no classes.json"),
        ([begun], [out], "begun: no epoch is done; continue the run with"),
        ([bare, bare], [out], "first: given twice"),
        ([bare], [tmp_path / "report.doc"], "report.doc: expected a name that ends in .pdf or .html"),
        ([bare], [tmp_path / "no" / "report.pdf"], "there is no folder .*no to write it to; make it first"),
        ([bare], [out, tmp_path / "report.txt"], "report.txt: expected a name"),
    ):
        with pytest.raises(FacesError, match=expected):
            report(runs, outs)
    assert not out.exists()


def test_both_files_by_the_command_as_typed(command, bare, tmp_path):
    result = command("report", bare, "--out", tmp_path / "report.pdf", "--out", tmp_path / "report.html")
    assert result.status == 0, result.err
    assert (tmp_path / "report.pdf").read_bytes().startswith(b"%PDF")
    assert (tmp_path / "report.html").read_text().startswith("<!doctype html>")
    assert command("report", tmp_path, "--out", tmp_path / "other.pdf").status == 2


@pytest.mark.parametrize(
    ("value", "shown"), [(0, "0"), (999, "999"), (1000, "1 k"), (394_036, "394 k"), (68_500_000, "68.5 M"), (None, "–")]
)
def test_large_numbers(value, shown):
    assert large(value).replace("\N{NO-BREAK SPACE}", " ") == shown


def test_phrases():
    assert counted(1, "run") == "one run"
    assert counted(20, "run") == "20 runs"
    assert enumerated(["a"]) == "a"
    assert enumerated(["a", "b", "c"]) == "a, b and c"


def test_pairs_told_apart_without_a_mistake_have_no_det_curve(verified, altered, write, read, sign):
    perfect = altered(verified, "perfect")
    path = perfect / "verification" / "scores.csv"
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(row | {"match": str(int(float(row["similarity"]) > 0.5))} for row in rows)
    sign(perfect)
    assert "there is no DET curve" in read(write(perfect))
    assert "there is no DET curve" not in read(write(verified))


def test_a_link_to_a_file_elsewhere_is_not_put_into_a_report(judged, altered, write, tmp_path):
    secret = tmp_path / "secret.png"
    shutil.copy(judged / "evaluation" / "confusion.png", secret)
    for name in ("confusion.png", "hardest.png", "identities.csv", "evaluation.json"):
        run = altered(judged, f"linked-{name}")
        (run / "evaluation" / name).unlink()
        (run / "evaluation" / name).symlink_to(secret)
        with pytest.raises(FacesError, match=rf"evaluation/{name} is a link to .*, outside of"):
            write(run)


def test_what_is_no_image_is_not_put_into_a_report(judged, altered, write):
    run = altered(judged, "text")
    (run / "evaluation" / "hardest.png").write_text("root:x:0:0")
    with pytest.raises(FacesError, match=r"hardest\.png: not a PNG image .* evaluate again"):
        write(run)


def test_runs_are_called_by_name_and_not_by_number(ten, write, read):
    text = read(write(*ten)).replace("\N{NO-BREAK SPACE}", " ")
    assert not re.search(r"\bruns? \d", text)
    assert all(run.name in text for run in ten)


@pytest.mark.parametrize("name", ["bare", "judged", "verified", "ten"])
def test_no_table_has_one_row_only(name, write, request):
    runs = request.getfixturevalue(name)
    document = write(*(runs if isinstance(runs, list) else [runs]))
    assert all(len(block.rows) > 1 for block in document.blocks() if isinstance(block, Table))


def test_a_run_of_one_epoch_has_no_curve_and_that_is_said(bare, altered, write, read):
    short = altered(bare, "short", {"epochs": 1}, epoch=1)
    lines = (short / "history.csv").read_text().splitlines(keepends=True)
    (short / "history.csv").write_text("".join(lines[:2]))
    document = write(short)
    assert "curves" not in labels(document)
    assert "no more than one epoch" in read(document)
    assert {"together", "each"} <= labels(write(short, bare))


def test_the_gradient_norm_is_told_where_the_history_has_it(write, read, bare, tmp_path, sign):
    assert "The gradients of its steps have a mean norm of" in read(write(bare))
    old = shutil.copytree(bare, tmp_path / "old")
    frame = Run(old).history().drop(columns="grad_norm")
    frame.to_csv(old / "history.csv", index=False)
    sign(old)
    assert "mean norm" not in read(write(old))
