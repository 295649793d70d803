import csv
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps

from experiments.data.dataset import Faces, read_split
from experiments.data.preparation import AS_THEY_ARE, Preparation, write_preparation
from experiments.errors import FacesError
from experiments.evaluation import evaluate as module
from experiments.evaluation.evaluate import EvaluationSet, _identity_rows, evaluate
from experiments.inference.model import TrainedModel
from experiments.inference.predict import balance_logits
from experiments.metrics.classification import classification_metrics
from experiments.run import Run
from mytorch import save

ALIGNED = Preparation(detector="mtcnn", template="five-point", size=112, margin=0)
FILES = {
    "evaluation.json",
    "identities.csv",
    "confused.csv",
    "confusion.png",
    "predictions.png",
    "hardest.png",
    "reliability.png",
}


@pytest.fixture(scope="module")
def evaluated(untrained, people, tmp_path_factory):
    """The results of the untrained run on its training images, and the folder with them."""
    out = tmp_path_factory.mktemp("evaluated") / "out"
    return evaluate(untrained.folder, people, out, part="train"), out


@pytest.fixture
def quick(monkeypatch):
    """Plots that take no time to draw."""
    for name, place in (("plot_confusion_matrix", 2), ("write_sheet", 1), ("plot_reliability", 1)):
        monkeypatch.setattr(module, name, lambda *arguments, place=place: arguments[place].touch())


def rows(path) -> list[dict]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_the_files_are_those_that_the_docstring_lists(evaluated):
    assert {path.name for path in evaluated[1].iterdir()} == FILES
    assert all(name in (evaluate.__doc__ or "") for name in FILES)


def test_the_metrics_are_those_of_the_best_network_on_validation(trained_once, people, tmp_path, quick):
    result = evaluate(trained_once.folder, people, tmp_path / "out")
    trained = TrainedModel.open(trained_once.folder)
    _, validation = read_split(people, trained.recipe)
    expected = classification_metrics(trained.logits(validation.images), validation.labels)
    written = json.loads((tmp_path / "out" / "evaluation.json").read_text())
    for key, value in expected.items():
        assert result[key] == written[key] == value
    assert (written["part"], written["images"], written["identities"]) == ("validation", 4, 4)
    assert result["top1"] == json.loads(trained_once.metrics_file.read_text())["best_top1"]


def test_the_training_part_can_be_asked_for(evaluated):
    assert evaluated[0]["images"] == 20


def test_the_results_go_into_the_run_by_default_and_may_be_written_again(untrained, people, quick):
    for _ in range(2):
        evaluate(untrained.folder, people)
    assert {path.name for path in (untrained.folder / "evaluation").iterdir()} == FILES


def test_images_may_be_judged_together_when_it_is_known_how_often_each_person_is_shown(
    evaluated, untrained, people, tmp_path, quick
):
    result = evaluate(untrained.folder, people, tmp_path / "even", part="train", balance="even")
    trained = TrainedModel.open(untrained.folder)
    faces, _ = read_split(people, trained.recipe)
    expected = classification_metrics(balance_logits(trained.logits(faces.images), np.full(4, 0.25)), faces.labels)
    assert {key: result[key] for key in expected} == pytest.approx(expected)
    assert json.loads((tmp_path / "even" / "evaluation.json").read_text())["balance"] == "even"
    assert "balance" not in json.loads((evaluated[1] / "evaluation.json").read_text())


def test_the_tables_add_up_to_the_metrics(evaluated):
    result, out = evaluated
    people_rows, mistakes = rows(out / "identities.csv"), rows(out / "confused.csv")
    assert {row["identity"] for row in people_rows} == {"anna", "ben", "chloe", "dan"}
    right = sum(int(row["right"]) for row in people_rows)
    assert sum(int(row["images"]) for row in people_rows) == 20
    assert right / 20 == pytest.approx(result["top1"])
    assert right + sum(int(row["times"]) for row in mistakes) == 20
    top1 = [float(row["top1"]) for row in people_rows]
    assert top1 == sorted(top1)


