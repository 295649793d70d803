"""A margin run that starts from a classifier's: the backbone and the embedding are taken, the head is new."""

import csv
import json
import shutil

import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import load_file, save_file
from sklearn.metrics import roc_curve

from experiments.config.pretrained_run import resolve_recipe
from experiments.config.recipe import Recipe
from experiments.data.dataset import Faces, read_split
from experiments.errors import FacesError
from experiments.inference.model import TrainedModel
from experiments.metrics.roc import MAX_IMAGES_FOR_ALL_PAIRS, compute_validation_eer, select_pairs
from experiments.training.build_model import build_face_net, warn_of_other_split
from experiments.training.schedule import UNMEASURED, TrainingProgress
from experiments.training.trainer import TrainOptions, refuse_unpaired, train
from models.backbones import build_backbone

ALONE = TrainOptions(workers=0)


@pytest.fixture(scope="module")
def classifier(people, small, tmp_path_factory):
    """A run under cross entropy, with an embedding of 24."""
    return train(small("model.embedding=24"), people, tmp_path_factory.mktemp("ce") / "run", options=ALONE)


def margin(small, weights, head="{name: arcface}", *settings):
    return small(f"model.weights={weights}", f"model.head={head}", "model.embedding=24", *settings)


@pytest.mark.parametrize(
    "head",
    [
        "{name: arcface}",
        "{name: cosface, start: prototypes}",
        "{name: subcenter}",
        "{name: triplet, images_per_person: 2}",
    ],
)
def test_a_margin_run_starts_from_a_classifiers_folder(classifier, people, small, tmp_path, head, capsys):
    chosen = ("epochs=2", "training.precision=bf16", "training.select=eer", "split.train=0.5")
    made = train(margin(small, classifier.folder, head, *chosen), people, tmp_path / "run", options=ALONE)
    with made.history_file.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert json.loads(made.metrics_file.read_text())["best_eer"] == min(float(row["eer"]) for row in rows)
    assert all(np.isfinite(float(row["train_loss"])) for row in rows)
    out = capsys.readouterr().out
    assert "best.safetensors: starts with its backbone and its embedding of 24" in " ".join(out.split())
    assert "its linear head of 4 people is left out" in " ".join(out.split())
    assert np.isfinite(TrainedModel.open(made.folder).logits(np.zeros((2, 32, 32, 3), np.uint8))).all()


@pytest.mark.parametrize("name", ["", "best.safetensors", "last.safetensors"])
def test_what_is_taken_is_taken_bit_for_bit(classifier, small, name):
    recipe = margin(small, classifier.folder / name, "{name: cosface}", "model.dropout=0")
    theirs = load_file(classifier.folder / (name or "best.safetensors"))
    network = build_face_net(recipe.torch_model, 7)
    assert all(torch.equal(t, theirs[f"backbone.{key}"]) for key, t in network.backbone.state_dict().items())
    necks = [t for key, t in sorted(theirs.items()) if key.startswith("neck.")]  # there behind dropout, here not
    assert all(torch.equal(t, o) for (_, t), o in zip(sorted(network.neck.state_dict().items()), necks, strict=True))
    assert network.head.weight.shape[0] == 7


def test_another_split_is_said(classifier, small):
    assert warn_of_other_split(margin(small, classifier.folder)) is None
    assert warn_of_other_split(small()) is None
    assert "validation images of this run may have been training images there" in warn_of_other_split(
        margin(small, classifier.folder, "{name: cosine}", "split.train=0.5")
    )


def test_an_embedding_of_another_length_starts_at_random_with_a_note(classifier, small, capsys):
    recipe = margin(small, classifier.folder, "{name: arcface}", "model.embedding=12", "model.dense=true")
    network = build_face_net(recipe.torch_model, 4)
    out = " ".join(capsys.readouterr().out.split())
    assert "the embedding of 12 starts with random weights: the run's has a length of 24" in out
    assert "it was trained with model.dense=false" in out
    theirs = load_file(classifier.best_weights)
    assert torch.equal(network.backbone.conv1[0].weight, theirs["backbone.conv1.0.weight"])


