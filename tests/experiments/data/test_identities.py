import os
import re
import subprocess
import sys
import unicodedata
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from experiments.data.folders import find_identities, is_hidden, natural_key, subset
from experiments.data.sources import find_images
from experiments.errors import FacesError


@pytest.fixture
def people(tmp_path, paint):
    for name in ("bob/10.png", "bob/2.png", "bob/1.png", "Ann/b.png", "Ann/a.JPG", "s10/1.png", "s2/1.png"):
        paint(name)
    return tmp_path


def test_names_are_in_string_order_and_files_in_natural_order(people):
    found = find_identities(people)
    assert found.root == people
    assert found.names == ("Ann", "bob", "s10", "s2")
    relative = [path.relative_to(people).as_posix() for path in found.paths]
    assert relative == ["Ann/a.JPG", "Ann/b.png", "bob/1.png", "bob/2.png", "bob/10.png", "s10/1.png", "s2/1.png"]
    assert found.labels.tolist() == [0, 0, 1, 1, 1, 2, 3]
    assert found.labels.dtype == np.int64
    assert len(found) == 7


def test_every_path_lies_in_its_names_folder(people):
    found = find_identities(people)
    assert [path.parent.name for path in found.paths] == [found.names[label] for label in found.labels]


def test_the_order_does_not_depend_on_the_file_system(people, monkeypatch):
    expected = find_identities(people).paths
    listing = Path.iterdir
    monkeypatch.setattr(Path, "iterdir", lambda self: iter(sorted(listing(self), key=lambda path: path.name[::-1])))
    assert find_identities(people).paths == expected


def test_litter_and_other_files_are_left_out(people, paint):
    expected = find_identities(people).paths
    paint(".hidden/1.png")
    paint("__MACOSX/1.png")
    paint("bob/._1.png")
    paint("bob/deeper/1.png")
    for name in ("Thumbs.db", ".DS_Store", "bob/Thumbs.db", "bob/notes.txt", "readme.md"):
        (people / name).touch()
    (people / "nobody").mkdir()
    (people / "bob" / "folder.png").mkdir()
    assert find_identities(people).paths == expected


def test_a_competitions_folder_gives_its_train(tmp_path, paint):
    for name in ("train/a/1.png", "train/b/1.png", "test/1.png", "ver/dev/1.png"):
        paint(name)
    found = find_identities(tmp_path)
    assert found.root == tmp_path / "train"
    assert found.names == ("a", "b")


def test_a_path_may_be_a_string(people):
    assert find_identities(str(people)).names == find_identities(people).names


# What cannot be used


def expect(message, directory):
    with pytest.raises(FacesError, match=message):
        find_identities(directory)


def test_no_such_folder(tmp_path):
    (tmp_path / "celeb").mkdir()
    expect(r"/celebs: no such folder: did you mean .*/celeb\?", tmp_path / "celebs")
    expect(r"/quite-other: no such folder: check the path", tmp_path / "quite-other")
    expect(r"/none/below: no such folder: check the path", tmp_path / "none" / "below")


def test_a_file(paint):
    expect(r"a\.png: is a file, expected a folder", paint("a.png"))


def test_images_without_identity_folders(tmp_path, paint):
    for n in range(12):
        paint(f"{n}.png")
    expect(r"no identity folders: 12 images are directly in it; expected one folder per person", tmp_path)


def test_an_empty_folder(tmp_path):
    expect("no identity folders: it is empty; expected one folder per person", tmp_path)


def test_other_files_only(tmp_path):
    (tmp_path / "notes.txt").touch()
    expect("no identity folders: it holds other files only", tmp_path)


