"""MTCNN finds real faces where they are, one or several, large or small, and none where there is none."""

import numpy as np
import pytest
from PIL import Image

from experiments.data.align.mtcnn import Mtcnn
from experiments.data.align.warp import fit_similarity, template
from experiments.data.images import read_image

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def portrait(shared_data):
    return read_image(sorted((shared_data / "celeb" / "train").glob("*/*.jpg"))[0])


def test_every_photograph_as_taken_has_a_face(shared_data, detector):
    paths = sorted((shared_data / "raw").glob("*/*.jpg"))[:12]
    for path in paths:
        image = read_image(path)
        (faces,) = detector([image])
        assert faces, path
        for face in faces:
            inside = (face.landmarks > face.box[:2] - face.side / 4) & (face.landmarks < face.box[2:] + face.side / 4)
            assert inside.all(), path


def test_a_image_of_noise_or_of_nothing_has_none(detector, rng):
    noise = rng.integers(0, 256, (90, 120, 3), np.uint8)
    assert detector([noise, np.zeros((160, 160, 3), np.uint8), np.full((1, 700, 3), 9, np.uint8)]) == [[], [], []]


def test_together_or_alone_the_same_faces(detector, portrait):
    images = [portrait, portrait[:, ::-1].copy(), portrait[8:, 8:].copy(), np.zeros_like(portrait)]
    for alone, together in zip([detector([p])[0] for p in images], detector(images), strict=True):
        assert len(alone) == len(together)
        for a, b in zip(alone, together, strict=True):
            np.testing.assert_allclose(a.landmarks, b.landmarks, atol=0.05)


def test_a_image_twice_as_large_has_its_landmarks_twice_as_far(detector, portrait):
    twice = np.asarray(Image.fromarray(portrait).resize((320, 320), Image.Resampling.BICUBIC))
    (small,), (large,) = detector([portrait])[0], detector([twice])[0]
    np.testing.assert_allclose((large.landmarks + 0.5) / 2, small.landmarks + 0.5, atol=1.0)


def test_two_faces_in_one_image_are_two(detector, portrait):
    (faces,) = detector([np.hstack([portrait, portrait])])
    assert len(faces) == 2
    middles = sorted(float(face.landmarks[:, 0].mean()) for face in faces)
    assert middles[1] - middles[0] == pytest.approx(160, abs=4)


def test_a_turned_face_is_turned_back(detector, portrait):
    turned = np.asarray(Image.fromarray(portrait).rotate(20, Image.Resampling.BICUBIC))
    angles = []
    for image in (portrait, turned):
        matrix = fit_similarity(detector([image])[0][0].landmarks, template(112))
        angles.append(np.degrees(np.arctan2(matrix[1, 0], matrix[0, 0])))
    assert angles[1] - angles[0] == pytest.approx(20, abs=5)


def test_another_detector_finds_the_same(detector, portrait):
    np.testing.assert_array_equal(Mtcnn()([portrait])[0][0].box, detector([portrait])[0][0].box)
