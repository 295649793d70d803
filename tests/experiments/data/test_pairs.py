import csv
import unicodedata
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from experiments.data.pairs import read_pairs
from experiments.errors import FacesError


@pytest.fixture
def images(tmp_path):
    """Two people with three images each, named as LFW names them."""
    for name in ("Ann_Lee", "Bo"):
        (tmp_path / "faces" / name).mkdir(parents=True)
        for n in (1, 2, 13):
            Image.new("RGB", (8, 8)).save(tmp_path / "faces" / name / f"{name}_{n:04d}.jpg")
    return tmp_path / "faces"


@pytest.fixture
def listed(tmp_path):
    """listed(text, name): a file of pairs."""

    def write(text: str, name: str = "pairs.txt") -> Path:
        (tmp_path / name).write_text(text)
        return tmp_path / name

    return write


SAME, OTHER = "Bo/Bo_0001.jpg,Bo/Bo_0002.jpg", "Bo/Bo_0001.jpg,Ann_Lee/Ann_Lee_0001.jpg"
LFW = "2\t1\nBo\t1\t2\nAnn_Lee\t1\tBo\t2\nAnn_Lee\t2\t13\nBo\t13\tAnn_Lee\t1\n"


def test_lfws_file(listed, images):
    pairs = read_pairs(listed(LFW), images)
    assert [path.name for path in pairs.paths] == sorted(path.name for path in pairs.paths)
    shown = [(pairs.paths[a].name, pairs.paths[b].name) for a, b in zip(pairs.first, pairs.second, strict=True)]
    assert shown == [
        ("Bo_0001.jpg", "Bo_0002.jpg"),
        ("Ann_Lee_0001.jpg", "Bo_0002.jpg"),
        ("Ann_Lee_0002.jpg", "Ann_Lee_0013.jpg"),
        ("Bo_0013.jpg", "Ann_Lee_0001.jpg"),
    ]
    assert pairs.matches.tolist() == [True, False, True, False]
    assert pairs.folds.tolist() == [0, 0, 1, 1]
    assert list(pairs.names) == [path.parent.name for path in pairs.paths]


def test_lfws_file_without_folds_and_with_images_of_another_suffix(listed, images):
    Image.open(images / "Bo" / "Bo_0002.jpg").save(images / "Bo" / "Bo_0002.png")
    (images / "Bo" / "Bo_0002.jpg").unlink()
    pairs = read_pairs(listed("1\nBo\t1\t2\nAnn_Lee\t1\tBo\t2\n"), images)
    assert pairs.folds is None
    assert "Bo_0002.png" in {path.name for path in pairs.paths}


@pytest.mark.parametrize(
    ("name", "text", "answers"),
    [
        ("val.txt", "Bo/Bo_0001.jpg Bo/Bo_0002.jpg 1\nBo/Bo_0001.jpg Ann_Lee/Ann_Lee_0001.jpg 0\n", [True, False]),
        ("test.txt", "Bo/Bo_0001.jpg Bo/Bo_0002.jpg\n\nBo/Bo_0001.jpg Ann_Lee/Ann_Lee_0001.jpg\n", None),
        ("dev.csv", f"a,b,match\n{SAME},1\n{OTHER},0\n", [True, False]),
        ("bare.csv", f"\ufeff{SAME},True\r\n{OTHER},False\r\n", [True, False]),
        ("test.csv", "path1,path2\nBo/Bo_0001.jpg,Bo/Bo_0002.jpg\nBo/Bo_0001.jpg,Ann_Lee/Ann_Lee_0001.jpg\n", None),
        ("quoted.csv", 'a,b,label\n"Bo/Bo_0001.jpg", "Bo/Bo_0002.jpg",1\n' f"{OTHER},0\n", [True, False]),
        ("lines.csv", f"{SAME},1\n\n{OTHER},0\n\n", [True, False]),
        ("tabs.txt", "Bo/Bo_0001.jpg\tBo/Bo_0002.jpg\t1\nBo/Bo_0001.jpg\tAnn_Lee/Ann_Lee_0001.jpg\t0\n", [True, False]),
    ],
)  # fmt: skip
def test_lists_and_tables(listed, images, name, text, answers):
    pairs = read_pairs(listed(text, name), images)
    assert [pairs.paths[n].name for n in pairs.second] == ["Bo_0002.jpg", "Ann_Lee_0001.jpg"]
    assert (None if pairs.matches is None else pairs.matches.tolist()) == answers
    assert pairs.folds is None
    assert pairs.names is None


