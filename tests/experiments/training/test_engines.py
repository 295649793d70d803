"""The same recipe, seed and float64 data by both engines: the losses agree, and a run of one opens in the other."""

from pathlib import Path

import numpy as np
import pytest
import torch

from experiments.config.load import load_recipe
from experiments.config.pretrained_run import resolve_recipe
from experiments.config.recipe import Recipe
from experiments.data.dataset import Faces
from experiments.data.loader import ShardedBatches
from experiments.inference.model import TrainedModel
from experiments.training.mytorch_engine import MytorchEngine
from experiments.training.torch_engine import TorchEngine
from experiments.training.trainer import TrainOptions, train

ARCFACE = {"name": "arcface", "scale": 16.0, "margin": 0.3}
SCRATCH = {"name": "face_cnn", "widths": [4, 8], "dropout": 0.0}
SMALL = {"backbone": "test_resnet", "weights": "none"}


def losses(recipe: Recipe, faces: Faces, steps: int) -> tuple[np.ndarray, np.ndarray]:
    """The loss of each step by mytorch and by PyTorch."""
    found = []
    for engine in (MytorchEngine(recipe, dtype=np.float64), TorchEngine(recipe, "cpu", dtype=torch.float64)):
        engine.build(faces, 0, False)
        engine.begin_stage(0)
        batches, of_engine, zero = ShardedBatches(faces, recipe, training=True), [], [0.0] * 5
        for epoch, number in (divmod(step, len(batches)) for step in range(steps)):
            engine.set_totals(zero)
            engine.step(batches[epoch, number], epoch, number, 1.0)
            of_engine.append(engine.totals()[0])
        found.append(np.array(of_engine))
    return found[0], found[1]


@pytest.mark.parametrize(
    ("model", "settings"),
    [
        (SCRATCH, {"label_smoothing": 0.1}),
        ({**SCRATCH, "embedding": 8, "head": ARCFACE}, {}),
        ({**SMALL, "embedding": 8, "head": {"name": "subcenter"}}, {"training": {"clip": 0.5, "accumulate": 2}}),
        ({**SMALL, "head": {"name": "dense", "hidden": [8], "activation": "gelu"}}, {"mixing": {"mixup": 0.4}}),
        ({**SMALL, "head": {"name": "cosine"}}, {"mixing": {"cutmix": 0.4}}),
        ({**SMALL, "embedding": 8, "head": {"name": "triplet"}}, {}),
        (SMALL, {"stages": [{"epochs": 1, "train": "head"}]}),
        (
            {**SMALL, "embedding": 8, "head": {"name": "cosface"}},
            {"stages": [{"epochs": 1, "train": ["layer4", "neck", "head"], "lr": {"backbone": 0.01}, "decay": 0.5}]},
        ),
    ],
)
def test_both_engines_learn_the_same(model, settings):
    images = np.random.default_rng(0).integers(0, 256, (24, 24, 24, 3), np.uint8)
    faces = Faces(images, np.arange(24) % 4, tuple("abcd"), tuple(Path(f"{n}.png") for n in range(24)))
    tree = {
        "model": model, "data": {"size": [24, 24]}, "augment": {"flip": 0}, "batch_size": 8, "epochs": 1,
        "optimizer": {"name": "adamw", "lr": 0.001, "weight_decay": 0.1, "decay_norms": False}, **settings,
    }  # fmt: skip
    ours, theirs = losses(resolve_recipe(Recipe.parse(tree, "recipe")), faces, 6)
    np.testing.assert_allclose(ours, theirs, rtol=1e-9)
    assert len(set(theirs)) == 6


@pytest.mark.parametrize("engine", ["mytorch", "torch"])
@pytest.mark.parametrize("head", ["arcface", "linear"])
def test_a_run_of_one_engine_opens_in_the_other(people, small_file, tmp_path, engine, head):
    recipe = load_recipe(
        small_file, [f"engine={engine}", f"model.head={{name: {head}}}", "model.embedding=8", "epochs=1"]
    )
    run = train(recipe, people, tmp_path / "run", options=TrainOptions(workers=0))
    images = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3), np.uint8)
    ours, theirs = (TrainedModel.open(run.folder, engine=name) for name in ("mytorch", "torch"))
    for found, expected in ((ours.logits(images), theirs.logits(images)), (ours.embed(images), theirs.embed(images))):
        np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4 * np.abs(expected).max())


def test_a_scratch_network_trains_with_pytorch_and_is_evaluated_with_both(people, recipe_file, tmp_path, command):
    out = tmp_path / "run"
    done = command("train", recipe_file, "--data", people, "--out", out, "--engine", "torch")
    assert done.status == 0, done.err
    answers = [command("evaluate", out, "--data", people, "--engine", name) for name in ("mytorch", "torch")]
    assert [answer.status for answer in answers] == [0, 0], answers[0].err + answers[1].err
    first, second = (next(line for line in one.out.splitlines() if "top-1" in line) for one in answers)
    assert first == second


def test_what_pytorch_alone_has_is_refused_with_mytorch(people, tmp_path, command):
    setting = ["--set", "training.precision=bf16"]
    refused = command("train", "resnet18", "--data", people, "--out", tmp_path / "run", "--engine", "mytorch", *setting)
    assert refused.status == 2
    assert "only PyTorch has it, and this run is mytorch's" in " ".join(refused.err.split())