def test_an_embedding_on_another_grid_starts_at_random_with_a_note(classifier, people, small, tmp_path, capsys):
    recipe = margin(small, classifier.folder, "{name: cosine}", "model.grid=2", "epochs=1")
    made = train(recipe, people, tmp_path / "run", options=ALONE)
    out = " ".join(capsys.readouterr().out.split())
    assert "the embedding of 24 starts with random weights: the run's was trained with model.grid=none" in out
    trained = TrainedModel.open(made.folder)
    features = trained.network.backbone(torch.zeros(2, 3, *trained.size))
    assert features.shape == (2, 96 * 4)
    assert trained.embed(np.zeros((2, *trained.size, 3), np.uint8)).shape == (2, 24)


def test_a_resumed_margin_run_needs_its_origin_no_more(classifier, people, small, tmp_path):
    origin = shutil.copytree(classifier.folder, tmp_path / "origin")
    made = train(margin(small, origin, "{name: arcface}", "epochs=1"), people, tmp_path / "run", options=ALONE)
    shutil.rmtree(origin)
    assert TrainedModel.open(made.folder).size == (32, 32)
    train(margin(small, origin, "{name: arcface}", "epochs=1"), people, tmp_path / "run", True, options=ALONE)


def test_a_recipe_without_statistics_has_the_runs(classifier, small):
    model = {"backbone": "test_resnet", "weights": str(classifier.folder)}
    then = small().data
    assert resolve_recipe(Recipe.model_validate({"model": model})).data == then
    assert resolve_recipe(Recipe.model_validate({"model": model, "data": {"mean": 0.25}})).data.mean == 0.25


def test_a_run_of_the_other_kind_of_mobilenet_keeps_its_padding_and_statistics(classifier, tmp_path, sign):
    """The names of their weights are the same: nothing but the run's recipe tells them apart."""
    folder = shutil.copytree(classifier.folder, tmp_path / "tf")
    tree = yaml.safe_load((folder / "recipe.yaml").read_text())
    tree["model"] |= {"backbone": "mobilenet_v2_tf", "embedding": None}
    (folder / "recipe.yaml").write_text(yaml.safe_dump(tree))
    sign(folder)
    state = {f"backbone.{key}": t for key, t in build_backbone("mobilenet_v2_tf").state_dict().items()}
    save_file(state, folder / "best.safetensors")
    recipe = resolve_recipe(Recipe.model_validate({"model": {"backbone": "mobilenet_v2", "weights": str(folder)}}))
    assert recipe.torch_model.backbone == "mobilenet_v2_tf"
    assert type(build_face_net(recipe.torch_model, 3).backbone.features[0][0]).__name__ == "SameConv2d"


def test_runs_of_other_networks_and_folders_that_are_none_are_refused(classifier, trained_once, small, tmp_path):
    with pytest.raises(FacesError, match="a run of test_resnet; expected a run of resnet18"):
        small(f"model={{backbone: resnet18, weights: {classifier.folder}}}")
    with pytest.raises(FacesError, match="a run of mytorch's face_cnn; expected a run of test_resnet"):
        small(f"model.weights={trained_once.folder}")
    with pytest.raises(FacesError, match="not a run; expected a run's folder"):
        small(f"model.weights={tmp_path}")
    broken = shutil.copytree(classifier.folder, tmp_path / "broken")
    (broken / "recipe.yaml").write_text("model: 3")
    with pytest.raises(FacesError, match="the run cannot be read"):
        small(f"model.weights={broken}")
    (broken / "recipe.yaml").write_bytes((classifier.folder / "recipe.yaml").read_bytes())
    (broken / "best.safetensors").unlink()
    with pytest.raises(FacesError, match=r"best\.safetensors: no such weights file"):
        build_face_net(small(f"model.weights={broken}").torch_model, 4)