def test_a_image_in_many_pairs_is_read_once_and_a_pair_with_itself_is_counted(listed, images):
    line = "Bo/Bo_0001.jpg Bo/Bo_0001.jpg 1\n"
    pairs = read_pairs(listed(3 * line + "Bo/Bo_0001.jpg Bo/Bo_0002.jpg 1\n"), images)
    assert len(pairs) == 4
    assert len(pairs.paths) == 2
    assert pairs.with_itself == 3


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no pairs in it"),
        ("a.jpg\n", "line 1: 1 values, 'a.jpg'; expected two paths"),
        ("Bo/Bo_0001.jpg Bo/Bo_0002.jpg 1\nBo/Bo_0001.jpg Bo/Bo_0002.jpg\n", "line 2: 2 values"),
        ("Bo/Bo_0001.jpg Bo/Bo_0002.jpg 2\n", "line 1: the answer is '2', expected 1 (one person) or 0"),
        ("Bo/Bo_0001.jpg none.jpg 1\n", "1 of its 2 images are not in"),
        ("\nBo/Bo_0001.jpg ../secret.jpg\n", "line 2: '../secret.jpg' leads out of"),
        ("Bo/../../secret.jpg Bo/Bo_0001.jpg\n", "leads out of"),
        ("/etc/passwd Bo/Bo_0001.jpg\n", "line 1: '/etc/passwd' leads out of"),
        ("C:\\secret.jpg Bo/Bo_0001.jpg\n", "leads out of"),
        ("a\0b.jpg Bo/Bo_0001.jpg\n", "is no path"),
        (300 * "a" + ".jpg Bo/Bo_0001.jpg\n", "is no path"),
        ("..\\secret.jpg Bo/Bo_0001.jpg\n", "leads out of"),
        ("2\t1\nBo\t1\t2\n", "1 pair, though its first line promises 2 folds of 1 pairs of one person and 1 of two"),
        ("1\t1\nBo\t1\t2\nBo\tx\ty\n", "line 3: 'Bo x y'; expected `name n1 n2`"),
        ("1\t1\nBo\t1\t2\nBo\t\u00b2\t1\n", "line 3: 'Bo \u00b2 1'; expected `name n1 n2`"),
        ("\u00b2 1\nBo\t1\t2\n", "line 2: 3 values"),
        ("1\t1\nBo\t1\t2\n..\t1\t2\n", "line 3: '../.._0001.jpg' leads out of"),
    ],
)
def test_a_bad_file_is_refused_with_the_line(listed, images, text, message):
    with pytest.raises(FacesError) as error:
        read_pairs(listed(text), images)
    assert message in str(error.value)
    assert "pairs.txt" in str(error.value)


def test_a_missing_image_is_named_with_its_line(listed, images):
    with pytest.raises(FacesError, match=r"the first on line 2: Bo/Bo_0099\.jpg; give --images the folder"):
        read_pairs(listed("Bo/Bo_0001.jpg Bo/Bo_0002.jpg\nBo/Bo_0002.jpg Bo/Bo_0099.jpg\n"), images)


def test_a_link_out_of_the_folder_is_refused(listed, images, tmp_path):
    Image.new("RGB", (8, 8)).save(tmp_path / "secret.jpg")
    (images / "link.jpg").symlink_to(tmp_path / "secret.jpg")
    with pytest.raises(FacesError, match="is a link that leads out of"):
        read_pairs(listed("link.jpg Bo/Bo_0001.jpg\n"), images)


