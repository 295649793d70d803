"""Alignment's arithmetic against transforms that are known."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.data.align.warp import TEMPLATE, fit_box, fit_similarity, template, transform_points, warp

turns = st.floats(-np.pi, np.pi)
scales = st.floats(0.05, 20)
shifts = st.tuples(st.floats(-500, 500), st.floats(-500, 500))


def known(turn: float, scale: float, shift: tuple[float, float]) -> np.ndarray:
    cos, sin = scale * np.cos(turn), scale * np.sin(turn)
    return np.array([[cos, -sin, shift[0]], [sin, cos, shift[1]]])


def waves(height: int, width: int) -> np.ndarray:
    """A smooth image, whose value between pixels is known."""
    y, x = np.mgrid[:height, :width]
    return np.stack([value(x, y, phase) for phase in range(3)], -1).round().astype(np.uint8)


def value(x: np.ndarray, y: np.ndarray, phase: int) -> np.ndarray:
    return 128 + 100 * np.sin(x / 9 + phase) * np.cos(y / 11)


@given(turn=turns, scale=scales, shift=shifts, seed=st.integers(0, 2**32 - 1), count=st.integers(2, 9))
def test_a_similarity_is_found_again_exactly(turn, scale, shift, seed, count):
    source = np.random.default_rng(seed).uniform(0, 200, (count, 2))
    transform = known(turn, scale, shift)
    np.testing.assert_allclose(
        fit_similarity(source, transform_points(source, transform)), transform, rtol=1e-9, atol=1e-7
    )


@given(seed=st.integers(0, 2**32 - 1), noise=st.floats(0.1, 40))
def test_no_other_similarity_comes_closer(seed, noise):
    rng = np.random.default_rng(seed)
    source = TEMPLATE + rng.normal(0, noise, TEMPLATE.shape)
    best = fit_similarity(source, TEMPLATE)
    least = ((transform_points(source, best) - TEMPLATE) ** 2).sum()
    for _ in range(20):
        a, b, x, y = rng.normal(0, 1e-2, 4)
        other = best + np.array([[a, -b, x], [b, a, y]])
        assert ((transform_points(source, other) - TEMPLATE) ** 2).sum() >= least - 1e-9


@given(seed=st.integers(0, 2**32 - 1))
def test_the_least_squares_solution_is_numpys(seed):
    """The same problem is linear in (a, b, x, y) where it needs no mirror, and lstsq solves it another way."""
    rng = np.random.default_rng(seed)
    source = TEMPLATE + rng.normal(0, 3, TEMPLATE.shape)
    rows = np.concatenate(
        [[[x, -y, 1, 0], [y, x, 0, 1]] for x, y in source],
    )
    a, b, x, y = np.linalg.lstsq(rows, TEMPLATE.ravel(), rcond=None)[0]
    np.testing.assert_allclose(fit_similarity(source, TEMPLATE), [[a, -b, x], [b, a, y]], rtol=1e-7, atol=1e-7)


@given(turn=turns, scale=scales, shift=shifts)
def test_a_mirrored_face_is_never_mirrored_back(turn, scale, shift):
    mirrored = transform_points(TEMPLATE * (-1, 1), known(turn, scale, shift))
    assert np.linalg.det(fit_similarity(mirrored, TEMPLATE)[:, :2]) > 0


def test_one_point_five_times_gives_no_scale():
    with pytest.raises(ValueError, match="at least two that differ"):
        fit_similarity(np.ones((5, 2)), TEMPLATE)


@pytest.mark.parametrize("size", [56, 112, 160, 224])
def test_the_template_of_another_size_keeps_its_place_in_the_image(size):
    np.testing.assert_allclose((template(size) + 0.5) / size, (template(112) + 0.5) / 112)


@pytest.mark.parametrize("margin", [0.35, 1.0])
def test_a_template_with_a_margin_shows_the_template_in_the_middle_of_more(margin):
    wider = np.round(112 * (1 + margin)).astype(int)
    np.testing.assert_allclose(template(wider, margin), TEMPLATE + (wider - 112) / 2, atol=0.3)


def test_a_warp_that_moves_nothing_changes_nothing(rng):
    image = rng.integers(0, 256, (40, 40, 3), np.uint8)
    np.testing.assert_array_equal(warp(image, known(0, 1, (0, 0)), 40), image)


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_a_quarter_turn_is_numpys(rng, quarters):
    image = rng.integers(0, 256, (32, 32, 3), np.uint8)
    center = known(-quarters * np.pi / 2, 1, (0, 0))
    center[:, 2] = 15.5 - center[:, :2] @ (15.5, 15.5)
    turned = warp(image, center, 32).astype(int)  # Pillow cuts 159.9999 down to 159
    np.testing.assert_allclose(turned, np.rot90(image, quarters), rtol=0, atol=1)


@given(turn=st.floats(-0.6, 0.6), scale=st.floats(0.6, 2), x=st.floats(-10, 10), y=st.floats(-10, 10))
def test_a_smooth_image_is_itself_at_the_points_that_the_transform_names(turn, scale, x, y):
    transform = known(turn, scale, (x, y))
    middle = np.array([60.0, 60.0])
    transform[:, 2] += (31.5, 31.5) - transform[:, :2] @ middle
    out = warp(waves(120, 120), transform, 64)
    rows, columns = np.mgrid[:64, :64]
    back = np.linalg.inv(np.vstack([transform, [0, 0, 1]]))[:2]
    points = transform_points(np.stack([columns.ravel(), rows.ravel()], 1).astype(float), back)
    inside = ((points > 4) & (points < 115)).all(1)
    expected = np.stack([value(points[:, 0], points[:, 1], phase) for phase in range(3)], -1)
    assert np.abs(out.reshape(-1, 3)[inside] - expected[inside]).mean() < 2.5


def test_fine_detail_shrinks_to_its_mean_and_not_to_noise():
    checks = np.indices((400, 400)).sum(0) % 2 * 255
    image = np.repeat(checks[..., None], 3, 2).astype(np.uint8)
    out = warp(image, known(0.3, 0.12, (10, -8)), 32).astype(float)
    assert np.abs(out[6:26, 6:26] - 127.5).max() < 12


def test_beyond_the_image_it_is_black():
    white = np.full((50, 50, 3), 255, np.uint8)
    assert not warp(white, known(0, 1, (500, 0)), 20).any()
    assert warp(white, known(0, 1, (10, 0)), 40)[20, :9].max() == 0


def test_a_square_has_the_box_in_its_middle_and_the_margin_about_it():
    transform = fit_box(np.array([10.0, 20, 50, 100]), 0.25, 100)
    np.testing.assert_allclose(transform_points(np.array([[30.0, 60]]), transform), [[49.5, 49.5]])
    np.testing.assert_allclose(transform[:, :2], np.eye(2))
