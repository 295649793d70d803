from types import SimpleNamespace

import numpy as np
import pytest
import torch

from experiments.errors import FacesError
from experiments.inference import predict as prediction
from experiments.inference.model import TrainedModel
from experiments.inference.predict import average_probabilities, make_views, open_ensemble, predict


def test_the_average_is_of_probabilities():
    logits = np.random.default_rng(0).standard_normal((3, 5, 4)) * 4
    expected = torch.from_numpy(logits).softmax(2).mean(0)
    np.testing.assert_allclose(np.exp(average_probabilities(logits)), expected, rtol=1e-12)


def test_the_average_of_one_keeps_the_order_and_the_loss_and_changes_no_input():
    logits = np.array([[30.0, 800.0, -900.0]])
    before = logits.copy()
    np.testing.assert_allclose(average_probabilities([logits]), torch.from_numpy(logits).log_softmax(1))
    np.testing.assert_array_equal(logits, before)


def test_a_network_that_is_sure_and_wrong_has_no_veto():
    sure, others = np.array([[0.0, 500.0]]), np.array([[2.0, 0.0]])
    assert average_probabilities([others, others, others, sure]).argmax() == 0


def test_nothing_has_no_average():
    with pytest.raises(ValueError, match="nothing to average"):
        average_probabilities([])


@pytest.mark.parametrize("how", ["flip", "crops"])
def test_pictures_are_predicted_in_chunks_and_in_order(trained_once, people, monkeypatch, how):
    trained = TrainedModel.open(trained_once.folder)
    faces = np.random.default_rng(0).integers(0, 256, (11, 16, 16, 3), np.uint8)
    expected = average_probabilities(trained.logits(view) for view in make_views(faces, how))
    monkeypatch.setattr(prediction, "IMAGES_PER_CHUNK", 4)
    np.testing.assert_allclose(predict(trained, faces, how), expected, atol=1e-5)


@pytest.mark.parametrize(
    ("classes", "message"),
    [(["b", "a", "c"], "their order differs"), (["a", "b"], "second lacks c"), (["a", "b", "c", "d"], "first lacks d")],
)
def test_runs_are_averaged_only_with_the_same_people_in_the_same_order(monkeypatch, classes, message):
    known = {"first": ["a", "b", "c"], "second": classes, "third": ["a", "b", "c"]}

    def opened(name, device, engine=None):
        return SimpleNamespace(classes=known[name], run=SimpleNamespace(folder=name))

    monkeypatch.setattr(TrainedModel, "open", opened)
    assert [one.run.folder for one in open_ensemble(["first", "third"])] == ["first", "third"]
    with pytest.raises(FacesError, match=f"know different people, and cannot be averaged: .*{message}"):
        open_ensemble(["first", "second"])
