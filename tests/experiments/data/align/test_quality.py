"""The quality of a face: each measure from 0 to 1, and which change of an image each of them sees."""

from dataclasses import fields, replace

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageFilter

from experiments.data.align import Face
from experiments.data.align.quality import (
    FaceQuality,
    exposure_quality,
    measure_quality,
    pose_quality,
    sharpness_quality,
    size_quality,
)
from experiments.data.align.warp import template
from experiments.data.synthetic.identity import draw_identity
from experiments.data.synthetic.render import draw_image

FRONTAL = np.array([(30, 40), (70, 40), (50, 61.2), (34, 80), (66, 80)], float)


@pytest.fixture(scope="module")
def photo() -> np.ndarray:
    return draw_image(draw_identity(0, 0), 0, 0, 240)


def face_at(size: int) -> Face:
    """A face that fills an image of `size` pixels as ArcFace's template does."""
    return Face(np.array([0.0, 0, size, size]), 0.9, template(size))


@given(st.floats(0, 1e4))
def test_size_rises_from_0_to_1(side):
    assert 0 <= size_quality(side) <= size_quality(side * 1.1) <= 1


@pytest.mark.parametrize(("side", "expected"), [(0, 0), (16, 0), (np.sqrt(16 * 112), 0.5), (112, 1), (500, 1)])
def test_size_is_a_logarithmic_scale(side, expected):
    assert size_quality(side) == pytest.approx(expected)


def test_sharpness_is_opencvs_laplacian_over_the_variance():
    gray = np.random.default_rng(0).uniform(0, 1, (84, 84))
    gray = cv2.GaussianBlur(gray, (0, 0), 1.2)
    ratio = cv2.Laplacian(gray, cv2.CV_64F, ksize=1)[1:-1, 1:-1].var() / gray.var()
    expected = np.clip(np.log(ratio / 0.003) / np.log(0.1 / 0.003), 0, 1)
    assert sharpness_quality(gray) == pytest.approx(expected)
    assert sharpness_quality(0.5 + 0.3 * (gray - 0.5)) == pytest.approx(expected)  # contrast does not count


def test_blur_lowers_sharpness_alone_and_darkness_exposure_alone(photo):
    face = face_at(240)
    sharp = measure_quality(photo, face)
    blurred = measure_quality(np.asarray(Image.fromarray(photo).filter(ImageFilter.GaussianBlur(6))), face)
    dark = measure_quality((photo * 0.2).astype(np.uint8), face)
    assert blurred.sharpness < sharp.sharpness - 0.3
    assert dark.exposure < sharp.exposure - 0.2
    for worse, changed in ((blurred, "sharpness"), (dark, "exposure")):
        assert worse.score < sharp.score
        others = {field.name for field in fields(FaceQuality)} - {changed}
        assert all(abs(getattr(worse, name) - getattr(sharp, name)) < 0.25 for name in others)
    assert replace(sharp, size=0.0).score == 0


@given(st.floats(-180, 180), st.floats(0.1, 50), st.floats(-500, 500))
def test_pose_is_that_of_a_head_and_not_of_the_camera(angle, scale, shift):
    """A rotation in the plane, a scale and a shift change nothing; a turn of the head does."""
    turn = np.deg2rad(angle)
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    moved = FRONTAL @ rotation.T * scale + shift
    assert pose_quality(FRONTAL) == pytest.approx(1)
    assert pose_quality(moved) == pytest.approx(1, abs=1e-6)


def test_pose_falls_with_the_turn_of_a_head():
    """The nose of a head in three dimensions, turned about the vertical axis, moves toward one eye."""
    depth = np.array([0, 0, 20, 5, 5.0])
    scores = []
    for yaw in np.deg2rad([0, 15, 30, 45, 60]):
        turned = FRONTAL.copy()
        turned[:, 0] = 50 + (FRONTAL[:, 0] - 50) * np.cos(yaw) + depth * np.sin(yaw)
        scores.append(pose_quality(turned))
    assert scores == sorted(scores, reverse=True)
    assert scores[0] == pytest.approx(1)
    assert scores[-1] < 0.05


@pytest.mark.parametrize("points", [np.zeros((5, 2)), np.ones((5, 2)) * 3, FRONTAL * [0, 1]])
def test_landmarks_without_extent_have_no_pose(points):
    assert pose_quality(points) == 0


@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
def test_a_flat_face_has_no_exposure_and_no_sharpness(value):
    gray = np.full((84, 84), value)
    assert exposure_quality(gray) == sharpness_quality(gray) == 0


def test_exposure_of_a_good_face_is_1_and_clipping_lowers_it_by_its_fraction():
    gray = np.tile([0.3, 0.7], (84, 42))
    assert exposure_quality(gray) == 1
    gray[:21] = 1.0
    assert exposure_quality(gray) == pytest.approx(0.75)
