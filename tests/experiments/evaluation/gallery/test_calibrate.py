import json
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from experiments.errors import FacesError
from experiments.evaluation.embedding import EmbedOptions
from experiments.evaluation.gallery.calibrate import (
    SEARCHES,
    STEPS,
    _template_sums,
    calibrate_searches,
    read_search_calibration,
)
from experiments.evaluation.verification import verify
from experiments.inference.embedder import normalize_embeddings

ABOUT = {"network": "net", "flip": True, "zooms": (1.0,), "source": "strangers"}
GRID = np.linspace(-1, 1, STEPS + 1)


def people(count: int = 6, each: int = 3, noise: float = 0.7, seed: int = 0, length: int = 8):
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(count), each)
    centers = rng.standard_normal((count, length))
    return normalize_embeddings(centers[labels] + noise * rng.standard_normal((len(labels), length))), labels


@settings(max_examples=30, deadline=None)
@given(st.integers(3, 7), st.integers(1, 3), st.integers(0, 1000))
def test_the_rates_are_those_of_every_possible_gallery(count, each, seed):
    vectors, labels = people(count, each, seed=seed)
    searches = calibrate_searches(vectors, labels, images_per_template=each, **ABOUT)
    templates = normalize_embeddings(np.stack([vectors[labels == one].sum(0) for one in range(count)])).astype(float)
    scores = vectors.astype(float) @ templates.T
    for size, rates in zip(searches.sizes, searches.named, strict=True):
        best = [
            scores[row, list(gallery)].max()
            for row, own in enumerate(labels)
            for gallery in combinations(sorted(set(range(count)) - {own}), size)
        ]
        for place in range(5, STEPS + 1, 37):  # a score a rounding error from a step may fall on either side of it
            low, high = (np.mean(np.array(best) >= GRID[place] + by) for by in (1e-6, -1e-6))
            assert low - 1e-8 <= rates[place] <= high + 1e-8


@given(st.integers(0, 100), st.sampled_from([0.5, 0.1, 0.01]))
def test_a_larger_gallery_needs_a_higher_threshold_and_a_rarer_error_too(seed, far):
    searches = calibrate_searches(*people(8, 3, seed=seed), **ABOUT)
    found = [searches.threshold(size, far) for size in (1, 2, 4, 7, 8, 100, 10_000)]
    assert found == sorted(found)
    assert searches.threshold(5, far) <= searches.threshold(5, far / 3)
    assert searches.rates(7)[searches.threshold(7, far) <= GRID].max(initial=0) <= far


@given(st.integers(0, 100), st.integers(1, 9), st.sampled_from([0.5, 0.2, 0.1, 0.01, 0.0]))
def test_the_threshold_is_the_lowest_step_that_keeps_the_rate(seed, size, far):
    searches = calibrate_searches(*people(8, 3, seed=seed), **ABOUT)
    rates = next((row for tried, row in zip(searches.sizes, searches.named, strict=True) if tried >= size), None)
    if rates is None:
        rates = [min(size * rate, 1) for rate in searches.named[0]]
    expected = next((-1 + 2 * place / STEPS for place, rate in enumerate(rates) if rate <= far), None)
    found = searches.threshold(size, far)
    if expected is None:  # above every similarity: no person is named
        assert found > 1
    else:
        assert found == pytest.approx(expected, abs=1e-12)


def test_for_more_people_than_there_were_the_bound_is_used():
    searches = calibrate_searches(*people(), **ABOUT)
    np.testing.assert_array_equal(searches.rates(30), np.minimum(30 * np.array(searches.named[0]), 1))
    assert (searches.rates(6) >= searches.rates(5) - 1e-8).all()


