"""A folder without images: every command says what it holds instead."""

import pytest

from experiments.data.align.records import list_images
from experiments.data.check import check_folder
from experiments.data.folders import find_identities, other_files
from experiments.data.photo_files import expand_photos
from experiments.errors import FacesError
from experiments.evaluation.gallery.enroll import find_photos

COMMANDS = {
    "train": find_identities,
    "enroll": find_photos,
    "align": lambda folder: list_images(folder, "png"),
    "identify": lambda folder: expand_photos([folder]),
}


@pytest.fixture
def photos(tmp_path):
    for name in ("ann/1.HEIC", "ann/2.heic", "bob/1.heic", "bob/notes.txt", "bob/.hidden"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


@pytest.mark.parametrize("command", COMMANDS)
def test_photos_of_a_format_that_is_not_read_are_named(photos, command):
    with pytest.raises(FacesError, match=r"found 3 files ending in \.heic, which are not read as images"):
        COMMANDS[command](photos)


def test_check_names_them_too(photos):
    report = check_folder(photos)
    assert report.problems[0].what == "no images at all" + other_files(photos)


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ([], ""),
        (["a.txt"], "; found 1 file ending in .txt, which is not read as images: expected .jpg, .png, .webp ..."),
        (["a", "b"], "; found 2 files without a suffix, which are not read as images: expected .jpg, .png, .webp ..."),
    ],
)
def test_the_sentence_fits_the_number_of_files(tmp_path, names, expected):
    for name in names:
        (tmp_path / name).touch()
    assert other_files(tmp_path) == expected


def test_a_jpeg_as_browsers_name_it_is_an_image(tmp_path, paint):
    for name in ("ann/1.png", "ann/2.png", "bob/1.png"):
        path = paint(name)
        path.rename(path.with_suffix(".jfif"))
    assert len(find_identities(tmp_path)) == 3
    assert check_folder(tmp_path).images.total() == 3
