"""A transfer network's run that was stopped, at whatever moment, ends bit for bit as one that never was."""

import csv
import json
import multiprocessing
import os
import random
import shutil
import signal
import time
from pathlib import Path

import pytest
import torch

from experiments.config.recipe import Recipe
from experiments.errors import FacesError
from experiments.run import Run
from experiments.training import recorder, trainer
from experiments.training.build_model import read_tensors
from experiments.training.torch_engine import TorchEngine
from experiments.training.trainer import TrainOptions, train

ALONE = TrainOptions(workers=0)
STEPS = 5
"""Batches an epoch."""

TIMES = {"images_per_second"}
RICH = (
    "stages=[{epochs: 1, train: head}, {epochs: 2, lr: {backbone: 0.001, head: 0.01}}]",
    "epochs=3",
    "training={ema: 0.9, clip: 1.0, accumulate: 2}",
    "mixing={mixup: 0.3, cutmix: 0.5, prob: 0.7, same_person: 0.5}",
    "model={backbone: test_resnet, weights: none, dropout: 0.3, embedding: 16}",
    "schedule={name: one_cycle, span: run}",
)


def rows(run: Run) -> list[dict]:
    with run.history_file.open(newline="") as file:
        return [{key: row[key] for key in row if key not in TIMES} for row in csv.DictReader(file)]


def assert_the_same(run: Run, unbroken: Run) -> None:
    assert rows(run) == rows(unbroken)
    for name in ("checkpoint_file", "best_weights", "last_weights"):
        ours, theirs = (read_tensors(getattr(each, name))[0] for each in (run, unbroken))
        assert ours.keys() == theirs.keys()
        assert [key for key in ours if not torch.equal(ours[key], theirs[key])] == [], name
    assert {path.name for path in run.folder.iterdir()} == {path.name for path in unbroken.folder.iterdir()}


@pytest.fixture(autouse=True)
def images(monkeypatch):
    """Plots that are quickly drawn: they take most of a tiny run's time."""
    monkeypatch.setattr(recorder, "plot_learning_curves", lambda history, path, *_: path.write_text(str(len(history))))


@pytest.fixture(scope="module")
def unbroken(people, small, tmp_path_factory):
    """unbroken(settings): the run of a recipe without interruption, made once."""
    made: dict[tuple, Run] = {}

    def run(*settings) -> Run:
        if settings not in made:
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(recorder, "plot_learning_curves", lambda history, path, *_: path.write_text("3"))
                made[settings] = train(
                    small(*settings), people, tmp_path_factory.mktemp("whole") / "run", options=ALONE
                )
        return made[settings]

    return run


def interrupted(patch, owner, name: str, at: int, error: type[BaseException] = KeyboardInterrupt) -> None:
    """Make the `at`th call of a function, counted from 0, raise instead."""
    original, calls = getattr(owner, name), iter(range(10**6))

    def call(*arguments, **options):
        if next(calls) == at:
            raise error
        return original(*arguments, **options)

    patch.setattr(owner, name, call)


def broken(people, recipe, out: Path, owner, name: str, at: int, options: TrainOptions = ALONE) -> Run:
    """A run that was stopped at a call, and went on."""
    with pytest.MonkeyPatch.context() as patch:
        interrupted(patch, owner, name, at)
        with pytest.raises(KeyboardInterrupt):
            train(recipe, people, out, options=options)
    return train(recipe, people, out, resume=True, options=ALONE)


@pytest.mark.parametrize("step", [0, STEPS - 1, STEPS, 2 * STEPS + 3])
def test_stopped_in_any_step_of_a_rich_recipe(people, small, tmp_path, unbroken, step):
    run = broken(people, small(*RICH), tmp_path / "run", TorchEngine, "step", step)
    assert_the_same(run, unbroken(*RICH))


@pytest.mark.parametrize("settings", [["loss.class_weights=effective"], ["sampling=balanced"]])
def test_balanced_and_stopped_within_an_epoch(own_people, small, tmp_path, settings):
    for path in sorted(own_people.glob("anna/*"))[2:]:
        path.unlink()
    recipe, often = small("epochs=2", *settings), TrainOptions(workers=0, save_seconds=0.0)
    whole = train(recipe, own_people, tmp_path / "whole", options=ALONE)
    assert_the_same(broken(own_people, recipe, tmp_path / "run", TorchEngine, "step", 2, often), whole)