def test_the_sheet_of_mistakes_shows_the_surest_first(untrained, people, tmp_path, quick, monkeypatch):
    shown = {}
    monkeypatch.setattr(module, "write_sheet", lambda tiles, path, title: shown.update({path.name: (tiles, title)}))
    result = evaluate(untrained.folder, people, tmp_path / "out", part="train")
    tiles, title = shown["hardest.png"]
    sure = [tile.confidence for tile in tiles]
    assert sure == sorted(sure, reverse=True)
    assert len(set(sure)) > 1
    assert all(tile.truth != tile.predicted for tile in tiles)
    assert len(tiles) == min(module.MAX_TILES, round((1 - result["top1"]) * result["images"]))
    assert f"of {round((1 - result['top1']) * result['images'])} mistakes in {result['images']} images" in title


def test_without_mistakes_the_table_of_them_has_its_head_all_the_same(trained_once, people, tmp_path, quick):
    assert evaluate(trained_once.folder, people, tmp_path / "out")["top1"] == 1.0
    assert (tmp_path / "out" / "confused.csv").read_text() == "true,taken_for,times,of\n"


@pytest.mark.parametrize("name", [name for name in sorted(FILES) if name.endswith(".png")])
def test_the_plots_show_something(evaluated, name):
    with Image.open(evaluated[1] / name) as image:
        pixels = np.asarray(image.convert("RGB"))
    assert min(pixels.shape[:2]) > 200
    assert len(np.unique(pixels[::5, ::5].reshape(-1, 3), axis=0)) > 50


