"""A run's network that cannot be trusted is refused wherever it is used."""

import shutil

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from experiments.errors import FacesError
from experiments.inference.model import TrainedModel
from experiments.inference.networks import open_embedder
from experiments.run import Run
from experiments.training.build_model import read_tensors, save_tensors
from experiments.training.build_mytorch import build_mytorch_network
from mytorch import load, save

IMAGES = np.random.default_rng(0).integers(0, 256, (5, 16, 16, 3), np.uint8)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_weights_that_are_not_finite_are_refused(trained_once, people, tmp_path, bad):
    run = Run(shutil.copytree(trained_once.folder, tmp_path / "run"))
    network = build_mytorch_network(run.recipe().model, 4)
    network.load_state_dict(load(run.best_weights)[0])
    state = network.state_dict()
    last = list(state)[-1]
    save({**state, last: np.full_like(state[last], bad)}, run.best_weights)
    with pytest.raises(FacesError, match=r"best\.safetensors: .* values that are not finite"):
        TrainedModel.open(run.folder)


def test_answers_that_are_not_finite_are_refused(trained_once):
    trained = TrainedModel.open(trained_once.folder)
    trained.network.state_dict()["0.weight"][...] *= 1e38
    with np.errstate(all="ignore"), pytest.raises(FacesError, match="answers to 5 of 5 images are not finite"):
        trained.logits(IMAGES)


@pytest.mark.parametrize("name", ["trained_once", "transfer_once"])
@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        (lambda array: array * 0, "all weights are zero"),
        (lambda array: array.astype(np.int64), "is int64, expected floating point"),
        (lambda array: np.where(array == array.flat[0], np.inf, array), "not finite"),
    ],
)
def test_weights_that_no_training_leaves_are_refused(request, tmp_path, name, spoil, expected):
    run = Run(shutil.copytree(request.getfixturevalue(name).folder, tmp_path / "run"))
    arrays = load_file(run.best_weights)
    save_file({key: spoil(a) if a.dtype == np.float32 else a for key, a in arrays.items()}, run.best_weights)
    with pytest.raises(FacesError, match=rf"best\.safetensors: .*{expected}"):
        TrainedModel.open(run.folder)


@pytest.mark.parametrize("bad", [float("nan"), 0.0])
def test_embeddings_that_are_zero_or_not_finite_are_refused(transfer_once, tmp_path, bad):
    run = Run(shutil.copytree(transfer_once.folder, tmp_path / "run"))
    tensors, _ = read_tensors(run.best_weights)
    spoiled = {name: tensor * bad if tensor.is_floating_point() else tensor for name, tensor in tensors.items()}
    save_tensors(spoiled, run.best_weights)
    images = np.random.default_rng(0).integers(0, 256, (3, 32, 24, 3), np.uint8)
    with pytest.raises(FacesError, match=r"not finite|zero"):
        open_embedder(run.folder).embed(images)


def test_an_embedding_with_flip_is_the_direction_of_the_images_and_its_mirror_images(transfer_once):
    trained = TrainedModel.open(transfer_once.folder)
    images = np.random.default_rng(4).integers(0, 256, (6, 32, 24, 3), np.uint8)
    alone, mirrored = trained.embed(images, flip=False), trained.embed(images[:, :, ::-1], flip=False)
    np.testing.assert_allclose(np.linalg.norm(alone, axis=1), 1, atol=1e-5)
    assert np.abs(alone - mirrored).max() > 1e-3
    both = alone + mirrored
    expected = both / np.linalg.norm(both, axis=1, keepdims=True)
    np.testing.assert_allclose(trained.embed(images), expected, atol=1e-5)
    np.testing.assert_allclose(trained.embed(images[:, :, ::-1]), expected, atol=1e-5)


def test_the_name_of_a_network_is_no_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("mobilefacenet", "resnet18"):
        with pytest.raises(FacesError, match=f"{name}: the name of a backbone.*faces verify --backbone {name}"):
            open_embedder(name)
    with pytest.raises(FacesError, match="no such folder"):
        open_embedder("runs/mobilefacenet")
