"""A folder aligned: every image stored under its name, and what a kill, a wrong file or another setting do."""

import csv
import filecmp
import os
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from experiments.data.align import Face, align, choose_face, job
from experiments.data.align.job import align_folder, usual_face
from experiments.data.align.records import AlignJob, ImageRecord
from experiments.data.align.warp import template
from experiments.data.images import read_image
from experiments.data.preparation import AlignSettings
from experiments.data.sources import find_images
from experiments.errors import FacesError
from experiments.files import locked, read_csv
from experiments.weights import has_weights

QUICK = ["--workers", 1, *(["--detector", "yunet"] if has_weights("yunet") else [])]
"""Options of a command in a process of its own: YuNet starts in a fraction of the time that PyTorch needs."""


def images(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*.jpg")}


def blank(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (60, 40), (90, 80, 70)).save(folder / name)
    return folder


@pytest.mark.real
def test_every_image_is_stored_under_its_name_and_the_tables_come_along(photographs, tmp_path):
    source, target = photographs(5), tmp_path / "out"
    done = align_folder(source, target, AlignSettings())
    assert images(target) == images(source)
    assert {read_image(target / name).shape for name in images(target)} == {(112, 112, 3)}
    assert filecmp.cmp(source / "sample_submission.csv", target / "sample_submission.csv", shallow=False)
    assert (done.count("face"), done.count("usual place")) == (5, 1)
    with (target / "failures.csv").open(newline="") as file:
        (failure,) = csv.DictReader(file)
    assert (failure["path"], failure["how"], failure["why"]) == ("test/1.jpg", "usual place", "no face found")


@pytest.mark.real
def test_an_aligned_face_lies_on_the_template(photographs, tmp_path, detector):
    source, target = photographs(4), tmp_path / "out"
    align_folder(source, target, AlignSettings(size=160))
    for name in images(target / "train"):
        (face,) = detector([read_image(target / "train" / name)])[0]
        assert np.abs(face.landmarks - template(160)).mean() < 5


@pytest.mark.real
def test_without_a_face_it_may_be_left_out(photographs, tmp_path):
    source, target = photographs(2), tmp_path / "out"
    done = align_folder(source, target, AlignSettings(missing="skip"))
    assert done.count("skipped") == 1
    assert images(source) - images(target) == {"test/1.jpg"}


@pytest.mark.real
def test_a_margin_crop_has_the_face_in_its_middle(photographs, tmp_path, detector):
    source, target = photographs(3), tmp_path / "out"
    align_folder(source, target, AlignSettings(size=160, crop="margin", margin=0.5))
    for name in images(target / "train"):
        face = detector([read_image(target / "train" / name)])[0][0]
        assert np.abs((face.box[:2] + face.box[2:]) / 2 - 79.5).max() < 12
        assert face.side == pytest.approx(160 / 1.5 * 0.9, rel=0.25)


@pytest.mark.real
def test_a_second_run_changes_nothing_but_what_was_lost(photographs, tmp_path):
    source, target = photographs(4), tmp_path / "out"
    align_folder(source, target, AlignSettings())
    before = {name: (target / name).stat().st_mtime_ns for name in images(target)}
    lost = sorted(images(target / "train"))[1]
    content = (target / "train" / lost).read_bytes()
    (target / "train" / lost).unlink()
    assert align_folder(source, target, AlignSettings()).before == 3
    assert (target / "train" / lost).read_bytes() == content
    kept = [name for name in before if name.startswith("train/") and name != f"train/{lost}"]
    assert all((target / name).stat().st_mtime_ns == before[name] for name in kept)


@pytest.mark.real
def test_killed_and_run_again_it_ends_as_if_never_stopped(photographs, tmp_path, start, contents):
    source = photographs(7)
    align_folder(source, tmp_path / "whole", AlignSettings(), workers=1)
    small = "import experiments.data.align.job as job; job.CHUNK = 2"
    process = start(["align", source, tmp_path / "out", "--workers", 1], small)
    table, deadline = tmp_path / "out" / "aligned.csv", time.monotonic() + 120
    while not (table.is_file() and table.read_bytes().count(b"\n") > 2) and time.monotonic() < deadline:
        time.sleep(0.02)
    process.kill()
    process.communicate()
    (tmp_path / "out" / "train" / ".1.jpg.0123abcd.jpg").write_bytes(b"half")  # as a kill can leave it
    done = align_folder(source, tmp_path / "out", AlignSettings(), workers=1)
    assert done.before > 0
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")
    for name in (*images(tmp_path / "whole"), "aligned.csv", "failures.csv"):
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes(), name


def test_a_corrupt_image_is_listed_and_the_command_says_so(tmp_path, command):
    source = blank(tmp_path / "in", "a/1.jpg")
    (source / "a" / "2.jpg").write_bytes(b"\xff\xd8 not an image")
    result = command("align", source, tmp_path / "out", "--workers", 1)
    assert result.status == 1
    assert "1 cannot be read" in result.out
    with (tmp_path / "out" / "failures.csv").open(newline="") as file:
        rows = {row["path"]: row for row in csv.DictReader(file)}
    assert rows["a/2.jpg"]["how"] == "unreadable"
    assert str(source / "a" / "2.jpg") in rows["a/2.jpg"]["why"]
    assert rows["a/1.jpg"]["how"] == "usual place"


def test_names_that_look_like_paths_stay_inside(tmp_path):
    source = blank(tmp_path / "deep" / "in", "a/x..jpg.jpg", "a/x..%2f..%2fetc.jpg", "a/;rm -rf.jpg")
    align_folder(source, tmp_path / "deep" / "out", AlignSettings(), workers=1)
    assert images(tmp_path / "deep" / "out") == images(source) != set()
    assert {path.name for path in (tmp_path / "deep").iterdir()} == {"in", "out"}
    assert {path.name for path in tmp_path.iterdir()} == {"deep"}


def test_a_table_that_names_files_elsewhere_is_not_believed(tmp_path):
    source = blank(tmp_path / "in", "a/1.jpg")
    align_folder(source, tmp_path / "out", AlignSettings(), workers=1)
    table = tmp_path / "out" / "aligned.csv"
    table.write_text(table.read_text().replace("a/1.jpg", "../in/a/1.jpg"))
    settings = AlignJob.read(tmp_path / "out" / "align.json", "")
    settings.model_copy(update={"table": None}).write(tmp_path / "out" / "align.json")  # as of a job that was killed
    done = align_folder(source, tmp_path / "out", AlignSettings(), workers=1)
    assert [record.path for record in done.records] == ["a/1.jpg"]


def test_other_formats_become_png_unless_told(tmp_path):
    source = blank(tmp_path / "in", "a/1.bmp", "a/2.jpeg", "a/3.png")
    for form, names in (("same", {"1.png", "2.jpeg", "3.png"}), ("jpeg", {"1.jpg", "2.jpeg", "3.jpg"})):
        align_folder(source, tmp_path / form, AlignSettings(format=form), workers=1)
        assert {path.name for path in (tmp_path / form / "a").iterdir()} == names


@pytest.mark.parametrize("target", ["in", "in/out", "."])
def test_folders_within_one_another_are_refused(tmp_path, target):
    source = blank(tmp_path / "in", "a/1.jpg")
    with pytest.raises(FacesError, match="are inside one another"):
        align_folder(source, tmp_path / target, AlignSettings())


def test_two_images_for_one_name_are_refused(tmp_path):
    source = blank(tmp_path / "in", "a/1.bmp", "a/1.png")
    with pytest.raises(FacesError, match=r"a/1\.bmp and a/1\.png would both be stored as a/1\.png"):
        align_folder(source, tmp_path / "out", AlignSettings())


def test_other_settings_are_refused_by_name(tmp_path):
    source = blank(tmp_path / "in", "a/1.jpg")
    align_folder(source, tmp_path / "out", AlignSettings(), workers=1)
    with pytest.raises(FacesError, match="was begun with size = 112, not 160"):
        align_folder(source, tmp_path / "out", AlignSettings(size=160))


@pytest.mark.parametrize(
    ("settings", "named"),
    [({"size": 2}, "size is 2"), ({"quality": 0}, "quality is 0"), ({"crop": "x"}, "crop is 'x'")],
)
def test_impossible_settings_are_named(settings, named):
    with pytest.raises(FacesError, match=named):
        AlignSettings(**settings)


def test_a_folder_of_something_else_is_not_touched(tmp_path):
    source, other = blank(tmp_path / "in", "a/1.jpg"), blank(tmp_path / "mine", "holiday.jpg")
    with pytest.raises(FacesError, match="no folder that `faces align` began"):
        align_folder(source, other, AlignSettings())
    assert {path.name for path in other.iterdir()} == {"holiday.jpg"}


def test_the_usual_place_is_the_median_of_the_same_folder():
    def record(path: str, by: float) -> ImageRecord:
        return ImageRecord(
            path, path, 160, 160, 1, "face", "", 0.9, (by, by, by + 50, by + 60), tuple(by + np.arange(10.0))
        )

    missing = ImageRecord("train/x.jpg", "", 320, 320, 0, "skipped")
    known = [record(f"train/{n}.jpg", by) for n, by in enumerate((10, 12, 90))] + [record("test/1.jpg", 70)]
    face = usual_face(missing, known)
    np.testing.assert_allclose((face.landmarks + 0.5) / 2 - 0.5, np.arange(10.0).reshape(5, 2) + 12)
    np.testing.assert_allclose((face.box + 0.5) / 2 - 0.5, (12, 12, 62, 72))
    np.testing.assert_allclose(usual_face(missing, []).landmarks, template(320))


# Scores


@pytest.fixture
def scored(monkeypatch):
    """A detector that finds a face in the middle of every image, with the score that its first pixel says."""

    class Scored:
        def __init__(self, device):
            pass

        def __call__(self, images):
            return [[self.face(image)] for image in images]

        def face(self, image):
            height, width = image.shape[:2]
            landmarks = template(min(height, width))
            return Face(np.array([0.0, 0, width - 1, height - 1]), float(image[0, 0, 0]) / 255, landmarks)

    align._detector.cache_clear()
    monkeypatch.setattr(align, "open_detector", lambda name, device: Scored(device))
    yield
    align._detector.cache_clear()


def shades(folder: Path, values: list[int]) -> Path:
    """Images a/0.png, a/1.png ... of one gray each."""
    (folder / "a").mkdir(parents=True)
    for number, value in enumerate(values):
        Image.new("L", (40, 40), value).save(folder / "a" / f"{number}.png")
    return folder


@pytest.mark.parametrize("missing", ["skip", "crop"])
def test_faces_below_the_least_score_are_not_faces_and_say_so(scored, tmp_path, missing):
    source = shades(tmp_path / "in", [255, 51, 204, 203])
    done = align_folder(source, tmp_path / "out", AlignSettings(size=32, min_score=0.8, missing=missing), workers=1)
    hows = ["face", "skipped", "face", "skipped"] if missing == "skip" else ["face", "usual place"] * 2
    assert [record.how for record in done.records] == hows
    assert [record.score for record in done.records] == [1.0, 0.2, 0.8, pytest.approx(0.79608)]
    assert done.records[1].why == "the score of the best face, 0.200, is below --min-score"
    stored = {path.name for path in (tmp_path / "out" / "a").iterdir()}
    assert stored == ({"0.png", "2.png"} if missing == "skip" else {"0.png", "1.png", "2.png", "3.png"})
    table = read_csv(tmp_path / "out" / "aligned.csv", "").set_index("path")
    assert table["score"].astype(float).round(2).tolist() == [1.0, 0.2, 0.8, 0.8]


def test_the_sheet_shows_the_lowest_scores_and_no_other_command_takes_it_for_an_image(scored, tmp_path, command):
    source = shades(tmp_path / "in", [250 - 3 * number for number in range(30)])
    result = command("align", source / "a", tmp_path / "out", "--size", 32, "--workers", 1)
    assert "lowest score 0.639: look at" in result.out
    done = align_folder(source / "a", tmp_path / "out", AlignSettings(size=32), workers=1)
    assert [record.path for record in done.lowest] == [f"{number}.png" for number in range(29, 5, -1)]
    assert (tmp_path / "out" / "lowest_scores.pdf").read_bytes().startswith(b"%PDF")
    assert len(find_images(tmp_path / "out")) == 30


def test_a_face_below_the_least_score_never_wins():
    faces = [
        Face(np.array([0.0, 0, 50, 50]), 0.5, np.zeros((5, 2))),
        Face(np.array([5.0, 5, 9, 9]), 0.9, np.zeros((5, 2))),
    ]
    for rule in ("central", "largest", "score"):
        assert choose_face(faces, 60, 60, rule, 0.9) is faces[1]
        assert choose_face(faces, 60, 60, rule, 0.91) is None


# Other writers, and what is left behind


def test_two_jobs_of_one_folder_do_the_work_once(tmp_path, start):
    source = blank(tmp_path / "in", *(f"a/{number}.jpg" for number in range(4)))
    jobs = [start(["align", source, tmp_path / "out", *QUICK]) for _ in range(2)]
    ended = [(process.communicate(), process.returncode) for process in jobs]
    assert [status for _, status in ended] == [0, 0], ended
    assert images(tmp_path / "out") == images(source)
    assert len(read_csv(tmp_path / "out" / "aligned.csv", "")) == 4
    assert {path.name for path in tmp_path.iterdir()} == {"in", "out"}


def test_what_a_killed_job_left_is_removed_and_nothing_else(tmp_path):
    source = blank(tmp_path / "in", "a/1.jpg")
    align_folder(source, tmp_path / "out", AlignSettings(), workers=1)
    for name in (".1.jpg.0123abcd.jpg", ".keep", ".1.jpg.0123abcz.jpg"):
        (tmp_path / "out" / "a" / name).touch()
    align_folder(source, tmp_path / "out", AlignSettings(), workers=1)
    hidden = {path.name for path in (tmp_path / "out" / "a").glob(".*")}
    assert hidden == {".keep", ".1.jpg.0123abcz.jpg"}


@pytest.mark.parametrize("content", ["[]", "{}", "{", '{"settings": 3, "source": "x"}', "null"])
def test_settings_of_another_shape_are_refused(tmp_path, content):
    source = blank(tmp_path / "in", "a/1.jpg")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "align.json").write_text(content)
    with pytest.raises(FacesError, match=r"align\.json: .*choose another folder, or remove this one"):
        align_folder(source, tmp_path / "out", AlignSettings(), workers=1)