def test_files_that_are_not_there_or_no_text(listed, images, tmp_path):
    with pytest.raises(FacesError, match=r"none\.txt: no such file"):
        read_pairs(tmp_path / "none.txt", images)
    with pytest.raises(FacesError, match="no such folder"):
        read_pairs(listed(LFW), tmp_path / "nowhere")
    (tmp_path / "pairs.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(FacesError, match="not a text in UTF-8"):
        read_pairs(tmp_path / "pairs.txt", images)


def test_four_words_of_one_person_are_a_pair_of_that_person(listed, images):
    pairs = read_pairs(listed("1\t1\nBo\t1\tBo\t2\nAnn_Lee\t1\tBo\t2\n"), images)
    assert pairs.matches.tolist() == [True, False]
    assert set(pairs.names) == {"Bo", "Ann_Lee"}


@given(
    st.lists(st.tuples(*[st.sampled_from(["Bo/1.jpg", 'B,o/"2".jpg', "\u00c9v a/3.jpg", "-1/=4.jpg"])] * 2), min_size=1)
)
def test_a_table_of_any_paths_is_read_as_it_was_written(tmp_path_factory, rows):
    folder = tmp_path_factory.mktemp("pairs")
    for name in {name for row in rows for name in row}:
        path = folder / unicodedata.normalize("NFD", name)
        path.parent.mkdir(exist_ok=True)
        path.touch()
    with (folder / "p.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("a", "b"), *rows])
    pairs = read_pairs(folder / "p.csv", folder)
    names = [unicodedata.normalize("NFC", path.relative_to(folder).as_posix()) for path in pairs.paths]
    assert [(names[a], names[b]) for a, b in zip(pairs.first, pairs.second, strict=True)] == rows


@given(text=st.text(st.characters(codec="utf-8"), max_size=60), suffix=st.sampled_from([".csv", ".txt"]))
def test_any_other_text_is_refused_by_name(tmp_path_factory, text, suffix):
    file = tmp_path_factory.mktemp("pairs") / f"p{suffix}"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(FacesError, match=rf"p\{suffix}"):
        read_pairs(file, file.parent)


@pytest.mark.parametrize(("text", "named"), [("a.jpg,b.jpg\nc.jpg,d.jpg,1,2\n", "line 2"), ('a.jpg,"b.jpg\n', "p.csv")])
def test_a_table_with_a_wrong_line_is_refused(listed, images, text, named):
    with pytest.raises(FacesError, match=named):
        read_pairs(listed(text, "p.csv"), images)


@pytest.mark.real
@pytest.mark.parametrize(
    ("file", "folder", "count", "images", "folds"),
    [
        ("lfw/pairs.txt", "lfw/aligned_112", 6000, 7701, 10),
        ("celeb/ver/val_pairs.txt", "celeb/ver", 3000, None, None),
        ("celeb/ver/test_pairs.txt", "celeb/ver", 6000, None, None),
    ],
)
def test_the_real_files(shared_data, file, folder, count, images, folds):
    pairs = read_pairs(shared_data / file, shared_data / folder)
    assert len(pairs) == count
    assert images is None or len(pairs.paths) == images
    assert (pairs.folds is None) == (folds is None)
    if folds:
        assert np.bincount(pairs.folds).tolist() == [600] * folds
        assert pairs.matches.sum() == 3000


@pytest.mark.parametrize("change", [-1, 1])
def test_as_many_pairs_as_the_first_line_promises(listed, images, change):
    lines = LFW.rstrip("\n").split("\n")
    lines = lines[:change] if change < 0 else [*lines, lines[-1]]
    with pytest.raises(FacesError, match=rf"{len(lines) - 1} pairs, though its first line promises"):
        read_pairs(listed("\n".join(lines)), images)


@pytest.mark.parametrize(
    ("word", "one_person"),
    [("1", True), ("0", False), ("true", True), ("False", False), ("SAME", True), ("different", False)],
)
def test_each_word_for_an_answer_has_one_meaning(listed, images, word, one_person):
    pairs = read_pairs(listed(f"{SAME},{word}\n", "p.csv"), images)
    assert pairs.answers.tolist() == [one_person]
