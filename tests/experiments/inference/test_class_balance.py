"""Answers shared out among the people: against Sinkhorn's scaling done at length, and on images that favor some."""

import numpy as np
import pytest
from scipy.special import softmax

from experiments.data.pack import pack_folder
from experiments.errors import FacesError
from experiments.inference import predict as module
from experiments.inference.predict import BALANCE_TOLERANCE, balance_chunks, balance_logits, read_class_frequencies

SHARES = np.array([0.4, 0.3, 0.2, 0.1])


def some_logits(count: int = 60, classes: int = 4) -> np.ndarray:
    return np.random.default_rng(0).normal(0, 2, (count, classes)).astype(np.float32)


def test_every_person_gets_the_known_number_of_pictures():
    found = balance_logits(some_logits(), SHARES)
    assert found.dtype == np.float32
    np.testing.assert_allclose(softmax(found, axis=1).sum(0), 60 * SHARES, rtol=BALANCE_TOLERANCE)


def test_one_number_a_person_is_added_and_it_is_sinkhorns():
    logits = some_logits()
    kernel = np.exp(logits.astype(np.float64))
    images, people = np.ones(60), np.ones(4)
    for _ in range(10_000):
        images = 1 / (kernel @ people)
        people = 60 * SHARES / (images @ kernel)
    raised = balance_logits(logits, SHARES) - logits
    np.testing.assert_allclose(raised, np.broadcast_to(raised[0], raised.shape), atol=1e-5)
    expected = np.log(people)
    np.testing.assert_allclose(raised[0] - raised[0].mean(), expected - expected.mean(), atol=0.05)


def test_a_network_that_favours_some_is_put_right():
    rng = np.random.default_rng(1)
    labels = rng.permutation(np.repeat(np.arange(10), 30))
    logits = rng.normal(0, 1, (300, 10)) + 3 * np.eye(10)[labels]
    favored = logits + np.linspace(-3, 3, 10)
    before, found = favored.argmax(1) == labels, balance_logits(favored, np.full(10, 0.1)).argmax(1) == labels
    assert before.mean() < 0.75
    assert found.mean() > 0.9


def test_pictures_in_parts_are_balanced_as_a_whole(monkeypatch):
    logits = some_logits()
    whole = balance_logits(logits, SHARES)
    monkeypatch.setattr(module, "ROWS", 7)
    np.testing.assert_allclose(balance_logits(logits, SHARES), whole, atol=1e-5)
    (together,) = balance_chunks(iter(np.split(logits, 4)), SHARES)
    np.testing.assert_allclose(together, whole, atol=1e-5)
    parts = np.split(logits, 4)
    assert all(a is b for a, b in zip(balance_chunks(iter(parts), None), parts, strict=True))


def test_people_whom_nobody_resembles_at_all_leave_numbers_finite():
    logits = some_logits()
    logits[:, 3] -= 5000
    assert np.isfinite(balance_logits(logits, SHARES)).all()


def test_fewer_pictures_than_people_are_refused():
    with pytest.raises(FacesError, match="--balance: 3 images of 4 people: expected at least as many images as people"):
        balance_logits(some_logits(3), SHARES)


def test_shares_are_even_or_those_of_a_folder_or_of_a_pack(own_people, tmp_path):
    names = ["anna", "ben", "chloe", "dan"]
    (own_people / "dan" / "0.png").unlink()
    (own_people / "dan" / "1.png").unlink()
    np.testing.assert_allclose(read_class_frequencies("even", names), 0.25)
    np.testing.assert_allclose(read_class_frequencies(own_people, names), np.array([6, 6, 6, 4]) / 22)
    pack_folder(own_people, tmp_path / "pack", size=(16, 16))
    np.testing.assert_allclose(read_class_frequencies(tmp_path / "pack", names[::-1]), np.array([4, 6, 6, 6]) / 22)


def test_a_folder_of_other_people_is_refused(own_people):
    with pytest.raises(
        FacesError, match=r"--balance .*: 4 people, other than the 3 that the run knows, such as dan: exp"
    ):
        read_class_frequencies(own_people, ["anna", "ben", "chloe"])
    with pytest.raises(
        FacesError, match=r"--balance evne: no such folder.*; or give even, for people shown equally often"
    ):
        read_class_frequencies("evne", ["anna", "ben", "chloe"])


def test_as_many_pictures_as_people_are_enough():
    shares = np.full(4, 0.25)
    balanced = balance_logits(np.random.default_rng(0).standard_normal((4, 4)), shares)
    assert probabilities(balanced).sum(0) == pytest.approx(np.ones(4), rel=0.02)


def test_every_person_is_balanced_and_not_only_most():
    """Very uneven shares: the number of each person's images is right to a hundredth, also of the rarest."""
    shares = np.geomspace(1, 1e-4, 30)
    shares /= shares.sum()
    logits = 3 * np.random.default_rng(1).standard_normal((400, 30)).astype(np.float64)
    sums = probabilities(balance_logits(logits, shares)).sum(0)
    assert np.abs(np.log(sums / (400 * shares))).max() < 0.02


def test_large_logits_overflow_nothing():
    logits, shares = np.random.default_rng(2).standard_normal((20, 5)), np.full(5, 0.2)
    far = balance_logits(logits + 5000, shares) - 5000
    assert np.allclose(far, balance_logits(logits, shares), atol=1e-6)


def probabilities(logits: np.ndarray) -> np.ndarray:
    e = np.exp(logits - logits.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)