def test_a_person_is_no_stranger_to_oneself_and_templates_have_at_most_so_many_images():
    vectors, labels = people(4, 3, noise=0)
    rates = np.array(calibrate_searches(vectors, labels, **ABOUT).named[-1])
    others = (vectors @ vectors.T)[labels[:, None] != labels].max()
    assert rates[others + 0.01 < GRID].max() == 0
    noisy, labels = people(4, 6, noise=2.0)
    few, all_six = (calibrate_searches(noisy, labels, images_per_template=each, **ABOUT).named for each in (1, 6))
    assert few != all_six
    assert calibrate_searches(noisy, labels, images_per_template=6, **ABOUT).named == all_six


@pytest.mark.parametrize("most", [1, 2, 3, 9])
def test_a_template_is_the_sum_of_no_more_images_than_allowed(most):
    """Each image has a direction of its own, so that a sum shows which images are in it."""
    labels = np.random.default_rng(3).permutation(np.repeat([0, 1, 2], [1, 3, 6]))
    sums = _template_sums(np.eye(10), labels, 3, most, seed=0)
    for person, row in enumerate(sums):
        assert set(row.tolist()) <= {0.0, 1.0}
        assert row.sum() == min(most, (labels == person).sum())
        assert (labels[row == 1] == person).all()


def test_read_as_written_and_refused_for_other_weights_or_damage(tmp_path):
    assert read_search_calibration(tmp_path, "net") is None
    searches = calibrate_searches(*people(), **ABOUT)
    searches.write(tmp_path / SEARCHES)
    assert read_search_calibration(tmp_path, "net") == searches
    with pytest.raises(FacesError, match="calibrated for other weights"):
        read_search_calibration(tmp_path, "other")
    stored = json.loads((tmp_path / SEARCHES).read_text())
    stored["named"][0].pop()
    (tmp_path / SEARCHES).write_text(json.dumps(stored))
    with pytest.raises(FacesError, match="faces gallery calibrate"):
        read_search_calibration(tmp_path, "net")


def test_two_people_are_too_few():
    with pytest.raises(FacesError, match="2 people are too few"):
        calibrate_searches(*people(2), **ABOUT)


def test_identify_goes_by_the_searches_once_they_are_calibrated(command, network, pairs_file, drawn_faces, tmp_path):
    run = network.folder
    verify(network, pairs_file, drawn_faces, run, EmbedOptions(), [0.1], 0, replace_thresholds=True)
    (run / SEARCHES).unlink(missing_ok=True)
    gallery, photo = tmp_path / "a.gallery", drawn_faces / "anna" / "anna_0001.png"
    assert command("gallery", "enroll", run, drawn_faces, "--out", gallery, "--no-align").status == 0
    assert "FAR 0.1 of single comparisons" in command("identify", run, gallery, photo, "--far", 0.4).out
    try:
        made = command("gallery", "calibrate", run, drawn_faces, "--no-align", "--photos", 2)
        assert made.status == 0, made.err
        assert "16 images of 4 people were searched for, as strangers" in made.out
        identified = command("identify", run, gallery, photo, "--far", 0.5)
        assert "a stranger named in 50.00% of searches, calibrated on 4 other people" in identified.out
        assert command("gallery", "calibrate", run, drawn_faces, "--no-align", "--no-flip").status == 0
        other = command("identify", run, gallery, photo, "--far", 0.5)
        assert other.status == 2
        assert "calibrated with no flip and zooms 1, and the gallery is of flip" in other.err
        assert command("identify", run, gallery, photo, "--threshold", 0.5).status == 0
    finally:
        (run / SEARCHES).unlink(missing_ok=True)


def test_photos_without_a_face_calibrate_nothing(command, network, tmp_path):
    for name in ("ann", "ben", "chloe"):
        (tmp_path / "people" / name).mkdir(parents=True)
        Image.new("RGB", (60, 60)).save(tmp_path / "people" / name / "black.png")
    blank = command("gallery", "calibrate", network.folder, tmp_path / "people")
    assert (blank.status, "no face was found in 3 images" in blank.err) == (2, True)
    assert not (network.folder / SEARCHES).exists()
