"""An interrupted run that continues ends as an unbroken one does: every weight and every figure but the times."""

import csv
import json

import numpy as np
import pytest

from experiments.errors import FacesError
from experiments.run import Run
from experiments.training import recorder
from experiments.training.mytorch_engine import MytorchEngine
from experiments.training.trainer import train
from mytorch import load

STEPS = 5
"""Batches an epoch."""

TIMES = {"images_per_second", "seconds", "history", "digest"}
"""Times, and digests of what holds times."""


def figures(run: Run) -> tuple:
    """All that a run says, but for its times."""
    with run.history_file.open(newline="") as file:
        rows = [{key: row[key] for key in row if key not in TIMES} for row in csv.DictReader(file)]
    metrics = json.loads(run.metrics_file.read_text())
    return rows, {key: metrics[key] for key in metrics if key not in TIMES}


def state(run: Run) -> tuple:
    """All that a run would go on from, but for its times."""
    arrays, notes = load(run.checkpoint_file)
    training = json.loads(notes["training"])
    for row in training["progress"]["history"]:
        del row["images_per_second"]
    del training["progress"]["seconds"]
    return arrays | {f"best.{name}": value for name, value in load(run.best_weights)[0].items()}, training


def assert_the_same(run: Run, unbroken: Run) -> None:
    assert figures(run) == figures(unbroken)
    (arrays, notes), (expected, expected_notes) = state(run), state(unbroken)
    assert notes == expected_notes
    assert arrays.keys() == expected.keys()
    for name in arrays:
        assert arrays[name].tobytes() == expected[name].tobytes(), name
    assert {path.name for path in run.folder.iterdir()} == {path.name for path in unbroken.folder.iterdir()}


def interrupted(monkeypatch, owner, name: str, at: int, error: type[BaseException] = KeyboardInterrupt):
    """Make the `at`th call of a function, counted from 0, raise instead."""
    original, calls = getattr(owner, name), iter(range(10**6))

    def call(*arguments, **options):
        if next(calls) == at:
            raise error
        return original(*arguments, **options)

    monkeypatch.setattr(owner, name, call)


@pytest.fixture(autouse=True)
def images(monkeypatch):
    """Plots that are quickly drawn: they take most of a tiny run's time."""
    monkeypatch.setattr(recorder, "plot_learning_curves", lambda history, path, *_: path.write_text(str(len(history))))


@pytest.fixture(scope="module")
def unbroken(people, tiny, tmp_path_factory):
    """unbroken(recipe): the run of a recipe without interruption, made once."""
    made: dict[str, Run] = {}

    def run(recipe) -> Run:
        key = recipe.dump()
        if key not in made:
            made[key] = train(recipe, people, tmp_path_factory.mktemp("unbroken") / "run")
        return made[key]

    return run


@pytest.mark.parametrize("step", [0, 1, STEPS - 1, STEPS, 2 * STEPS + 3, 3 * STEPS - 1])
def test_an_interrupt_in_any_step(people, tiny, tmp_path, monkeypatch, unbroken, step):
    with monkeypatch.context() as patch:
        interrupted(patch, MytorchEngine, "step", step)
        with pytest.raises(KeyboardInterrupt):
            train(tiny("epochs=3"), people, tmp_path / "run")
    assert_the_same(train(tiny("epochs=3"), people, tmp_path / "run", resume=True), unbroken(tiny("epochs=3")))


SGD, ADAM, ADAMW = "{name: sgd, lr: 0.1, nesterov: true, weight_decay: 0.01}", "{name: adam, lr: 0.02}", "{name: adamw}"


@pytest.mark.parametrize(
    ("optimizer", "schedule"),
    [(SGD, "plateau"), (SGD, "cosine"), (ADAM, "constant"), (ADAM, "step"), (ADAMW, "plateau"), (ADAMW, "step")],
)
def test_every_optimiser_and_schedule(people, tiny, tmp_path, monkeypatch, unbroken, optimizer, schedule):
    settings = f"schedule={{name: {schedule}, step_size: 1, gamma: 0.5, patience: 0}}"
    recipe = tiny("epochs=3", f"optimizer={optimizer}", settings)
    with monkeypatch.context() as patch:
        interrupted(patch, MytorchEngine, "step", 2 * STEPS + 1)
        with pytest.raises(KeyboardInterrupt):
            train(recipe, people, tmp_path / "run")
    assert_the_same(train(recipe, people, tmp_path / "run", resume=True), unbroken(recipe))


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError])
@pytest.mark.parametrize("epoch", [0, 1])
@pytest.mark.parametrize(("owner", "name"), [(Run, "write_history"), (Run, "write_metrics"), (MytorchEngine, "save")])
def test_an_interrupt_between_the_files_of_an_epoch(
    people, tiny, tmp_path, monkeypatch, unbroken, owner, name, epoch, error
):
    with monkeypatch.context() as patch:
        interrupted(patch, owner, name, epoch + (name == "save"), error)  # which the beginning calls, too
        with pytest.raises((KeyboardInterrupt, FacesError)):
            train(tiny("epochs=3"), people, tmp_path / "run")
    assert_the_same(train(tiny("epochs=3"), people, tmp_path / "run", resume=True), unbroken(tiny("epochs=3")))