# What is no image


def test_a_pipe_is_listed_as_unreadable_and_not_waited_for(tmp_path):
    source = blank(tmp_path / "in", "a/1.jpg")
    os.mkfifo(source / "a" / "2.jpg")
    os.mkfifo(source / "table.csv")
    done = align_folder(source, tmp_path / "out", AlignSettings(), workers=1)
    assert [record.how for record in done.records] == ["usual place", "unreadable"]
    assert "is a FIFO, expected an image file" in done.records[1].why
    assert not (tmp_path / "out" / "table.csv").exists()


@pytest.mark.parametrize("name", ["a/2.jpg", "table.csv"])
def test_a_link_out_of_the_folder_is_refused(tmp_path, name):
    source = blank(tmp_path / "in", "a/1.jpg")
    (tmp_path / "secret").write_text("secret")
    (source / name).symlink_to(tmp_path / "secret")
    with pytest.raises(FacesError, match=f"{name}: is a link that leads out of"):
        align_folder(source, tmp_path / "out", AlignSettings(), workers=1)
    assert not any("secret" in path.read_text(errors="replace") for path in (tmp_path / "out").rglob("*.csv"))


def test_a_name_that_is_not_utf8_is_refused(tmp_path):
    source = blank(tmp_path / "in", "a/1.jpg")
    (source / "a").rename(os.fsdecode(os.fsencode(source) + b"/Jos\xe9"))
    with pytest.raises(FacesError, match=r"b'Jos\\xe9' is not UTF-8"):
        align_folder(source, tmp_path / "out", AlignSettings(), workers=1)


