"""What mytorch's engine computes in a step, against PyTorch in float64 on the network's twin."""

import copy

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from experiments.data.augment import mix_batch
from experiments.data.dataset import read_split
from experiments.data.loader import EpochLoader, ShardedBatches, normalize_images
from experiments.errors import FacesError
from experiments.training.mytorch_engine import MytorchEngine
from experiments.training.schedule import average_decay
from experiments.training.trainer import TrainOptions, train
from models.twin import twin
from mytorch import load

STEPS = 5
"""Batches an epoch."""

PLAIN = ("model.dropout=0", "label_smoothing=0.1", "optimizer={name: sgd, lr: 0.1}", "batch_size=7")


def run_steps(recipe, people, average: float | None = None) -> tuple[MytorchEngine, torch.nn.Module, list[dict]]:
    """An epoch of the engine and of its twin in plain PyTorch, and the twin's weights after each step."""
    faces, _ = read_split(people, recipe)
    engine = MytorchEngine(recipe, dtype=np.float64)
    engine.build_network(4)
    theirs, settings, states = twin(engine.network), recipe.training, []
    optimizer = torch.optim.SGD(theirs.parameters(), lr=recipe.optimizer.lr, momentum=recipe.optimizer.momentum)
    for number, shard in enumerate(EpochLoader(ShardedBatches(faces, recipe, training=True), 0).epoch(0)):
        engine.step(shard, 0, number, 0.5)
        if average:
            engine.average(average_decay(average, number + 1))
        images = shard.images.permute(0, 2, 3, 1).numpy()
        pixels = torch.from_numpy(np.ascontiguousarray(normalize_images(images, recipe.data, np.float64)))
        mixed, kept = mix_batch(pixels, recipe.mixing, recipe.seed, 0, number)
        optimizer.param_groups[0]["lr"] = recipe.optimizer.lr * 0.5
        optimizer.zero_grad()
        parts = (mixed, shard.labels, shard.labels.flip(0))
        ones = torch.ones(len(mixed))
        parts = (*parts, ones if shard.loss_weights is None else shard.loss_weights)
        for part, own, partner, weights in zip(*(p.tensor_split(settings.accumulate) for p in parts), strict=True):
            logits = theirs(part)
            each = F.cross_entropy(logits, own, label_smoothing=recipe.label_smoothing, reduction="none")
            loss = kept * (each * weights.double()).sum()
            other = F.cross_entropy(logits, partner, label_smoothing=recipe.label_smoothing, reduction="sum")
            ((loss + (1 - kept) * other) / len(mixed)).backward()
        norm = torch.nn.utils.clip_grad_norm_(theirs.parameters(), settings.clip or float("inf"))
        assert engine.gradient_norm == pytest.approx(float(norm), rel=1e-9)
        optimizer.step()
        states.append(copy.deepcopy(theirs.state_dict()))
    return engine, theirs, states


def assert_close(ours: dict[str, np.ndarray], theirs: dict[str, torch.Tensor]) -> None:
    for (name, value), other in zip(ours.items(), theirs.values(), strict=True):
        np.testing.assert_allclose(value, other.numpy(), rtol=1e-9, atol=1e-11, err_msg=name)


@pytest.mark.parametrize(
    "settings",
    [
        ["training.accumulate=3"],
        ["training.clip=0.05"],
        ["mixing={mixup: 0.7}"],
        ["mixing={cutmix: 0.7}", "training.accumulate=2", "training.clip=0.2"],
        ["mixing={mixup: 0.4, cutmix: 0.4, prob: 0.5, same_person: 0.5}"],
    ],
)
def test_an_epoch_is_pytorchs(people, tiny, settings):
    engine, theirs, _ = run_steps(tiny(*PLAIN, *settings), people)
    assert_close(engine.network.state_dict(), theirs.state_dict())


def test_the_average_of_the_weights_is_the_one_written_out(people, tiny):
    engine, _, states = run_steps(tiny(*PLAIN, "training.ema=0.4"), people, average=0.4)
    average: dict[str, torch.Tensor] = {}
    for number, state in enumerate(states, 1):
        decay = min(0.4, 1 - number ** (-2 / 3))
        for name, value in state.items():
            floating = value.is_floating_point() and number > 1
            average[name] = decay * average[name] + (1 - decay) * value if floating else value
    assert engine.moving_average is not None
    assert_close(engine.moving_average.averages, average)


RICH = (
    "epochs=3", "model.dropout=0.3", "mixing={mixup: 0.5, prob: 0.5}", "schedule.name=one_cycle",
    "training={ema: 0.9, clip: 1.0, accumulate: 2}",
)  # fmt: skip


