import csv
import re

import optuna
import pytest

from experiments.config.load import load_recipe
from experiments.data import dataset as faces
from experiments.errors import FacesError
from experiments.files import read_json
from experiments.run import Run
from experiments.tools import tune as module
from experiments.tools.tune import TRIALS_TO_COMPARE, tune

SPACE = ("optimizer.lr=1e-5..0.1:log", "augment.flip=0..1")
TRIALS = TRIALS_TO_COMPARE + 1


@pytest.fixture(scope="module")
def searched(people, recipe_file, tmp_path_factory):
    """The folder of a search, and what it found."""
    out = tmp_path_factory.mktemp("searches") / "search"
    return out, tune(recipe_file, people, out, TRIALS, SPACE, ["epochs=3"])


@pytest.fixture
def quick(monkeypatch):
    """Pictures that take no time to draw."""
    monkeypatch.setattr(module, "plot_search_history", lambda *arguments: None)
    monkeypatch.setattr(module, "plot_importances", lambda *arguments: None)


def rows(out) -> list[dict]:
    with (out / "trials.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_the_folder_holds_the_search_its_pictures_and_the_best_run(searched):
    out, _ = searched
    names = {path.name for path in out.iterdir()}
    assert names == {"study.db", "trials.csv", "history.png", "importances.png", "best.yaml", "best"}


def test_the_best_is_the_trial_with_the_highest_top_1_of_its_last_epoch(searched):
    out, params = searched
    complete = [row for row in rows(out) if row["ended"] == "complete"]
    best = max(complete, key=lambda row: float(row["top1"]))
    assert params == {key: pytest.approx(float(best[key])) for key in ("optimizer.lr", "augment.flip")}
    assert read_json(Run.open(out / "best").metrics_file)["top1"] == float(best["top1"])


def test_the_best_recipe_can_be_trained_as_it_is(searched):
    out, params = searched
    recipe = load_recipe(out / "best.yaml")
    assert (recipe.optimizer.lr, recipe.augment.flip, recipe.epochs) == (*params.values(), 3)
    assert recipe == Run.open(out / "best").recipe()


def test_trials_differ_and_lie_in_the_space(searched):
    lrs = [float(row["optimizer.lr"]) for row in rows(searched[0])]
    assert len(set(lrs)) == TRIALS
    assert all(1e-5 <= lr <= 0.1 for lr in lrs)


def test_a_search_that_was_killed_goes_on_with_the_trial_it_was_at(people, recipe_file, tmp_path, monkeypatch, quick):
    whole = tune(recipe_file, people, tmp_path / "whole", 3, SPACE, ["epochs=1"])
    train, calls = module.train, []

    def killed(recipe, *arguments, **options):
        calls.append(recipe)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return train(recipe, *arguments, **options)

    monkeypatch.setattr(module, "train", killed)
    with pytest.raises(KeyboardInterrupt):
        tune(recipe_file, people, tmp_path / "killed", 3, SPACE, ["epochs=1"])
    assert tune(recipe_file, people, tmp_path / "killed", 3, SPACE, ["epochs=1"]) == whole
    assert calls[2] == calls[1]
    assert len(rows(tmp_path / "killed")) == 3


def test_trials_share_the_pictures_that_the_first_one_read(people, recipe_file, tmp_path, monkeypatch, quick):
    seen, read = [], faces.read_split
    monkeypatch.setattr(faces, "read_split", lambda *arguments: seen.append(1) or read(*arguments))
    tune(recipe_file, people, tmp_path / "search", 2, SPACE, ["epochs=1"])
    assert len(seen) == 1


def test_enough_trials_are_not_added_to(searched, people, recipe_file, monkeypatch):
    monkeypatch.setattr(module, "train", None)
    assert tune(recipe_file, people, searched[0], 2, SPACE, ["epochs=3"]) == searched[1]


def test_a_hopeless_trial_is_cut_short_and_is_never_the_best(people, recipe_file, tmp_path, monkeypatch, quick):
    """The trainer is left out: its reports are made, good ones first."""
    seen = []

    def report_only(recipe, data, out, options):
        bad = len(seen) >= TRIALS_TO_COMPARE
        seen.append(0)
        for epoch in (1, 2, 3):
            seen[-1] = epoch
            options.after_epoch({"epoch": epoch, "top1": 0.1 if bad else 0.5 + epoch / 10 + len(seen) / 1000})
        run = Run.create(out, recipe, ["a", "b"], data)
        run.metrics_file.write_text('{"epoch": 3, "top1": 0.8}')
        return run

    monkeypatch.setattr(module, "train", report_only)
    tune(recipe_file, people, tmp_path / "search", TRIALS_TO_COMPARE + 1, SPACE, ["epochs=3"])
    assert seen == [3] * TRIALS_TO_COMPARE + [2]  # a first bad epoch is forgiven
    assert [row["ended"] for row in rows(tmp_path / "search")] == ["complete"] * TRIALS_TO_COMPARE + ["pruned"]


def test_a_trial_that_diverges_ends_itself_and_not_the_search(people, recipe_file, tmp_path, capsys, quick):
    arguments = (recipe_file, people, tmp_path / "search", 1, ["optimizer.lr=1e25..1e30:log"])
    with pytest.raises(FacesError, match="none of 1 trials is complete: search lower learning rates"):
        tune(*arguments, ["optimizer.name=sgd", "optimizer.weight_decay=0"])
    assert "pruned: the loss" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("changed", "expected"),
    [({"settings": ["epochs=4"]}, "another recipe"), ({"space": SPACE[:1]}, "another space")],
)
def test_another_search_in_the_same_folder_is_refused(searched, people, recipe_file, changed, expected):
    same = {
        "recipe": recipe_file,
        "data": people,
        "out": searched[0],
        "trials": 1,
        "space": SPACE,
        "settings": ["epochs=3"],
    }
    with pytest.raises(FacesError, match=f"is a search with {expected}: give the same, or another --out"):
        tune(**{**same, **changed})