def test_a_job_waits_for_another_of_the_same_folder(tmp_path, start):
    source = blank(tmp_path / "in", "a/1.jpg")
    with locked(tmp_path / "out"):
        process = start(["align", source, tmp_path / "out", *QUICK])
        assert "another command is writing it; waiting" in process.stdout.readline()
        assert not (tmp_path / "out").exists()
    process.communicate()
    assert process.returncode == 0
    assert images(tmp_path / "out") == images(source)


def test_of_several_faces_with_too_low_scores_the_best_is_listed():
    points = np.zeros((5, 2))
    faces = [Face(np.array([0.0, 0, 9, 9]), score, points) for score in (0.3, 0.5, 0.4)]
    record = align.without_face("a.jpg", 20, 10, faces)
    assert (record.score, record.faces, record.how, record.output) == (0.5, 3, "skipped", "")


def test_a_finished_table_that_was_edited_is_refused(tmp_path):
    source = blank(tmp_path / "in", "a/1.jpg", "a/2.jpg")
    align_folder(source, tmp_path / "out", AlignSettings(), workers=1)
    table = tmp_path / "out" / "aligned.csv"
    before = table.read_bytes()
    assert align_folder(source, tmp_path / "out", AlignSettings(), workers=1).records
    assert table.read_bytes() == before
    table.write_bytes(before.replace(b"usual place", b"face"))
    with pytest.raises(FacesError, match=r"aligned\.csv: changed since it was stored.*Remove it to align all images"):
        align_folder(source, tmp_path / "out", AlignSettings(), workers=1)
    table.unlink()
    align_folder(source, tmp_path / "out", AlignSettings(), workers=1)
    assert table.read_bytes() == before


def test_a_table_that_a_killed_job_left_is_not_taken_for_an_edited_one(tmp_path, monkeypatch):
    source = blank(tmp_path / "in", "a/1.jpg")
    align_folder(source, tmp_path / "out", AlignSettings(), workers=1)
    blank(source, "a/2.jpg")
    with monkeypatch.context() as patch:
        patch.setattr(job, "copy_tables", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            align_folder(source, tmp_path / "out", AlignSettings(), workers=1)
    assert len(align_folder(source, tmp_path / "out", AlignSettings(), workers=1).records) == 2
