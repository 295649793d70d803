"""What is enrolled: two writers, a competition's folder, names in other spellings, outputs that are inputs."""

import multiprocessing
import os
import shutil
import stat
import unicodedata

import pytest

from experiments.errors import FacesError
from experiments.evaluation.embedding import EmbedOptions
from experiments.evaluation.gallery.enroll import enroll, find_photos
from experiments.evaluation.gallery.store import GalleryStore, read_gallery

OPTIONS = EmbedOptions()


def enroll_one(folder, people, out):
    enroll(folder, people, out, add=True)


def test_of_two_writers_neither_loses_a_person(network, drawn_faces, tmp_path):
    out = tmp_path / "g"
    for name in ("anna", "ben", "chloe"):
        shutil.copytree(drawn_faces / name, tmp_path / name / name)
    enroll(network.folder, tmp_path / "anna", out, options=OPTIONS)
    spawn = multiprocessing.get_context("spawn")
    arguments = [(network.folder, tmp_path / name, out) for name in ("ben", "chloe")]
    writers = [spawn.Process(target=enroll_one, args=given) for given in arguments]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert [writer.exitcode for writer in writers] == [0, 0]
    assert read_gallery(out).names == ("anna", "ben", "chloe")
    assert {path.name for path in tmp_path.iterdir()} == {"g", "anna", "ben", "chloe"}


def test_a_gallery_is_for_its_owner_only(network, drawn_faces, tmp_path):
    before = os.umask(0o022)
    try:
        enroll(network.folder, drawn_faces, tmp_path / "g", options=OPTIONS)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "g").stat().st_mode) == 0o600


def test_a_competitions_folder_is_its_people_and_not_its_parts(drawn_faces, tmp_path):
    shutil.copytree(drawn_faces, tmp_path / "contest" / "train")
    shutil.copytree(drawn_faces / "anna", tmp_path / "contest" / "test")
    assert {photo.person for photo in find_photos(tmp_path / "contest")} == {"anna", "ben", "chloe", "dan"}
    shutil.copytree(drawn_faces / "anna", tmp_path / "parts" / "dev")
    shutil.copytree(drawn_faces / "ben", tmp_path / "parts" / "test")
    with pytest.raises(FacesError, match=r"its folders \(dev, test\) are parts of a data set, not people"):
        find_photos(tmp_path / "parts")


def test_two_spellings_of_one_name_are_one_person(network, drawn_faces, tmp_path):
    composed, decomposed = (unicodedata.normalize(form, "Jos\u00e9") for form in ("NFC", "NFD"))
    shutil.copytree(drawn_faces / "anna", tmp_path / "one" / decomposed)
    shutil.copytree(drawn_faces / "ben", tmp_path / "one" / "ben")
    out = tmp_path / "g"
    enroll(network.folder, tmp_path / "one", out, options=OPTIONS)
    assert read_gallery(out).names == (composed, "ben")
    with GalleryStore.open(out) as store:
        assert [person.name for person in store.remove([decomposed], "test")] == [composed]
    assert read_gallery(out).names == ("ben",)


def test_a_name_that_is_not_utf8_is_named(drawn_faces, tmp_path):
    os.makedirs(os.fsencode(tmp_path) + b"/people/Jos\xe9")
    shutil.copy(drawn_faces / "anna" / "anna_0001.png", os.fsencode(tmp_path) + b"/people/Jos\xe9/1.png")
    with pytest.raises(FacesError, match="Jos"):
        find_photos(tmp_path / "people")


def test_a_gallery_is_not_written_over_a_photo(network, drawn_faces, tmp_path):
    people = shutil.copytree(drawn_faces, tmp_path / "people")
    photo = people / "anna" / "anna_0001.png"
    before = photo.read_bytes()
    with pytest.raises(FacesError):
        enroll(network.folder, people, photo, add=True)
    assert photo.read_bytes() == before
