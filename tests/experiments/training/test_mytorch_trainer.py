import csv
import json

import numpy as np
import pytest
from PIL import Image

from experiments.config.load import load_recipe
from experiments.data.dataset import read_split
from experiments.errors import FacesError
from experiments.inference.model import TrainedModel
from experiments.metrics.classification import classification_metrics
from experiments.training import mytorch_engine
from experiments.training.mytorch_engine import MytorchEngine
from experiments.training.schedule import UNMEASURED
from experiments.training.trainer import train
from mytorch import load

FILES = {
    "recipe.yaml", "classes.json", "environment.json", "history.csv", "metrics.json", "checkpoint.safetensors",
    "best.safetensors", "last.safetensors", "curves.png", "log.txt",
}  # fmt: skip


def history(run) -> list[dict]:
    with run.history_file.open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_tiny_run_learns(trained_once):
    rows = history(trained_once)
    assert float(rows[-1]["train_loss"]) < 0.6 * float(rows[0]["train_loss"])
    assert float(rows[-1]["loss"]) < 0.5 * float(rows[0]["loss"])
    assert json.loads(trained_once.metrics_file.read_text())["best_top1"] == 1.0


def test_a_run_holds_every_file_and_nothing_else(trained_once, contents):
    assert contents(trained_once.folder) == FILES


def test_the_runs_recipe_is_the_one_it_was_trained_with(trained_once, tiny):
    assert trained_once.recipe() == load_recipe(trained_once.folder / "recipe.yaml") == tiny("epochs=12")


def test_the_runs_people_are_in_the_order_of_their_labels(trained_once):
    assert trained_once.classes() == ["anna", "ben", "chloe", "dan"]


def test_the_history_has_a_row_an_epoch(trained_once):
    rows = history(trained_once)
    assert [row["epoch"] for row in rows] == [str(n) for n in range(1, 13)]
    assert list(rows[0]) == list(UNMEASURED)
    assert {(row["stage"], row["eer"], row["skipped"]) for row in rows} == {("1", "", "0")}
    assert all(0 <= float(row["top1"]) <= float(row["top5"]) <= 1 for row in rows)
    assert float(rows[0]["lr"]) < 0.02  # in its warm-up


def test_the_metrics_are_the_last_epochs_and_name_the_best(trained_once):
    metrics, rows = json.loads(trained_once.metrics_file.read_text()), history(trained_once)
    assert {"top1", "top5", "loss", "images_per_second", "seconds", "parameters"} <= set(metrics)
    assert metrics["epoch"] == 12
    assert [metrics[key] for key in ("top1", "top5", "loss")] == [
        float(rows[-1][key]) for key in ("top1", "top5", "loss")
    ]
    top1 = [float(row["top1"]) for row in rows]
    assert (metrics["best_top1"], metrics["best_epoch"]) == (max(top1), 1 + top1.index(max(top1)))
    assert metrics["seconds"] > 0
    assert metrics["parameters"] == 3 * 4 * 9 + 2 * 4 + 4 * 8 * 9 + 2 * 8 + 8 * 4 + 4


def test_the_environment_says_what_is_needed_to_run_it_again(trained_once, people):
    environment = json.loads((trained_once.folder / "environment.json").read_text())
    assert (environment["seed"], environment["data"]) == (0, str(people))
    assert {"numpy", "torch", "pillow", "mytorch-faces"} <= set(environment["packages"])
    assert environment["command"].startswith("faces")


def test_the_log_has_a_line_an_epoch(trained_once):
    lines = (trained_once.folder / "log.txt").read_text().splitlines()
    assert len(lines) == 12
    assert "epoch 12/12" in lines[-1]


def test_the_best_weights_give_the_best_figures(trained_once, people):
    metrics, trained = json.loads(trained_once.metrics_file.read_text()), TrainedModel.open(trained_once.folder)
    _, validation = read_split(people, trained.recipe)
    assert classification_metrics(trained.logits(validation.images), validation.labels)["top1"] == metrics["best_top1"]


def test_the_best_weights_are_of_the_first_of_the_best_epochs(people, tiny, tmp_path, monkeypatch):
    top1, saved = iter([0.5, 0.75, 0.75, 0.25]), []
    monkeypatch.setattr(
        mytorch_engine, "classification_metrics", lambda *_: {"top1": next(top1), "top5": 1.0, "loss": 1.0}
    )
    step = MytorchEngine.step

    def watched(self, *arguments):
        result = step(self, *arguments)
        saved.append(self.network.state_dict()["0.weight"].copy())
        return result

    monkeypatch.setattr(MytorchEngine, "step", watched)
    run = train(tiny("epochs=4"), people, tmp_path / "run")
    assert json.loads(run.metrics_file.read_text())["best_epoch"] == 2
    assert np.array_equal(load(run.best_weights)[0]["0.weight"], saved[2 * 5 - 1])


