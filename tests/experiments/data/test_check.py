"""`faces data check` finds what the other commands would refuse, and nothing else."""

import os
import shutil
import time
import unicodedata

import numpy as np
import pytest
from PIL import Image

from experiments.data.check import FolderReport, check_folder
from experiments.data.dataset import read_split
from experiments.data.pack import pack_folder
from experiments.errors import FacesError
from experiments.submission.format import check_sample


def check(folder, **options) -> FolderReport:
    return check_folder(folder, check_sample=check_sample, **options)


@pytest.fixture
def competition(tmp_path, paint):
    """A competition's folder in which all is well."""
    for name in ("a/1", "a/2", "a/3", "b/1", "b/2"):
        paint(f"train/{name}.png")
    for n in (1, 2, 10):
        paint(f"test/{n}.png")
    (tmp_path / "sample_submission.csv").write_text("image_name,label\n1.png,a\n10.png,a\n2.png,b\n")
    return tmp_path


def problem(report: FolderReport) -> str:
    """The only problem of a report, with its places."""
    (found,) = report.problems
    return "\n".join(found.lines(10))


def warning(report: FolderReport) -> str:
    (found,) = report.warnings
    return "\n".join(found.lines(10))


# What is counted


def test_a_good_folder_has_no_problems_and_no_notes(competition):
    report = check(competition)
    assert (report.problems, report.warnings, report.ignored) == ([], [], [])
    assert report.identities == {"a": 3, "b": 2}
    assert report.images == {"train": 5, "test": 3}
    assert report.sizes == {(6, 5): 8}
    assert report.modes == {"RGB": 8}


def test_sizes_and_modes_are_those_of_the_files(competition):
    Image.new("L", (40, 30), 9).save(competition / "train" / "a" / "4.png")
    report = check(competition)
    assert report.sizes == {(6, 5): 8, (40, 30): 1}
    assert report.modes == {"RGB": 8, "L": 1}


def test_the_report_says_it_all_in_plain_text(competition, paint):
    paint("train/a/9.png", size=(40, 30))
    (competition / "notes.txt").touch()
    (competition / "train" / "b" / "bad.png").write_text("no image")
    assert check(competition).summary() == [
        f"{competition}: 10 images",
        "  parts       train 7, test 3",
        "  identities  2; images of each: 3 to 4, median 3.5",
        "  sizes       6 x 5 for 8; smallest 6 x 5, largest 40 x 30",
        "  modes       RGB 9",
        "  ignored     1 file: notes.txt",
        "",
        "1 problem:",
        "  1 image cannot be read:",
        f"    {competition}/train/b/bad.png: begins with b'no image', expected an image "
        "(JPEG, PNG, BMP, WEBP, PPM, GIF, TIFF): get it again or remove it",
    ]


def test_long_lists_are_cut_in_the_text_but_kept_in_the_report(competition):
    for n in range(25):
        (competition / "train" / "b" / f"bad{n}.png").touch()
    report = check(competition)
    assert len(report.problems[0].places) == 25
    summary = report.summary(limit=3)
    assert "    ... and 22 more" in summary
    assert sum("is empty" in line for line in summary) == 3


def test_identity_folders_without_a_competition(competition):
    report = check(competition / "train")
    assert report.identities == {"a": 3, "b": 2}
    assert report.images == {".": 5}
    assert report.problems == []


def test_a_flat_folder(competition):
    report = check(competition / "test")
    assert (report.identities, report.images, report.problems) == ({}, {".": 3}, [])


def test_images_at_any_depth_are_read(competition, paint):
    paint("ver/dev/deep/1.png").write_bytes(b"")
    report = check(competition)
    assert report.images["ver"] == 1
    assert "1.png: is empty" in problem(report)


def test_litter_is_not_mentioned(competition, paint):
    (competition / ".DS_Store").touch()
    (competition / "train" / "a" / "Thumbs.db").touch()
    (paint("__MACOSX/train/._1.png")).write_bytes(b"")
    report = check(competition)
    assert (report.problems, report.ignored) == ([], [])


def test_progress_counts_every_image(competition):
    (competition / "train" / "b" / "bad.png").touch()
    seen = []
    check(competition, workers=3, progress=lambda *done: seen.append(done))
    assert seen == [(n + 1, 9) for n in range(9)]


# Problems


