"""Training against loops written here in plain PyTorch.

Every batch holds all images, so that their order does not matter, and nothing is drawn at random. A run that was
stopped and one of several processes are held to the same loops, and not to another run of the trainer.
"""

import csv
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from experiments.data.dataset import read_split
from experiments.files import read_json
from experiments.run import Run
from experiments.training import recorder
from experiments.training.build_model import build_face_net
from experiments.training.mytorch_engine import MytorchEngine
from experiments.training.torch_engine import TorchEngine
from experiments.training.trainer import TrainOptions, train
from models.twin import twin
from mytorch import load

LR, MOMENTUM, SMOOTHING, CLIP, EPOCHS = 0.05, 0.9, 0.1, 0.5, 4
SETTINGS = (
    "augment={flip: 0}", "batch_size=20", f"epochs={EPOCHS}", f"label_smoothing={SMOOTHING}", "schedule.name=constant",
    f"optimizer={{name: sgd, lr: {LR}, momentum: {MOMENTUM}}}",
)  # fmt: skip
TORCH = ("model={backbone: test_efficientnet_gn, weights: none}", f"training.clip={CLIP}")  # group norm: see below
MYTORCH = ("model.dropout=0", f"training.clip={CLIP}")
ALONE = TrainOptions(workers=0)


@pytest.fixture(autouse=True)
def plots(monkeypatch):
    """Plots that are quickly drawn: they take most of a tiny run's time."""
    monkeypatch.setattr(recorder, "plot_learning_curves", lambda history, path, *_: path.write_text("x"))


def plain_loop(network: nn.Module, pixels: Tensor, labels: Tensor, clip: float | None) -> list[float]:
    """Train on all images at once; return the loss of each epoch, from before its step."""
    momenta = [torch.zeros_like(p) for p in network.parameters()]
    losses = []
    network.train()
    for _ in range(EPOCHS):
        logs = F.log_softmax(network(pixels), 1)
        classes = logs.shape[1]
        targets = torch.full_like(logs, SMOOTHING / classes)
        targets[torch.arange(len(labels)), labels] += 1 - SMOOTHING
        loss = -(targets * logs).sum(1).mean()
        network.zero_grad()
        loss.backward()
        losses.append(loss.item())
        with torch.no_grad():
            length = torch.sqrt(sum((p.grad**2).sum() for p in network.parameters()))
            scale = 1.0 if clip is None else min(1.0, clip / (length.item() + 1e-6))
            for parameter, momentum in zip(network.parameters(), momenta, strict=True):
                momentum.mul_(MOMENTUM).add_(parameter.grad * scale)
                parameter.sub_(LR * momentum)
    return losses


def read_pixels(people: Path, recipe) -> tuple[Tensor, Tensor]:
    """The training images as (N, 3, H, W), as the recipe normalizes them, and their labels."""
    faces = read_split(people, recipe)[0]
    assert len(faces) == recipe.batch_size
    images = np.stack([np.asarray(faces.images[row]) for row in range(len(faces))]).astype(np.float32) / 255
    mean, std = (np.array(value, np.float32) for value in (recipe.data.mean, recipe.data.std))
    return torch.from_numpy(((images - mean) / std).transpose(0, 3, 1, 2)), torch.from_numpy(faces.labels)


def train_losses(run: Run) -> list[float]:
    with run.history_file.open(newline="") as file:
        return [float(row["train_loss"]) for row in csv.DictReader(file)]


def assert_as_plain(run: Run, expected: dict[str, np.ndarray], losses: list[float], weights: Path) -> None:
    found = load(weights)[0]
    assert read_json(run.metrics_file)["epoch"] == EPOCHS
    np.testing.assert_allclose(train_losses(run), losses, atol=2e-5)
    assert expected.keys() <= found.keys()
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, atol=2e-5, err_msg=name)


@pytest.fixture(scope="module")
def plain_torch(people, small):
    """The weights and losses of the plain loop on the transfer network of `TORCH`."""
    recipe = small(*SETTINGS, *TORCH)
    torch.manual_seed(recipe.seed)
    network = build_face_net(recipe.torch_model, 4)
    start = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    losses = plain_loop(network, *read_pixels(people, recipe), CLIP)
    assert losses[-1] < 0.9 * losses[0]
    trained = {name: tensor.numpy() for name, tensor in network.state_dict().items()}
    assert max(float((start[name] - torch.from_numpy(trained[name])).abs().max()) for name in start) > 0.01
    return trained, losses


@pytest.fixture(scope="module")
def plain_mytorch(people, tiny):
    """The weights and losses of the plain loop on the twin of the tiny face CNN."""
    recipe = tiny(*SETTINGS, *MYTORCH)
    engine = MytorchEngine(recipe)
    engine.build_network(4)
    network = engine.network
    copy = twin(network)
    losses = plain_loop(copy, *read_pixels(people, recipe), CLIP)
    assert losses[-1] < 0.9 * losses[0]
    names, values = network.state_dict(), copy.state_dict().values()
    return {name: value.numpy() for name, value in zip(names, values, strict=True)}, losses


def stop(monkeypatch, owner: type, at: int) -> None:
    """Interrupt the `at`th step, counted from 0."""
    original, calls = owner.step, iter(range(10**6))

    def step(*arguments, **options):
        if next(calls) == at:
            raise KeyboardInterrupt
        return original(*arguments, **options)

    monkeypatch.setattr(owner, "step", step)


@pytest.mark.parametrize("at", [None, 1, 3])
def test_pytorch_trains_as_the_plain_loop_also_when_stopped(people, small, tmp_path, monkeypatch, plain_torch, at):
    recipe = small(*SETTINGS, *TORCH)
    if at is not None:
        with monkeypatch.context() as patch:
            stop(patch, TorchEngine, at)
            with pytest.raises(KeyboardInterrupt):
                train(recipe, people, tmp_path / "run", options=ALONE)
    run = train(recipe, people, tmp_path / "run", resume=at is not None, options=ALONE)
    assert_as_plain(run, *plain_torch, run.last_weights)


@pytest.mark.parametrize("at", [None, 1, 3])
def test_mytorch_trains_as_the_plain_loop_also_when_stopped(people, tiny, tmp_path, monkeypatch, plain_mytorch, at):
    recipe = tiny(*SETTINGS, *MYTORCH)
    if at is not None:
        with monkeypatch.context() as patch:
            stop(patch, MytorchEngine, at)
            with pytest.raises(KeyboardInterrupt):
                train(recipe, people, tmp_path / "run")
    run = train(recipe, people, tmp_path / "run", resume=at is not None)
    weights, losses = plain_mytorch
    state = {name.removeprefix("network."): value for name, value in load(run.checkpoint_file)[0].items()}
    np.testing.assert_allclose(train_losses(run), losses, atol=2e-5)
    for name, value in weights.items():
        np.testing.assert_allclose(state[name], value, atol=2e-5, err_msg=name)


@pytest.mark.slow
def test_two_processes_train_as_the_plain_loop(people, small_file, tmp_path, plain_torch):
    """Each computes half of every batch; group norm, as statistics of a half would not be those of the whole."""
    settings = [word for setting in (*SETTINGS, *TORCH) for word in ("--set", setting)]
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2", "--master-port=0", "--standalone",
               "-m", "experiments.cli", "train", small_file, "--data", people, "--out", tmp_path / "two",
               "--workers", 0, *settings]  # fmt: skip
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "true"}
    root = Path(__file__).parents[3]
    done = subprocess.run([*map(str, command)], cwd=root, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    run = Run(tmp_path / "two")
    assert_as_plain(run, *plain_torch, run.last_weights)