def test_the_same_recipe_gives_the_same_weights_and_another_seed_others(people, tiny, tmp_path):
    runs = [train(tiny(f"seed={seed}"), people, tmp_path / str(n)) for n, seed in enumerate((0, 0, 1))]
    weights = [load(run.checkpoint_file)[0] for run in runs]
    assert all(np.array_equal(weights[0][name], weights[1][name]) for name in weights[0])
    assert not np.array_equal(weights[0]["network.0.weight"], weights[2]["network.0.weight"])


@pytest.mark.parametrize("setting", ["model.name=small_resnet", "model.depth=2", "batch_size=500", "augment.flip=0"])
def test_other_recipes_run_through(people, tiny, tmp_path, setting):
    assert len(history(train(tiny("epochs=1", setting), people, tmp_path / "run"))) == 1


def test_pictures_that_are_not_square(people, tiny, tmp_path):
    train(tiny("epochs=1", "data.size=[16, 24]"), people, tmp_path / "run")


def test_an_empty_folder_is_used(people, tiny, tmp_path, contents):
    (tmp_path / "run").mkdir()
    train(tiny("epochs=1"), people, tmp_path / "run")
    assert contents(tmp_path / "run") == FILES


def test_folders_above_the_run_are_made(people, tiny, tmp_path, contents):
    train(tiny("epochs=1"), people, tmp_path / "runs" / "deep" / "run")
    assert {path.name for path in (tmp_path / "runs" / "deep").iterdir()} == {"run"}


def test_a_folder_that_is_in_use_is_refused_and_left_alone(people, tiny, tmp_path, contents):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "mine.txt").write_text("mine")
    with pytest.raises(FacesError, match=r"run exists already: choose another --out, or resume it with --resume"):
        train(tiny(), people, tmp_path / "run")
    assert contents(tmp_path) == {"run", "run/mine.txt"}


def test_a_file_is_no_place_for_a_run(people, tiny, tmp_path):
    (tmp_path / "file").touch()
    for out in (tmp_path / "file", tmp_path / "file" / "run"):
        with pytest.raises(FacesError, match=r"is a file: expected a folder|is not a folder that you may write to"):
            train(tiny(), people, out)


@pytest.mark.parametrize("existing", [False, True])
def test_data_that_cannot_be_read_leaves_nothing_behind(tiny, own_people, tmp_path, contents, existing):
    (own_people / "ben" / "3.png").write_bytes((own_people / "ben" / "3.png").read_bytes()[:200])
    before = contents(tmp_path) | ({"run"} if existing else set())
    if existing:
        (tmp_path / "run").mkdir()
    with pytest.raises(FacesError, match=r"ben/3\.png: cannot be decoded"):
        train(tiny(), own_people, tmp_path / "run")
    assert contents(tmp_path) == before


def test_an_interrupt_while_the_run_is_made_leaves_nothing_behind(people, tiny, tmp_path, contents, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(MytorchEngine, "save", interrupted)
    with pytest.raises(KeyboardInterrupt):
        train(tiny(), people, tmp_path / "run")
    assert contents(tmp_path) == set()


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_a_diverging_run_stops_with_advice_and_keeps_the_last_good_state(
    people, tiny, tmp_path, optimizer, monkeypatch
):
    recipe = tiny("epochs=4", f"optimizer.name={optimizer}")
    step, calls = MytorchEngine.step, iter(range(1000))

    def explode(self, *arguments):
        if next(calls) == 7:
            self.network.state_dict()["0.weight"][...] *= 1e30
        return step(self, *arguments)

    monkeypatch.setattr(MytorchEngine, "step", explode)
    with pytest.raises(FacesError, match=r"the loss is (nan|inf) in epoch 2.*such as --lr 0\.002"):
        train(recipe, people, tmp_path / "run")
    arrays, _ = load(tmp_path / "run" / "checkpoint.safetensors")
    assert all(np.isfinite(array).all() for array in arrays.values())
    assert len(history(TrainedModel.open(tmp_path / "run").run)) == 1


def test_an_absurd_learning_rate_stops_with_advice(people, tiny, tmp_path):
    with pytest.raises(FacesError, match=r"training diverged.*lower learning rate, such as --lr 0\.01"):
        train(tiny("epochs=30", "optimizer={name: sgd, lr: 1e6}"), people, tmp_path / "run")


def test_a_validation_loss_that_is_no_number_is_never_recorded(people, tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(
        mytorch_engine, "classification_metrics", lambda *_: {"top1": 0.0, "top5": 0.0, "loss": float("nan")}
    )
    with pytest.raises(FacesError, match=r"the loss is nan in epoch 1"):
        train(tiny(), people, tmp_path / "run")
    assert not (tmp_path / "run" / "history.csv").exists()


def test_a_picture_in_another_format_and_shape_is_fitted(own_people, tiny, tmp_path):
    Image.new("L", (50, 31), 128).save(own_people / "anna" / "9.jpg")
    train(tiny("epochs=1"), own_people, tmp_path / "run")


def test_a_run_inside_its_data_would_become_a_person_and_is_refused(own_people, tiny):
    with pytest.raises(FacesError, match="taken for a person"):
        train(tiny(), own_people, own_people / "run")
    assert not (own_people / "run").exists()
