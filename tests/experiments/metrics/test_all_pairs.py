import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments.errors import FacesError
from experiments.metrics.all_pairs import STEPS, count_all_pairs, draw_embeddings, score_of, step_of
from experiments.metrics.roc import roc_curve


def direct(embeddings, labels):
    """All scores at once, in float64, and which pairs are genuine."""
    first, second = np.triu_indices(len(labels), 1)
    wide = embeddings.astype(np.float64)
    return (wide @ wide.T)[first, second], labels[first] == labels[second]


@settings(max_examples=25)
@given(st.integers(0, 1000), st.integers(10, 50), st.integers(8, 60), st.integers(2, 5))
def test_the_counts_are_those_of_all_scores_at_once(seed, block, images, per_person):
    embeddings, labels = draw_embeddings(images, per_person, 16, 0.8, seed)
    shuffled = np.random.default_rng(seed).permutation(images)
    embeddings, labels = embeddings[shuffled], labels[shuffled]
    counts = count_all_pairs(embeddings, labels, block)
    scores, matches = direct(embeddings, labels)
    for kind, wanted in ((counts.genuine, scores[matches]), (counts.impostor, scores[~matches])):
        assert kind.sum() == len(wanted)
        found = np.repeat(score_of(np.arange(len(kind))), kind)
        # float32 may round a score to the next step.
        np.testing.assert_allclose(found, np.sort(wanted), rtol=0, atol=1.5 / STEPS)


@settings(max_examples=15)
@given(st.integers(0, 1000))
def test_metrics_are_those_of_the_direct_computation(seed):
    embeddings, labels = draw_embeddings(300, 5, 32, 1.1, seed)
    curve, expected = count_all_pairs(embeddings, labels, 128).roc_curve(), roc_curve(*direct(embeddings, labels))
    assert curve.impostor[-1] == expected.impostor[-1]
    assert curve.eer() == pytest.approx(expected.eer(), abs=2 / expected.impostor[-1] + 2 / expected.genuine[-1])
    assert curve.auc() == pytest.approx(expected.auc(), abs=1e-5)
    for far in (1e-4, 1e-3, 1e-2):
        assert curve.threshold_at(far) == pytest.approx(expected.threshold_at(far), abs=1e-3)
        assert curve.tar_at(far) == pytest.approx(expected.tar_at(far), abs=2 / expected.genuine[-1])


def test_on_scores_that_are_steps_already_the_metrics_are_exactly_those_of_the_direct_computation():
    corners = np.array(np.meshgrid(*[[-0.25, 0.25]] * 4)).reshape(4, -1).T.astype(np.float32).repeat(4, 1)
    embeddings = np.concatenate([corners, corners[::3]])
    labels = np.concatenate([np.arange(16), np.arange(16)[::3]])
    curve, expected = count_all_pairs(embeddings, labels, 7).roc_curve(), roc_curve(*direct(embeddings, labels))
    for name in ("thresholds", "genuine", "impostor"):
        np.testing.assert_array_equal(getattr(curve, name), getattr(expected, name))


@given(st.floats(-1.00001, 1.00001))
def test_a_step_stands_for_its_score(score):
    assert abs(score_of(step_of(np.array(score))) - score) <= 0.5 / STEPS + 1e-12


def test_the_order_of_the_images_does_not_matter():
    embeddings, labels = draw_embeddings(90, 3, 16, 1.0, 4)
    back = count_all_pairs(embeddings[::-1], labels[::-1], 32)
    there = count_all_pairs(embeddings, labels, 32)
    assert back.genuine.sum() == there.genuine.sum() == 90
    assert abs(back.roc_curve().auc() - there.roc_curve().auc()) < 1e-5


def test_progress_ends_at_all_pairs():
    seen = []
    count_all_pairs(*draw_embeddings(20, 2, 8, 1.0, 0), 6, lambda done, total: seen.append((done, total)))
    assert seen[-1] == (190, 190)


def test_embeddings_of_another_length_and_images_without_people():
    embeddings, labels = draw_embeddings(6, 2, 8, 1.0, 0)
    with pytest.raises(FacesError, match="lengths of 2 to 2, expected 1"):
        count_all_pairs(2 * embeddings, labels)
    with pytest.raises(FacesError, match="6 embeddings of 5 images"):
        count_all_pairs(embeddings, labels[:5])
    with pytest.raises(FacesError, match="all pairs are of two people"):
        count_all_pairs(embeddings, np.arange(6)).roc_curve()
    with pytest.raises(FacesError, match="all pairs are of one person"):
        count_all_pairs(embeddings, np.zeros(6)).roc_curve()


def test_the_command_that_times_it_stays_far_below_two_gibibytes():
    command = [sys.executable, "-m", "experiments.metrics.all_pairs", "--images", "6000", "--seed", "1"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "6,000 images: 12,000 genuine and 17,985,000 impostor pairs, 17,997,000 in all" in done.stdout
    assert float(done.stdout.split("peak memory ")[1].split()[0]) < 1
    assert "TAR at FAR 1e-06" in done.stdout


@pytest.mark.parametrize("length", [1 + 9e-6, 1 - 9e-6])
def test_rounding_errors_of_the_lengths_lose_no_pair(length):
    """Similarities a little above 1 and below -1."""
    one = np.array([1, 0, 0], np.float32) * np.float32(length)
    counts = count_all_pairs(np.stack([one, one, -one, -one]), np.array([0, 0, 1, 1]))
    assert (counts.genuine.sum(), counts.impostor.sum()) == (2, 4)
    curve = counts.roc_curve()
    assert curve.eer() == 0
    assert curve.thresholds[1] == pytest.approx(1, abs=3e-5)
    assert curve.thresholds[-1] == pytest.approx(-1, abs=3e-5)