def test_other_people_are_refused_before_anything_is_written(trained_once, own_people, tmp_path):
    (own_people / "dan").rename(own_people / "david")
    with pytest.raises(FacesError, match=r"people: 4 people, other than the 4 of .*run"):
        evaluate(trained_once.folder, own_people, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_file_is_no_place_for_results(trained_once, people, tmp_path):
    (tmp_path / "out").touch()
    with pytest.raises(FacesError, match="out is a file: give --out a folder"):
        evaluate(trained_once.folder, people, tmp_path / "out")


def test_a_folder_that_is_no_run(people, tmp_path):
    with pytest.raises(FacesError, match=r"has no recipe\.yaml and no classes\.json"):
        evaluate(people, people, tmp_path / "out")


@pytest.mark.parametrize("damage", ["missing", "cut", "another"])
def test_damaged_weights_are_named(untrained, people, tmp_path, damage):
    run = Run(shutil.copytree(untrained.folder, tmp_path / "run"))
    if damage == "missing":
        run.best_weights.unlink()
    elif damage == "cut":
        run.best_weights.write_bytes(run.best_weights.read_bytes()[:300])
    else:
        save({"0.weight": np.zeros((2, 2))}, run.best_weights)
    with pytest.raises(FacesError, match=r"best\.safetensors: "):
        evaluate(run.folder, people, tmp_path / "out")


def test_damaged_names_are_named(untrained, people, tmp_path):
    run = Run(shutil.copytree(untrained.folder, tmp_path / "run"))
    (run.folder / "classes.json").write_text('["anna", ')
    with pytest.raises(FacesError, match=r"classes\.json: changed since the run began, .*: get it from a copy"):
        evaluate(run.folder, people, tmp_path / "out")


def test_images_that_were_added_since_are_refused_as_they_would_move_trained_ones_into_validation(
    trained_once, own_people, tmp_path
):
    for person in own_people.iterdir():
        shutil.copy(person / "5.png", person / "0000_new.png")
    with pytest.raises(FacesError, match="images were added or removed"):
        evaluate(trained_once.folder, own_people, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_mirror_image_is_averaged_on_request(untrained, people, tmp_path, quick):
    result = evaluate(untrained.folder, people, tmp_path / "out", "train", views="flip")
    trained = TrainedModel.open(untrained.folder)
    faces, _ = read_split(people, trained.recipe)
    both = [torch.from_numpy(trained.logits(x)).softmax(1) for x in (faces.images, faces.images[:, :, ::-1])]
    mean = torch.stack(both).mean(0)
    expected = torch.nn.functional.nll_loss(mean.log(), torch.from_numpy(faces.labels)).item()
    assert result["loss"] == pytest.approx(expected, rel=1e-5)
    assert json.loads((tmp_path / "out" / "evaluation.json").read_text())["views"] == "flip"


def test_the_interval_holds_the_metric(evaluated):
    result, _ = evaluated
    low, high = result["top1_interval"]
    assert 0 <= low <= result["top1"] <= high <= 1
    assert high - low > 0.1


def test_a_run_of_pytorch_is_judged_the_same_way(transfer_once, people, tmp_path, quick):
    result = evaluate(transfer_once.folder, people, tmp_path / "out", views="crops", device="cpu")
    assert result["images"] == 4
    assert result["loss"] < 3
    assert {path.name for path in (tmp_path / "out").iterdir()} == FILES


def test_a_device_that_is_not_there_is_named(transfer_once, people, tmp_path):
    with pytest.raises(FacesError, match=r"--device gpu: expected cpu, cuda, or one of several GPUs"):
        evaluate(transfer_once.folder, people, tmp_path / "out", device="gpu")


def test_a_run_whose_images_all_trained_has_none_to_be_judged_by(transfer_once, people, tmp_path):
    run = Run(shutil.copytree(transfer_once.folder, tmp_path / "run"))
    (run.folder / "environment.json").unlink()
    (run.folder / "recipe.yaml").write_text(
        (run.folder / "recipe.yaml").read_text().replace("train: 0.8", "train: all")
    )
    (run.folder / "environment.json").write_text(
        json.dumps({"images": read_split(people, run.recipe())[0].fingerprint})
    )
    with pytest.raises(FacesError, match=r"all images trained \(split\.train=all\)"):
        evaluate(run.folder, people, tmp_path / "out")


def test_several_runs_are_judged_by_their_mean_probabilities(trained_once, transfer_once, people, tmp_path, quick):
    result = evaluate([trained_once.folder, transfer_once.folder], people, tmp_path / "out")
    mean: Any = 0
    for run in (trained_once, transfer_once):
        trained = TrainedModel.open(run.folder)
        _, faces = read_split(people, trained.recipe)
        mean = mean + torch.softmax(torch.from_numpy(trained.logits(faces.images)).double(), 1) / 2
    expected = classification_metrics(mean.log().numpy(), faces.labels)
    assert {key: result[key] for key in expected} == pytest.approx(expected, rel=1e-5)
    assert json.loads((tmp_path / "out" / "evaluation.json").read_text())["run"].count(" + ") == 1


@pytest.fixture
def mirrored(people, tmp_path):
    """The same images, mirrored, in another folder."""
    folder = shutil.copytree(people, tmp_path / "mirrored")
    for path in sorted(folder.rglob("*.png")):
        with Image.open(path) as image:
            ImageOps.mirror(image).save(path)
    return folder


def test_each_run_may_see_the_images_in_a_folder_of_its_own(trained_once, people, mirrored, tmp_path):
    result = evaluate([trained_once.folder] * 2, [people, mirrored], tmp_path / "out")
    expected = evaluate(trained_once.folder, people, tmp_path / "flip", views="flip")
    assert result["loss"] == pytest.approx(expected["loss"], rel=1e-6)
    assert json.loads((tmp_path / "out" / "evaluation.json").read_text())["data"] == f"{people} + {mirrored}"
    with pytest.raises(FacesError, match="--data is given 2 times for 3 runs: give it once, or once for each run"):
        evaluate([trained_once.folder] * 3, [people, mirrored], tmp_path / "out")


def test_several_runs_need_a_folder_of_their_own(trained_once, people):
    with pytest.raises(FacesError, match="2 runs: give --out"):
        evaluate([trained_once.folder, trained_once.folder], people)


def split_otherwise(run, people, folder, train: str, seed: int) -> Run:
    """A copy of a run that claims another split."""
    other = Run(shutil.copytree(run.folder, folder))
    recipe = other.folder / "recipe.yaml"
    recipe.write_text(recipe.read_text().replace("  train: 0.8\n  seed: 0", f"  train: {train}\n  seed: {seed}"))
    (other.folder / "environment.json").unlink()
    fingerprint = read_split(people, other.recipe())[0].fingerprint
    (other.folder / "environment.json").write_text(json.dumps({"images": fingerprint}))
    return other


@pytest.mark.parametrize(("train", "seed"), [("0.5", 0), ("0.5", 1), ("0.3", 2)])
def test_runs_whose_splits_differ_are_judged_on_the_images_that_validated_both(
    untrained, people, tmp_path, quick, train, seed, capsys
):
    runs = [untrained, split_otherwise(untrained, people, tmp_path / "run", train, seed)]
    parts = [read_split(people, run.recipe())[1] for run in runs]
    names = [{(path.parent.name, path.name) for path in part.paths} for part in parts]
    common = names[0] & names[1]
    assert common
    for order in (runs, runs[::-1]):
        result = evaluate([run.folder for run in order], people, tmp_path / "out")
        assert result["images"] == len(common)
        assert f"judged on the {len(common)} validation images" in capsys.readouterr().out
    trained = TrainedModel.open(untrained.folder)
    kept = [row for row, path in enumerate(parts[0].paths) if (path.parent.name, path.name) in common]
    faces = parts[0].pick(kept)
    expected = classification_metrics(trained.logits(faces.images), faces.labels)  # both runs have the same weights
    assert {key: result[key] for key in expected} == pytest.approx(expected, rel=1e-5)


def test_runs_without_a_common_validation_image_are_not_judged_together(trained_once, people, tmp_path):
    def validating(run: Run) -> set[str]:
        return {f"{path.parent.name}/{path.name}" for path in read_split(people, run.recipe())[1].paths}

    others = (split_otherwise(trained_once, people, tmp_path / f"run{seed}", "0.8", seed) for seed in range(1, 99))
    other = next(run for run in others if not validating(run) & validating(trained_once))
    with pytest.raises(FacesError, match="no image is in the validation part of all of"):
        evaluate([trained_once.folder, other.folder], people, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("trained_on", [ALIGNED, AS_THEY_ARE])
def test_images_prepared_otherwise_are_refused_and_an_earlier_evaluation_stays(
    untrained, own_people, tmp_path, quick, trained_on, sign
):
    run = Run(shutil.copytree(untrained.folder, tmp_path / "run"))
    stored = json.loads((run.folder / "environment.json").read_text())
    stored["preparation"] = trained_on.model_dump(mode="json")
    (run.folder / "environment.json").write_text(json.dumps(stored))
    sign(run.folder)
    write_preparation(own_people, trained_on)
    evaluate(run.folder, own_people)
    before = {path.name: path.read_bytes() for path in (run.folder / "evaluation").iterdir()}
    write_preparation(own_people, AS_THEY_ARE if trained_on == ALIGNED else ALIGNED)
    with pytest.raises(FacesError, match=r"its images are .*, but the run .* expects images"):
        evaluate(run.folder, own_people)
    assert {path.name: path.read_bytes() for path in (run.folder / "evaluation").iterdir()} == before


def test_the_people_with_the_most_mistakes_come_first():
    counts = np.array([[3, 1, 0], [0, 0, 0], [2, 1, 1]])
    rows = _identity_rows(counts, ["ann", "bob", "eve"])
    assert rows == [
        {"identity": "eve", "images": 4, "right": 1, "top1": 0.25},
        {"identity": "ann", "images": 4, "right": 3, "top1": 0.75},
    ]


def test_common_images_are_in_one_order_for_all_runs():
    """A second folder may list them in another order: their pixels say which image is which."""
    paths = [Path(f"people/{person}/{number}.png") for person in ("ann", "bob") for number in range(3)]
    images = np.arange(6, dtype=np.uint8)[:, None, None, None].repeat(3, 3)
    order = np.array([4, 0, 3, 1, 5])
    one = Faces(images[:5], np.arange(5) // 3, ("ann", "bob"), tuple(paths[:5]))
    other = Faces(images[order], order // 3, ("ann", "bob"), tuple(paths[row] for row in order))
    judged = object.__new__(EvaluationSet)
    judged._faces, judged.trained = [one, other], []
    judged._keep_common("validation")
    for faces in judged._faces:
        assert faces.images[:, 0, 0, 0].tolist() == [0, 1, 3, 4]
        assert faces.labels.tolist() == [0, 0, 1, 1]
