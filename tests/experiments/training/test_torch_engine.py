"""Single steps of a transfer network's training, against the loss and the rates written out by hand."""

import copy

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from experiments.data.dataset import read_split
from experiments.data.loader import BatchShard, EpochLoader, ShardedBatches, normalize_tensor
from experiments.errors import DivergenceError, FacesError
from experiments.runtime import torch_device
from experiments.training import trainer
from experiments.training.recorder import refuse_divergence
from experiments.training.schedule import TOTALS
from experiments.training.torch_engine import TorchEngine, make_accelerator
from experiments.training.trainer import Trainer, TrainOptions, train


def make_engine(recipe, people) -> tuple[TorchEngine, list[BatchShard]]:
    faces, _ = read_split(people, recipe)
    engine = TorchEngine(recipe)
    engine.build(faces, 0, resume=False)
    engine.begin_stage(0)
    return engine, list(EpochLoader(ShardedBatches(faces, recipe, training=True), 0).epoch(0))


def test_the_loss_of_a_mixed_batch_is_the_mixture_of_the_losses(people, small):
    """The weight is taken from the pixels that the network sees, the loss from its logits."""
    recipe = small("mixing={mixup: 0.4}", "augment={flip: 0}", "model.dropout=0", "batch_size=6")
    engine, shards = make_engine(recipe, people)
    seen: dict[str, torch.Tensor] = {}
    engine.network.register_forward_hook(lambda _, inputs, logits: seen.update(x=inputs[0], logits=logits.detach()))
    weights = []
    for number, shard in enumerate(shards):
        engine.set_totals([0] * len(TOTALS))
        engine.step(shard, 0, number, 1.0)
        images = shard.images.double()
        mean, std = (torch.tensor(v).double().reshape(-1, 1, 1) * 255 for v in (recipe.data.mean, recipe.data.std))
        own = (images - mean) / std
        difference = own - own.flip(0)
        kept = float((difference * (seen["x"].double() - own.flip(0))).sum() / (difference**2).sum())
        log = seen["logits"].double().log_softmax(1)
        rows = torch.arange(len(log))
        expected = -(kept * log[rows, shard.labels] + (1 - kept) * log[rows, shard.labels.flip(0)]).sum()
        assert engine.totals()[0] == pytest.approx(float(expected), rel=1e-4)
        weights.append(kept)
    assert max(abs(kept - 0.5) for kept in weights) > 0.1  # else an exchange of the two would not show


@pytest.mark.parametrize("clip", ["null", "0.01"])
def test_class_weights_and_the_gradient_norm_are_those_written_out(own_people, small, clip):
    """The first step: loss and gradient from the logits that the network gives, weighted by N / (C n)."""
    for path in sorted(own_people.glob("anna/*"))[2:]:
        path.unlink()
    recipe = small("loss.class_weights=balanced", "augment={flip: 0}", "model.dropout=0", f"training.clip={clip}")
    engine, shards = make_engine(recipe, own_people)
    twin, shard = copy.deepcopy(engine.network), shards[0]
    counts = np.bincount(read_split(own_people, recipe)[0].labels)
    weights = torch.from_numpy(counts.sum() / (len(counts) * counts))[shard.labels].float()
    pixels = normalize_tensor(shard.images, recipe.data, torch.device("cpu"))
    losses = nn.functional.cross_entropy(twin(pixels, shard.labels), shard.labels, reduction="none")
    (losses * weights).mean().backward()
    gradients = torch.cat([p.grad.flatten() for p in twin.parameters() if p.grad is not None])
    engine.step(shard, 0, 0, 1.0)
    loss, _, images, norm, steps = engine.totals()
    assert (images, steps) == (len(shard.labels), 1)
    assert loss == pytest.approx(float((losses * weights).detach().sum()), rel=1e-4)
    assert norm == pytest.approx(float(gradients.norm()), rel=1e-3)


def test_the_rate_of_a_step_does_not_depend_on_the_steps_before(people, small):
    recipe = small("stages=[{epochs: 1, lr: {backbone: 0.001, head: 0.01}}]", "epochs=1")
    engine, shards = make_engine(recipe, people)
    for number, shard in enumerate(shards[:3]):
        engine.step(shard, 0, number, 0.5)
        assert {group["part"]: group["lr"] for group in engine.optimizer.param_groups}["head"] == 0.005
        assert min(group["lr"] for group in engine.optimizer.param_groups) == 0.0005
        assert engine.lr == 0.005