def test_a_folder_of_something_else_is_refused(people, recipe_file):
    with pytest.raises(FacesError, match="is inside"):
        tune(recipe_file, people, people / "search", 1, SPACE)


def test_a_missing_package_says_what_to_install(people, recipe_file, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    with pytest.raises(FacesError, match=r"in the project's folder, pip install '.\[tune\]'"):
        tune(recipe_file, people, tmp_path / "search", 1, SPACE)


def test_the_study_is_one_that_optuna_opens(searched):
    study = optuna.load_study(study_name="search", storage=f"sqlite:///{searched[0] / 'study.db'}")
    assert len(study.trials) == TRIALS


def reports(monkeypatch, top1s):
    """Leave the trainer out: each trial ends with the next of these top-1s, its best epoch being better by 0.3."""
    left = list(top1s)

    def report_only(recipe, data, out, options):
        value = left.pop(0)
        if isinstance(value, Exception):
            out.mkdir(parents=True)
            raise value
        options.after_epoch({"epoch": recipe.epochs, "top1": value})
        run = Run.create(out, recipe, ["a", "b"], data)
        run.metrics_file.write_text(f'{{"epoch": 3, "top1": {value}, "best_top1": {value + 0.3}}}')
        return run

    monkeypatch.setattr(module, "train", report_only)


def test_the_best_so_far_is_never_better_than_the_best(people, recipe_file, tmp_path, monkeypatch, quick, capsys):
    reports(monkeypatch, [0.25, 0.5, 0.375])
    tune(recipe_file, people, tmp_path / "search", 3, SPACE, ["epochs=3"])
    out = capsys.readouterr().out
    said = [float(value) for value in re.findall(r"best so far: trial \d+ with ([\d.]+)%", out)]
    assert said == [25.0, 50.0, 50.0]
    assert "best so far: trial 2 with 50.0%" in out.splitlines()[-3]
    assert "best of 3 trials, by the last epoch: top-1 50.0%" in out


def test_a_first_trial_that_fails_does_not_tie_the_folder_to_its_recipe(
    people, recipe_file, tmp_path, monkeypatch, quick
):
    out = tmp_path / "search"
    reports(monkeypatch, [FacesError("no memory"), 0.5])
    with pytest.raises(FacesError, match="no memory"):
        tune(recipe_file, people, out, 1, SPACE, ["epochs=3"])
    assert [path.name for path in out.iterdir()] == ["study.db"]
    tune(recipe_file, people, out, 1, SPACE[:1], ["epochs=4"])
    assert load_recipe(out / "best.yaml").epochs == 4
    with pytest.raises(FacesError, match="another recipe"):
        tune(recipe_file, people, out, 2, SPACE[:1], ["epochs=3"])


def test_what_a_killed_search_left_is_swept_and_its_best_run_kept(people, recipe_file, tmp_path, monkeypatch, quick):
    """Killed after a trial's result was stored, and before its run became the best one."""
    out = tmp_path / "search"
    reports(monkeypatch, [0.25, 0.5])
    keep, calls = module.Search._keep_best, []

    def killed(self):
        calls.append(0)
        if len(calls) == 3:  # at the start, after the first trial, after the second
            raise KeyboardInterrupt
        keep(self)

    monkeypatch.setattr(module.Search, "_keep_best", killed)
    with pytest.raises(KeyboardInterrupt):
        tune(recipe_file, people, out, 2, SPACE, ["epochs=3"])
    (out / "trial-7").mkdir()
    (out / f".trials.csv.{'0' * 8}.csv").touch()
    assert (out / "trial-1").is_dir()
    tune(recipe_file, people, out, 2, SPACE, ["epochs=3"])
    assert read_json(out / "best" / "metrics.json")["top1"] == 0.5
    left = {path.name for path in out.iterdir()}
    assert left <= {"study.db", "trials.csv", "best.yaml", "best"}