@pytest.mark.parametrize("weights", ["balanced", "effective"])
def test_an_epoch_with_class_weights_is_pytorchs(own_people, tiny, weights):
    for path in sorted(own_people.glob("anna/*"))[2:]:
        path.unlink()
    settings = ("training={accumulate: 2, clip: 0.2}", f"loss={{class_weights: {weights}, beta: 0.9}}")
    engine, theirs, _ = run_steps(tiny(*PLAIN, "batch_size=8", *settings), own_people)
    assert_close(engine.network.state_dict(), theirs.state_dict())


@pytest.mark.parametrize("settings", [["loss.class_weights=balanced"], ["sampling=balanced"]])
def test_balanced_and_stopped_within_an_epoch_it_continues_bit_for_bit(
    own_people, tiny, tmp_path, monkeypatch, settings
):
    for path in sorted(own_people.glob("anna/*"))[2:]:
        path.unlink()
    recipe, step, taken = tiny(*settings), MytorchEngine.step, []
    whole = train(recipe, own_people, tmp_path / "whole")

    def counted(*arguments):
        taken.append(1)
        if len(taken) == 3:
            raise KeyboardInterrupt
        return step(*arguments)

    monkeypatch.setattr(MytorchEngine, "step", counted)
    with pytest.raises(KeyboardInterrupt):
        train(recipe, own_people, tmp_path / "run", options=TrainOptions(save_seconds=0.0))
    run = train(recipe, own_people, tmp_path / "run", resume=True)
    ours, theirs = (load(each.checkpoint_file)[0] for each in (run, whole))
    assert [key for key in theirs if ours[key].tobytes() != theirs[key].tobytes()] == []
    columns = [name for name in run.history() if name != "images_per_second"]
    assert run.history()[columns].equals(whole.history()[columns])
    assert (run.history()["grad_norm"] > 0).all()


@pytest.mark.parametrize("at", [1, STEPS - 1, STEPS + 3, 3 * STEPS - 1])
def test_stopped_within_an_epoch_it_continues_there_bit_for_bit(people, tiny, tmp_path, monkeypatch, at):
    """Dropout draws from a generator, whose state a checkpoint within an epoch holds."""
    recipe, step, taken = tiny(*RICH), MytorchEngine.step, []
    whole = train(recipe, people, tmp_path / "whole")

    def counted(*arguments):
        if len(taken) == at and not (tmp_path / "stopped").exists():
            (tmp_path / "stopped").touch()
            raise KeyboardInterrupt
        taken.append(1)
        return step(*arguments)

    monkeypatch.setattr(MytorchEngine, "step", counted)
    with pytest.raises(KeyboardInterrupt):
        train(recipe, people, tmp_path / "run", options=TrainOptions(save_seconds=0.0))
    run = train(recipe, people, tmp_path / "run", resume=True)
    assert len(taken) == 3 * STEPS
    for name in ("checkpoint_file", "best_weights", "last_weights"):
        ours, theirs = (load(getattr(each, name))[0] for each in (run, whole))
        assert ours.keys() == theirs.keys()
        assert [key for key in ours if ours[key].tobytes() != theirs[key].tobytes()] == [], name
    columns = [name for name in run.history() if name != "images_per_second"]
    assert run.history()[columns].equals(whole.history()[columns])


def test_early_stopping_ends_the_run_and_the_average_is_what_is_kept(people, tiny, tmp_path):
    recipe = tiny("epochs=9", "optimizer.lr=1e-9", "training={early_stopping: 1, ema: 0.5}")
    run = train(recipe, people, tmp_path / "run")
    assert len(run.history()) < 9
    state, kept = load(run.checkpoint_file)[0], load(run.last_weights)[0]
    assert all(np.array_equal(kept[name], state[f"average.{name}"]) for name in kept)


def test_every_image_may_train_and_none_validate(people, tiny, tmp_path):
    history = train(tiny("split.train=all"), people, tmp_path / "run").history()
    assert history[["top1", "top5", "loss", "eer"]].isna().all(axis=None)


def test_processes_that_load_images_change_nothing(people, tiny, tmp_path):
    runs = [train(tiny(), people, tmp_path / str(n), options=TrainOptions(workers=n)) for n in (0, 1)]
    one, other = (load(run.last_weights)[0] for run in runs)
    assert all(np.array_equal(one[name], other[name]) for name in one)


def test_several_processes_are_refused(tiny, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(FacesError, match="2 processes: this run is mytorch's, which trains in one"):
        MytorchEngine(tiny())


def test_memory_that_runs_out_says_what_to_try(people, tiny, tmp_path, monkeypatch):
    def step(*_):
        raise MemoryError("Unable to allocate 20.0 GiB")

    monkeypatch.setattr(MytorchEngine, "step", step)
    with pytest.raises(FacesError, match=r"with 4 images of 16 x 16 .*training\.accumulate=2.*--batch-size 2"):
        train(tiny(), people, tmp_path / "run")