@pytest.mark.parametrize("step", [2, 2 * STEPS + 3])
def test_stopped_within_an_epoch_after_a_checkpoint_within_it(people, small, tmp_path, unbroken, step):
    often, taken = TrainOptions(workers=0, save_seconds=0.0), []
    with pytest.MonkeyPatch.context() as patch:
        interrupted(patch, TorchEngine, "step", step)
        with pytest.raises(KeyboardInterrupt):
            train(small(*RICH), people, tmp_path / "run", options=often)
        original = TorchEngine.step
        patch.undo()
        original = TorchEngine.step
        patch.setattr(TorchEngine, "step", lambda *arguments: (taken.append(1), original(*arguments)))
        run = train(small(*RICH), people, tmp_path / "run", resume=True, options=ALONE)
    assert len(taken) == 3 * STEPS - step
    assert_the_same(run, unbroken(*RICH))


@pytest.mark.parametrize(("owner", "name", "at"), [
    (Run, "write_history", 1), (Run, "write_metrics", 1), (TorchEngine, "save", 1),
    (TorchEngine, "save_weights", 2), (TorchEngine, "begin_stage", 1),
])  # fmt: skip
def test_stopped_between_the_files_of_an_epoch(people, small, tmp_path, unbroken, owner, name, at):
    assert_the_same(broken(people, small(*RICH), tmp_path / "run", owner, name, at), unbroken(*RICH))


@pytest.mark.parametrize(
    ("optimizer", "schedule"),
    [
        ("{name: sgd, lr: 0.1, nesterov: true}", "plateau"),
        ("{name: adam, lr: 0.01}", "step"),
        ("{name: adamw}", "cosine"),
    ],
)
def test_every_optimiser_and_schedule(people, small, tmp_path, unbroken, optimizer, schedule):
    settings = (
        f"optimizer={optimizer}",
        f"schedule={{name: {schedule}, step_size: 1, gamma: 0.5, patience: 0}}",
        "epochs=3",
    )
    run = broken(people, small(*settings), tmp_path / "run", TorchEngine, "step", 2 * STEPS + 1)
    assert_the_same(run, unbroken(*settings))


@pytest.mark.parametrize("name", [".checkpoint.safetensors.0123abcd.safetensors", ".tmpktp2cW"])
def test_what_a_killed_process_left_half_written_goes(people, small, tmp_path, name):
    run = train(small("epochs=1"), people, tmp_path / "run", options=ALONE)
    left = run.folder / name
    left.touch()
    train(small("epochs=1"), people, run.folder, resume=True, options=ALONE)
    assert not left.exists()


def test_other_weights_make_another_recipe(people, small, tmp_path):
    train(small("epochs=1"), people, tmp_path / "run", options=ALONE)
    with pytest.raises(FacesError, match="made by another recipe"):
        train(small("epochs=1", "model.dropout=0.1"), people, tmp_path / "run", resume=True, options=ALONE)


def test_a_finished_run_stays_as_it_is(people, small, tmp_path, unbroken):
    made = unbroken(*RICH)
    before = made.checkpoint_file.read_bytes()
    train(small(*RICH), people, made.folder, resume=True, options=ALONE)
    assert made.checkpoint_file.read_bytes() == before


KILLS = 8


def killed(recipe: Recipe, people: Path, out: Path, after: float) -> bool:
    """Train in a process that SIGKILL ends after so many seconds; whether it was still at work."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["experiments.training.trainer"])
    options = TrainOptions(workers=0, save_seconds=0.05)
    process = context.Process(target=train, args=(recipe, people, out, out.is_dir(), options))
    process.start()
    process.join(after)
    running = process.is_alive()
    if running:
        os.kill(process.pid, signal.SIGKILL)
    process.join()
    assert running or process.exitcode == 0
    return running


@pytest.mark.slow
def test_killed_at_eight_random_moments(people, small, tmp_path, monkeypatch):
    """A run that came to its end is compared and begun again, so that every kill strikes one at work."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    recipe, draws, out, ends = small(*RICH), random.Random(0), tmp_path / "run", 0
    assert not killed(recipe, people, tmp_path / "whole", 600)
    started = time.monotonic()
    assert not killed(recipe, people, tmp_path / "timed", 600)
    usual, struck = time.monotonic() - started, 0
    while struck < KILLS or not ends:
        if killed(recipe, people, out, draws.uniform(0.2, 0.7) * usual if struck < KILLS else 600):
            struck += 1
            continue
        ends += 1
        assert_the_same(Run(out), Run(tmp_path / "whole"))
        assert json.loads(Run(out).metrics_file.read_text())["epoch"] == 3
        shutil.rmtree(out)


def test_a_trainer_without_interruption_gives_the_same_twice(people, small, tmp_path, unbroken):
    run = train(small(*RICH), people, tmp_path / "run", options=ALONE)
    assert trainer.SAVE_SECONDS > 60
    assert_the_same(run, unbroken(*RICH))