@pytest.mark.parametrize(("right", "top1", "top5"), [(0.0, 0.0, 1.0), (1.0, 1.0, 1.0)])
def test_a_tie_counts_against_the_network(people, small, right, top1, top5):
    """Constant logits know nothing: with one person's raised, those images alone are right."""
    recipe = small()
    engine, shards = make_engine(recipe, people)

    class Constant(nn.Module):
        def forward(self, features, labels=None):
            logits = torch.zeros(len(features), 4)
            logits[:, 0] = right
            return logits

    engine.network.head = Constant()
    found, _ = engine.validate(shards)
    labels = np.concatenate([shard.labels.numpy() for shard in shards])
    assert found["top1"] == pytest.approx((labels == 0).mean() * top1)
    assert found["top5"] == top5


@given(st.integers(2, 40), st.integers(1, 12))
def test_no_part_of_a_batch_has_a_single_image(images, accumulate):
    parts = split_sizes(images, accumulate)
    assert sum(parts) == images
    assert min(parts) >= 2
    assert len(parts) <= accumulate
    if images >= 2 * accumulate:
        assert len(parts) == accumulate


def split_sizes(images: int, accumulate: int) -> list[int]:
    """Sizes of the parts that the network is called with."""
    sizes: list[int] = []

    class Recorder(nn.Module):
        def __init__(self):
            super().__init__()
            self.head = nn.Identity()
            self.weight = nn.Parameter(torch.zeros(4))

        def forward(self, pixels, labels):
            sizes.append(len(pixels))
            return self.weight + pixels.mean() * torch.zeros(len(pixels), 4)

    from experiments.config.recipe import Recipe

    model = {"backbone": "test_resnet", "weights": "none"}
    training = {"accumulate": accumulate}
    recipe = Recipe.model_validate({"model": model, "data": {"size": [8, 8]}, "training": training})
    network = Recorder()
    engine = TorchEngine(recipe)
    engine.adopt(network)  # type: ignore[arg-type]
    optimizer = torch.optim.SGD([{"params": network.parameters(), "lr": 0.1, "base": 0.1}])
    engine.model, engine.optimizer = engine.accelerator.prepare(network, optimizer)
    labels = torch.zeros(images, dtype=torch.int64)
    pixels = torch.zeros(images, 3, 8, 8, dtype=torch.uint8)
    engine.step(BatchShard(pixels, labels, labels, torch.ones(images), images), 0, 0, 1.0)
    return sizes


def test_a_last_batch_of_two_trains_in_parts(people, small, tmp_path):
    run = train(
        small("batch_size=9", "training.accumulate=2", "epochs=1"), people, tmp_path / "run",
        options=TrainOptions(workers=0),
    )  # fmt: skip
    assert len(run.history()) == 1


@pytest.mark.parametrize("loss", [float("nan"), float("inf"), float("-inf")])
def test_a_loss_that_is_not_finite_is_refused(small, loss):
    with pytest.raises(DivergenceError, match="Nothing was learned"):
        refuse_divergence(loss, 0, small(), 0)
    with pytest.raises(DivergenceError, match="saved as of epoch 3"):
        refuse_divergence(loss, 3, small(), 3)
    refuse_divergence(1e30, 0, small(), 0)


@pytest.mark.parametrize("device", ["gpu", "cuda:99", "cuda"])
def test_a_device_that_is_missing_is_refused(people, small, tmp_path, device):
    if device == "cuda" and torch.cuda.is_available():
        assert torch_device("cuda").type == "cuda"
        return
    with pytest.raises(FacesError, match=f"--device {device}: .*expected cpu"):
        train(small(), people, tmp_path / "run", options=TrainOptions(workers=0, device=device))
    assert not (tmp_path / "run").exists()


def test_a_chosen_device_is_used(small):
    assert make_accelerator(small(), "cpu").device == torch.device("cpu")


def test_more_workers_than_the_machine_can_run_are_refused(people, small, tmp_path, monkeypatch):
    monkeypatch.setattr(trainer, "available_processors", lambda: 3)
    with pytest.raises(FacesError, match=r"--workers 25: expected at most 24, 8 for each of the 3 processors"):
        train(small(), people, tmp_path / "run", options=TrainOptions(workers=25))
    assert not (tmp_path / "run").exists()
    assert Trainer(small(), people, tmp_path / "run", TrainOptions(workers=24)).choose_workers() == 24