def test_identity_folders_without_images(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    expect("no images in any of its 2 folders", tmp_path)


def test_one_level_too_high(tmp_path, paint):
    paint("faces/a/1.png")
    paint("faces/b/1.png")
    expect(r"its folders hold no images, but those in .*/faces do: give that folder instead", tmp_path)


def test_a_single_identity(tmp_path, paint):
    paint("ann/1.png")
    expect(r"only one identity \(ann\) has images, expected at least two", tmp_path)


def test_parts_of_a_data_set_are_not_people(tmp_path, paint):
    paint("dev/1.png")
    paint("test/1.png")
    expect(r"its folders \(dev, test\) are parts of a data set, not people", tmp_path)


@pytest.mark.skipif(os.geteuid() == 0, reason="no folder refuses root")
def test_a_folder_that_may_not_be_listed(people):
    (people / "bob").chmod(0)
    expect("bob: permission denied", people)


# Names, links and what is no file


BAD_NAMES = st.binary(min_size=1, max_size=6).filter(lambda name: b"/" not in name and b"\0" not in name)


def bad_name(name: bytes) -> bool:
    try:
        name.decode()
    except UnicodeDecodeError:
        return True
    return False


@given(name=BAD_NAMES.filter(bad_name).filter(lambda name: not name.startswith(b".")), place=st.integers(0, 3))
def test_a_name_that_is_not_utf8_is_refused_by_name_wherever_it_enters(tmp_path_factory, name, place):
    root = tmp_path_factory.mktemp("names")
    for person in ("a", "b"):
        (root / person).mkdir()
        (root / person / "1.png").touch()
    bad = os.fsencode(root) + [b"/", b"/", b"/a/", b"/a/"][place] + name + [b"", b".png", b".png", b""][place]
    if place in (0, 3):
        os.mkdir(bad)
    else:
        pathlib_path = Path(os.fsdecode(bad))
        pathlib_path.touch()
    message = re.escape(repr(os.path.basename(bad)))
    with pytest.raises(FacesError, match=f"{message} is not UTF-8, so no table can hold it: rename it"):
        find_identities(root)
    with pytest.raises(FacesError, match="is not UTF-8"):
        find_identities(os.fsdecode(os.path.join(os.fsencode(root), b"\xe9")))


@given(name=st.text(st.characters(codec="utf-8", exclude_characters="/\0"), min_size=1, max_size=20))
def test_a_person_is_the_same_in_every_unicode_form(tmp_path_factory, name):
    names = {unicodedata.normalize(form, name) for form in ("NFC", "NFD")}
    assume(all(not is_hidden(one) and len(one.encode()) < 200 and one.strip(".") for one in names))
    found = set()
    for one in names:
        root = tmp_path_factory.mktemp("forms")
        for person in (one, "zz" if name != "zz" else "yy"):
            (root / person).mkdir()
            (root / person / "1.png").touch()
        found.add(find_identities(root).names)
    assert len(found) == 1
    assert unicodedata.normalize("NFC", name) in found.pop()


def test_two_forms_of_one_name_side_by_side_are_refused(people, paint):
    for form in ("NFC", "NFD"):
        paint(unicodedata.normalize(form, "José") + "/1.png")
    if len(list(people.glob("Jos*"))) == 1:
        pytest.skip("this file system composes names")
    expect("two entries are named 'José', in different Unicode forms", people)


@pytest.mark.parametrize("label", ["07", "7", "007", "99999999999999999999", "\u0667"])
def test_the_order_of_labels_does_not_depend_on_the_process(tmp_path, paint, label):
    labels = {"a.png": "07", "b.png": "7", "c.png": "10", "d.png": label, "e.png": "1"}
    for name in labels:
        paint(f"images/{name}")
    (tmp_path / "labels.txt").write_text("".join(f"{name} {one}\n" for name, one in labels.items()))
    program = f"from experiments.data.folders import find_identities as f; print(f({str(tmp_path)!r}).names)"
    orders = set()
    for seed in "12":
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        orders.add(subprocess.check_output([sys.executable, "-c", program], env=environment))
    assert len(orders) == 1
    names = list(find_identities(tmp_path).names)
    if all(re.fullmatch("[0-9]+", name) for name in names):
        assert names == sorted(set(labels.values()), key=lambda one: (int(one), one))


def test_only_regular_files_are_images(people):
    expected = find_identities(people).paths
    os.mkfifo(people / "bob" / "pipe.png")
    (people / "bob" / "nowhere.png").symlink_to("none.png")
    assert find_identities(people).paths == expected


@pytest.mark.parametrize("target", ["{root}/Ann/b.png", "{root}/bob/2.png", "2.png", "../Ann/b.png"])
def test_a_link_within_the_data_is_an_image(people, target):
    (people / "bob" / "link.png").symlink_to(target.format(root=people))
    assert people / "bob" / "link.png" in find_identities(people).paths


def test_a_link_to_a_file_elsewhere_is_refused_by_name(people, tmp_path_factory):
    secret = tmp_path_factory.mktemp("elsewhere") / "secret.png"
    secret.write_text("secret")
    (people / "bob" / "link.png").symlink_to(secret)
    expect(r"bob/link\.png: is a link that leads out of .*: put the file itself there", people)
    with pytest.raises(FacesError, match="leads out of"):
        find_images(people / "bob")


# A subset of the people


@pytest.fixture
def many(tmp_path, paint):
    for person in range(12):
        for n in range(1 + person % 3):
            paint(f"p{person}/{n}.png")
    return find_identities(tmp_path)


def test_a_subset_keeps_all_images_of_some_people_and_labels_them_anew(many):
    few = subset(many, 5, seed=3)
    assert len(few.names) == 5
    assert few.names == tuple(sorted(few.names))
    assert few.paths == tuple(path for path in many.paths if path.parent.name in few.names)
    assert [few.names[label] for label in few.labels] == [path.parent.name for path in few.paths]
    assert few.labels.dtype == np.int64


def test_a_subset_depends_on_the_seed_alone(many):
    assert subset(many, 5, seed=3).names == subset(many, 5, seed=3).names
    assert len({subset(many, 5, seed=seed).names for seed in range(10)}) > 5


def test_a_larger_subset_holds_the_smaller(many):
    kept = [set(subset(many, count, seed=1).names) for count in range(2, 13)]
    assert all(smaller < larger for smaller, larger in pairwise(kept))
    assert kept[-1] == set(many.names)


@pytest.mark.parametrize("count", [-1, 0, 1, 13])
def test_a_subset_of_too_few_or_too_many(many, count):
    with pytest.raises(FacesError, match=f"cannot keep {count} identities of 12: choose from 2 to 12"):
        subset(many, count, seed=0)


def test_a_negative_seed(many):
    with pytest.raises(FacesError, match="seed is -1"):
        subset(many, 3, seed=-1)


# A flat folder


def test_images_of_a_flat_folder_are_in_natural_order(tmp_path, paint):
    for name in ("10.png", "9.png", "1.png", "a2.png", "a10.png", "02.png", "2.png"):
        paint(name)
    (tmp_path / "notes.txt").touch()
    names = [path.name for path in find_images(tmp_path)]
    assert names == ["1.png", "02.png", "2.png", "9.png", "10.png", "a2.png", "a10.png"]


def test_a_flat_folder_without_images(tmp_path, paint):
    with pytest.raises(FacesError, match="no images are directly in it: it is empty"):
        find_images(tmp_path)
    paint("n1/1.png")
    paint("n2/1.png")
    with pytest.raises(FacesError, match=r"it holds 2 folders \(n1, \.\.\.\): give the folder that holds them"):
        find_images(tmp_path)
    with pytest.raises(FacesError, match="no such folder"):
        find_images(tmp_path / "tests")


@given(st.lists(st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1), unique=True))
def test_natural_order_is_total(names):
    paths = [Path("folder", name) for name in names if name not in {".", ".."}]
    backwards = paths[::-1]
    assert sorted(paths, key=natural_key) == sorted(backwards, key=natural_key)


# Real faces


@pytest.mark.real
def test_the_real_sets_are_found_whole(shared_data):
    celeb = find_identities(shared_data / "celeb")
    assert (len(celeb.names), len(celeb)) == (212, 3554)
    assert [int(path.stem) for path in find_images(shared_data / "celeb" / "test")] == list(range(1, 1541))
    orl = find_identities(shared_data / "orl")
    assert np.bincount(orl.labels).tolist() == [10] * 40
    assert [path.name for path in orl.paths[:10]] == [f"{n}.pgm" for n in range(1, 11)]