@pytest.mark.parametrize("content", [b"", b"text", b"\x89PNG\r\n\x1a\n"])
def test_an_unreadable_image_in_any_part(competition, content):
    for name in ("train/a/1.png", "test/2.png"):
        (competition / name).write_bytes(content)
    text = problem(check(competition))
    assert text.startswith("2 images cannot be read:")
    assert "train/a/1.png: " in text
    assert "test/2.png: " in text


def test_identities_without_an_image(competition):
    (competition / "train" / "nobody").mkdir()
    text = problem(check(competition))
    assert text == "1 identity without an image: add some, or remove the folder:\n  nobody"


def test_identities_with_one_image(competition, paint):
    paint("train/c/1.png")
    paint("train/d/1.png")
    text = problem(check(competition))
    assert text.startswith("2 identities with one image, which cannot be split")
    assert text.endswith("\n  c\n  d")


@pytest.mark.parametrize("name", ["train/1.png", "train/a/deeper/1.png"])
def test_images_that_no_identity_would_use(competition, paint, name):
    paint(name)
    assert problem(check(competition)).endswith(f"never used: move or remove:\n  {name}")


def test_a_train_folder_without_identities(tmp_path, paint):
    paint("train/1.png")
    assert problem(check(tmp_path)).startswith("training refuses the folder: ")


def test_a_folder_without_images(tmp_path):
    assert problem(check(tmp_path)) == "no images at all"


def test_no_such_folder(tmp_path):
    with pytest.raises(FacesError, match="no such folder"):
        check(tmp_path / "none")


# The sample submission


@pytest.mark.parametrize(("rows", "expected"), [
    ("1.png,a\n10.png,a\n", "lacks images of test/ (1):\n  2.png"),
    ("1.png,a\n10.png,a\n2.png,a\n3.png,a\n", "names 4 images, 1 of which test/ lacks, such as 3.png"),
    ("1.png,a\n10.png,a\n2.png,a\n2.png,b\n", "2.png occurs more than once"),
    ("1.png,a\n10.png,c\n2.png,d\n", "2 of its 3 labels are none of the run's 2 people, such as 'c'"),
])  # fmt: skip
def test_a_sample_that_does_not_agree(competition, rows, expected):
    (competition / "sample_submission.csv").write_text("image_name,label\n" + rows)
    text = problem(check(competition))
    assert "sample_submission.csv" in text
    assert expected in text


@pytest.mark.parametrize("rows", [
    "id,label\n1.png,0\n10.png,1\n2.png,0\n",  # labels by number
    "id,label\n1.png,\n10.png,\n2.png,\n",  # nothing filled in
    "\ufeffimage_name,label\r\n2.png,a\r\n1.png,a\r\n10.png,b\r\n\r\n",  # as a spreadsheet saves it
    "ID,Label\n0,0.5\n1,0.5\n",  # verification: numbered pairs
])  # fmt: skip
def test_a_sample_of_another_form(competition, rows):
    (competition / "sample_submission.csv").write_bytes(rows.encode())
    assert check(competition).problems == []


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00\x01"])
def test_a_sample_that_is_not_a_table(competition, content):
    (competition / "sample_submission.csv").write_bytes(content)
    assert "sample_submission.csv: " in problem(check(competition))


# Duplicates


def test_a_image_under_two_identities(competition, paint):
    paint("train/a/7.png", (1, 2, 3))
    paint("train/b/8.png", (1, 2, 3))
    report = check(competition)
    assert report.problems == []
    assert warning(report) == (
        "1 image under several identities, so that some labels are wrong:\n  train/a/7.png = train/b/8.png"
    )
    assert "no problems" not in report.summary()
    assert "no command would refuse this folder, but:" in report.summary()


def test_a_test_image_that_is_also_in_training(competition, paint):
    paint("train/a/7.png", (1, 2, 3))
    paint("test/10.png", (1, 2, 3))
    text = warning(check(competition))
    assert text.startswith("1 image in several parts")
    assert "test/10.png" in text
    assert "train/a/7.png" in text


def test_a_image_repeated_within_an_identity(competition, paint):
    paint("train/a/7.png", (1, 2, 3))
    paint("train/a/8.png", (1, 2, 3))
    report = check(competition)
    assert report.problems == []
    assert warning(report).startswith("1 image repeated within an identity")