def test_the_best_epoch_may_be_that_of_the_lowest_eer(people, small, tmp_path):
    made = train(small("epochs=5", "training.select=eer", "split.train=3"), people, tmp_path / "run", options=ALONE)
    with made.history_file.open(newline="") as file:
        rows = list(csv.DictReader(file))
    best = min(rows, key=lambda row: float(row["eer"]))
    metrics = json.loads(made.metrics_file.read_text())
    assert (metrics["best_epoch"], metrics["best_eer"]) == (int(best["epoch"]), float(best["eer"]))
    trained = TrainedModel.open(made.folder)
    _, validation = read_split(people, made.recipe())
    vectors = trained.embed(validation.images, flip=False)
    assert compute_validation_eer(vectors, validation.labels) == pytest.approx(float(best["eer"]), abs=1e-6)


def test_which_epoch_is_best():
    rows = [{"top1": top1, "eer": eer} for top1, eer in ((0.1, 0.4), (0.5, 0.2), (0.9, 0.3), (0.9, None))]
    progress, by_eer = TrainingProgress(rows), TrainingProgress(rows, select="eer")
    assert progress.best is progress.history[2]
    assert by_eer.best is by_eer.history[1]
    assert TrainingProgress([{"top1": None, "eer": None}] * 2, select="eer").best["top1"] is None


def test_the_history_of_an_earlier_version_gets_the_columns_that_it_lacks():
    (row,) = TrainingProgress([{"epoch": 1, "top1": 0.5}]).history
    assert (row["epoch"], row["stage"], row["top1"], row["eer"], row["skipped"]) == (1, 1, 0.5, None, 0)
    assert list(row) == list(UNMEASURED)


def eer_by_sklearn(scores, matches) -> float:
    far, tar, _ = roc_curve(matches, scores, drop_intermediate=False)
    frr = 1 - tar
    at = int(np.argmax(frr <= far))
    share = (frr[at - 1] - far[at - 1]) / ((frr[at - 1] - far[at - 1]) - (frr[at] - far[at]))
    return float(far[at - 1] + share * (far[at] - far[at - 1]))


def drawn_people(count: int, people: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, people, count)
    vectors = rng.normal(size=(people, 8))[labels] + rng.normal(size=(count, 8))
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True), labels


def test_the_eer_is_scikit_learns_over_every_pair():
    vectors, labels = drawn_people(120, 9)
    first, second = np.triu_indices(120, 1)
    scores = (vectors @ vectors.T)[first, second]
    assert compute_validation_eer(vectors, labels) == pytest.approx(
        eer_by_sklearn(scores, labels[first] == labels[second])
    )


def test_of_many_pictures_a_sample_gives_nearly_the_same():
    vectors, labels = drawn_people(MAX_IMAGES_FOR_ALL_PAIRS + 500, 40)
    first, second = select_pairs(labels)
    assert len(first) < 400_000 < MAX_IMAGES_FOR_ALL_PAIRS**2 / 2
    again = select_pairs(labels)
    assert all(np.array_equal(one, other) for one, other in zip((first, second), again, strict=True))
    rows, columns = np.triu_indices(len(labels), 1)
    exact = eer_by_sklearn((vectors @ vectors.T)[rows, columns], labels[rows] == labels[columns])
    assert compute_validation_eer(vectors, labels) == pytest.approx(exact, abs=0.005)


def test_no_eer_without_both_kinds_of_pairs(small):
    vectors = np.eye(4)
    assert compute_validation_eer(vectors, np.arange(4)) is None
    assert compute_validation_eer(vectors, np.zeros(4, int)) is None
    assert compute_validation_eer(np.full((4, 4), np.nan), np.array([0, 0, 1, 1])) is None
    images = np.zeros((3, 32, 32, 3), np.uint8)
    alone = Faces(images, np.arange(3), ("a", "b", "c"), ())
    refuse_unpaired(small(), alone)
    with pytest.raises(FacesError, match=r"training\.select=eer: the 3 validation images show no person twice"):
        refuse_unpaired(small("training.select=eer"), alone)
