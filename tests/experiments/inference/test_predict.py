import numpy as np
import pytest
import torch

from experiments.inference import predict as prediction
from experiments.inference.model import Trained
from experiments.inference.predict import average, predict, views


def test_the_average_is_of_probabilities():
    logits = np.random.default_rng(0).standard_normal((3, 5, 4)) * 4
    expected = torch.from_numpy(logits).softmax(2).mean(0)
    np.testing.assert_allclose(np.exp(average(logits)), expected, rtol=1e-12)


def test_the_average_of_one_keeps_the_order_and_the_loss_and_changes_no_input():
    logits = np.array([[30.0, 800.0, -900.0]])
    before = logits.copy()
    np.testing.assert_allclose(average([logits]), torch.from_numpy(logits).log_softmax(1))
    np.testing.assert_array_equal(logits, before)


def test_a_network_that_is_sure_and_wrong_has_no_veto():
    sure, others = np.array([[0.0, 500.0]]), np.array([[2.0, 0.0]])
    assert average([others, others, others, sure]).argmax() == 0


def test_nothing_has_no_average():
    with pytest.raises(ValueError, match="nothing to average"):
        average([])


@pytest.mark.parametrize("how", ["flip", "crops"])
def test_pictures_are_predicted_in_chunks_and_in_order(trained_once, people, monkeypatch, how):
    trained = Trained.open(trained_once.folder)
    faces = np.random.default_rng(0).integers(0, 256, (11, 16, 16, 3), np.uint8)
    expected = average(trained.logits(view) for view in views(faces, how))
    monkeypatch.setattr(prediction, "CHUNK", 4)
    np.testing.assert_allclose(predict(trained, faces, how), expected, atol=1e-5)