def test_two_interrupts(people, tiny, tmp_path, monkeypatch, unbroken):
    for step, resume in ((STEPS + 2, False), (STEPS + 1, True)):
        with monkeypatch.context() as patch:
            interrupted(patch, MytorchEngine, "step", step)
            with pytest.raises(KeyboardInterrupt):
                train(tiny("epochs=3"), people, tmp_path / "run", resume)
    assert_the_same(train(tiny("epochs=3"), people, tmp_path / "run", resume=True), unbroken(tiny("epochs=3")))


def test_the_seconds_of_all_sittings_add_up(people, tiny, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        interrupted(patch, MytorchEngine, "step", 2 * STEPS)
        with pytest.raises(KeyboardInterrupt):
            train(tiny("epochs=3"), people, tmp_path / "run")
    before = json.loads((tmp_path / "run" / "metrics.json").read_text())["seconds"]
    run = train(tiny("epochs=3"), people, tmp_path / "run", resume=True)
    assert json.loads(run.metrics_file.read_text())["seconds"] >= before


def test_an_interrupted_run_says_in_one_line_how_to_go_on(people, tiny, tmp_path, monkeypatch, capsys):
    interrupted(monkeypatch, MytorchEngine, "step", STEPS + 1)
    with pytest.raises(KeyboardInterrupt):
        train(tiny(), people, tmp_path / "run")
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.endswith("run: stopped after epoch 1 of 2; continue with the same command and --resume")


def test_an_interrupted_run_has_curves_of_the_epochs_done(people, tiny, tmp_path, monkeypatch):
    interrupted(monkeypatch, MytorchEngine, "step", STEPS + 1)
    with pytest.raises(KeyboardInterrupt):
        train(tiny(), people, tmp_path / "run")
    assert (tmp_path / "run" / "curves.png").read_text() == "1"


def test_a_finished_run_says_so_and_changes_nothing(people, tiny, tmp_path, capsys):
    run = train(tiny(), people, tmp_path / "run")
    before = run.checkpoint_file.read_bytes(), run.history_file.read_bytes(), run.metrics_file.read_bytes()
    train(tiny(), people, tmp_path / "run", resume=True)
    assert "has all its 2 epochs already" in capsys.readouterr().out
    assert (run.checkpoint_file.read_bytes(), run.history_file.read_bytes(), run.metrics_file.read_bytes()) == before


def test_a_changed_recipe_is_refused_with_what_has_changed(people, tiny, tmp_path):
    train(tiny(), people, tmp_path / "run")
    with pytest.raises(FacesError, match=r"(?s)another recipe.*epochs: 2 before, 3 now") as error:
        train(tiny("epochs=3", "optimizer.lr=0.5"), people, tmp_path / "run", resume=True)
    assert "'lr': 0.5" in str(error.value)
    assert "batch_size" not in str(error.value)


def test_other_people_are_refused(own_people, tiny, tmp_path):
    train(tiny(), own_people, tmp_path / "run")
    (own_people / "ben").rename(own_people / "bernard")
    with pytest.raises(FacesError, match="run: started with other people"):
        train(tiny(), own_people, tmp_path / "run", resume=True)


def test_other_pictures_of_the_same_people_are_refused(own_people, tiny, tmp_path):
    train(tiny(), own_people, tmp_path / "run")
    (own_people / "ben" / "5.png").unlink()
    with pytest.raises(FacesError, match="run: started with other images"):
        train(tiny(), own_people, tmp_path / "run", resume=True)


def test_a_folder_that_was_moved_is_the_same(own_people, tiny, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        interrupted(patch, MytorchEngine, "step", STEPS)
        with pytest.raises(KeyboardInterrupt):
            train(tiny(), own_people, tmp_path / "run")
    train(tiny(), own_people.rename(tmp_path / "elsewhere"), tmp_path / "run", resume=True)


def test_no_run_to_go_on_with(people, tiny, tmp_path, contents):
    with pytest.raises(FacesError, match=r"run: no such folder; give a folder that `faces train"):
        train(tiny(), people, tmp_path / "run", resume=True)
    (tmp_path / "run").mkdir()
    with pytest.raises(FacesError, match=r"run: has no recipe.yaml and no classes.json"):
        train(tiny(), people, tmp_path / "run", resume=True)
    assert contents(tmp_path) == {"run"}


@pytest.mark.parametrize("damage", ["missing", "cut", "another"])
def test_a_damaged_checkpoint_is_named(people, tiny, tmp_path, damage):
    run = train(tiny("epochs=1"), people, tmp_path / "run")
    if damage == "missing":
        run.checkpoint_file.unlink()
    elif damage == "cut":
        run.checkpoint_file.write_bytes(run.checkpoint_file.read_bytes()[:500])
    else:
        run.checkpoint_file.write_bytes(run.best_weights.read_bytes())
    with pytest.raises(FacesError, match=r"checkpoint\.safetensors"):
        train(tiny("epochs=1"), people, tmp_path / "run", resume=True)


def test_the_checkpoint_is_the_last_file_that_an_epoch_writes(people, tiny, tmp_path, monkeypatch):
    """Else a resumed run would take an epoch for done whose figures are not there."""
    times = {}
    original = MytorchEngine.save

    def watch(engine, path, notes):
        if notes["progress"]["history"]:
            times.update({p.name: p.stat().st_mtime_ns for p in path.parent.iterdir() if p != path})
        original(engine, path, notes)

    monkeypatch.setattr(MytorchEngine, "save", watch)
    run = train(tiny("epochs=1"), people, tmp_path / "run")
    assert {"history.csv", "metrics.json", "best.safetensors"} <= times.keys()
    assert np.all(np.array(list(times.values())) <= run.checkpoint_file.stat().st_mtime_ns)
