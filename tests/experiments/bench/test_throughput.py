"""`faces bench --loader`: what is counted, what the clock leaves out, and what is refused."""

import itertools
import json
import time

import pytest
import torch
import yaml

from experiments.bench.throughput import ThroughputBenchmark
from experiments.config.load import load_recipe
from tests.experiments.conftest import TRANSFER

MIXED = {**TRANSFER, "mixing": {"mixup": 0.2}}


@pytest.fixture
def file(tmp_path):
    """The tiny transfer recipe, with mixing."""
    path = tmp_path / "tiny.yaml"
    path.write_text(yaml.safe_dump(MIXED))
    return path


@pytest.fixture
def race(file, people):
    return ThroughputBenchmark(load_recipe(file), people, workers=0)


def test_figures_from_the_command_line(command, file, people, tmp_path):
    out = tmp_path / "rates.json"
    done = command(
        "bench", "--loader", file, "--data", people, "--workers", 0, "--repeats", 2, "--batches", 2, "--json", out
    )  # fmt: skip
    assert done.status == 0, done.err
    result = json.loads(out.read_text())
    rates = result["images_per_second"]
    assert set(rates) == {"loader", "tensors", "together"}
    assert all(0 < rate["low"] <= rate["median"] <= rate["high"] for rate in rates.values())
    ratio = rates["loader"]["median"] / rates["tensors"]["median"]
    assert result["loader_over_training"] == pytest.approx(ratio)
    assert f"the loader alone delivers {ratio:.1f} times" in done.out


def test_every_pictures_of_the_turn_counts_and_the_first_batch_does_not(race, monkeypatch):
    clock = itertools.count()
    monkeypatch.setattr(time, "perf_counter", lambda: float(next(clock)))
    used = []
    rate = race._rate(race.batches(), lambda share: used.append(len(share.labels)), 3)
    assert len(used) == 4
    assert rate == sum(used[1:])


def test_batches_go_on_past_the_end_of_an_epoch(race):
    shares = list(itertools.islice(race.batches(), 2 * len(race.loader)))
    first, second = shares[: len(race.loader)], shares[len(race.loader) :]
    seen = [sorted(torch.cat([share.indices for share in part]).tolist()) for part in (first, second)]
    assert seen[0] == seen[1] == list(range(len(race.loader.batches.faces)))


def test_training_moves_the_weights_and_loading_does_not(race):
    def weights() -> torch.Tensor:
        return torch.cat([p.detach().flatten() for p in race.engine.network.parameters()])

    before = weights()
    race.load(2)
    assert torch.equal(weights(), before)
    race.train_on_tensors(1)
    assert not torch.equal(weights(), before)


def test_a_recipe_of_mytorchs_is_refused(command, people, recipe_file):
    done = command("bench", "--loader", recipe_file, "--data", people)
    assert done.status == 2
    assert "expected a recipe with a model.backbone" in done.err


def test_class_means_are_refused(command, people):
    done = command("bench", "--loader", "mobilefacenet_prototypes", "--data", people)
    assert done.status == 2
    assert "learns in no epochs" in done.err