def test_pixels_are_compared_and_not_files(competition, paint):
    Image.open(paint("train/a/7.png", (1, 2, 3))).save(competition / "train" / "a" / "8.bmp")
    assert "train/a/7.png = train/a/8.bmp" in warning(check(competition))


def test_plain_images_of_other_shapes_are_not_duplicates(competition, paint):
    paint("train/a/7.png", (1, 2, 3), size=(6, 4))
    paint("train/a/8.png", (1, 2, 3), size=(4, 6))
    assert check(competition).warnings == []


# As the commands read them


def changed(case: str, folder, paint) -> None:
    """Change a good competition's folder in one way."""
    train = folder / "train"
    if case == "a stranger validates":
        paint("val/a/1.png")
        paint("val/zoe/1.png")
    elif case == "known people validate":
        for person in "ab":
            paint(f"val/{person}/1.png")
    elif case == "one image each, and a validation set":
        for person in "ab":
            paint(f"val/{person}/1.png")
            for image in list((train / person).iterdir())[1:]:
                image.unlink()
    elif case == "one image of a person":
        paint("train/c/1.png")
    elif case in ("a list of labels", "a wrong list of labels"):
        shutil.rmtree(train)
        for number in range(6):
            paint(f"train/images/{number}.png")
        lines = [f"{number}.png {'ab'[number % 2]}" for number in range(6 - (case == "a wrong list of labels"))]
        (train / "labels.txt").write_text("\n".join(lines))
    elif case == "one person":
        shutil.rmtree(train / "b")
    elif case == "a name that is not UTF-8":
        (train / "b").rename(os.fsdecode(os.fsencode(train) + b"/Jos\xe9"))
    elif case == "a link out of the data":
        (train / "a" / "link.png").symlink_to(__file__)
    elif case == "two forms of one name":
        for form in ("NFC", "NFD"):
            paint(f"train/{unicodedata.normalize(form, 'José')}/1.png")
            paint(f"train/{unicodedata.normalize(form, 'José')}/2.png")
    elif case == "parts and no people":
        train.rename(folder / "dev")


CASES = [
    "nothing", "a stranger validates", "known people validate", "one image each, and a validation set",
    "one image of a person", "a list of labels", "a wrong list of labels", "one person", "a name that is not UTF-8",
    "a link out of the data", "two forms of one name", "parts and no people",
]  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_a_problem_is_what_training_refuses(competition, paint, tiny, case):
    (competition / "sample_submission.csv").unlink()
    changed(case, competition, paint)
    try:
        read_split(competition, tiny())
        refused = False
    except FacesError:
        refused = True
    report = check(competition)
    assert bool(report.problems) == refused, report.summary()
    assert ("no problems" in report.summary()) == (not refused)


def test_a_pipe_is_reported_and_not_waited_for(competition):
    os.mkfifo(competition / "train" / "a" / "pipe.png")
    assert "pipe.png: is a FIFO, expected a regular file: remove it" in problem(check(competition))


def test_a_link_that_leads_nowhere_is_reported(competition):
    (competition / "train" / "a" / "link.png").symlink_to("none.png")
    assert "link.png: is a link that leads nowhere: remove it" in problem(check(competition))


def test_a_pack_is_opened(competition, tmp_path_factory):
    pack = tmp_path_factory.mktemp("packs") / "pack"
    pack_folder(competition, pack, (16, 16))
    report = check(pack)
    assert (report.problems, report.images, report.identities) == ([], {"train": 5, "test": 3}, {"a": 3, "b": 2})
    (pack / "test.npy").write_bytes(b"")
    assert "test.npy" in problem(check(pack))


# Real faces


@pytest.mark.real
def test_the_real_competition_is_fine_but_for_its_label_noise(shared_data):
    begun = time.process_time()  # of all threads: it does not count how busy the machine is
    report = check(shared_data / "celeb")
    assert time.process_time() - begun < 60
    assert report.problems == []
    assert report.images["train"] == sum(report.identities.values()) == 3554
    assert report.images["test"] == 1540
    assert len(report.identities) == 212
    assert report.sizes.keys() == {(160, 160)}
    assert [len(found.places) for found in report.warnings] == [8, 4]


@pytest.mark.real
def test_the_real_gray_faces_are_fine(shared_data):
    report = check(shared_data / "orl")
    assert (report.problems, report.warnings) == ([], [])
    assert set(report.identities.values()) == {10}
    assert report.modes == {"L": 400}
    assert np.sum(list(report.sizes.values())) == 400
