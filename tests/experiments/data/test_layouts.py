"""The layouts that courses hand out: an official validation set, images with a list of labels, a folder a task."""

import shutil

import numpy as np
import pytest

from experiments.data.dataset import read_split
from experiments.data.folders import find_identities, validation_root
from experiments.data.images import load_images
from experiments.data.pack import pack_folder
from experiments.data.sources import ConcatImages, LazyImages, find_images
from experiments.errors import FacesError


def listed(paint, root: str, labels: dict[str, str]) -> None:
    for name in labels:
        path = paint(f"{root}/images/{name}")
    (path.parents[1] / "labels.txt").write_text("".join(f"{name} {label}\n" for name, label in labels.items()))


def test_numbers_of_a_list_are_their_own_labels(paint, tmp_path):
    wanted = {f"{n:03d}.png": str(n % 12) for n in range(24)}
    listed(paint, "cls_data/train", wanted)
    people = find_identities(tmp_path)
    assert people.names == tuple(map(str, range(12)))
    assert {path.name: str(label) for path, label in zip(people.paths, people.labels, strict=True)} == wanted


@pytest.mark.parametrize(
    ("line", "named"),
    [("9.png 1", "line 5: '9.png 1': expected an image"), ("0.png 3", "labeled 3 here and 0 above"), ("x", "line 5")],
)
def test_a_wrong_line_of_a_list_is_named(paint, tmp_path, line, named):
    listed(paint, "train", {f"{n}.png": str(n % 2) for n in range(4)})
    with (tmp_path / "train" / "labels.txt").open("a") as file:
        file.write(line + "\n")
    with pytest.raises(FacesError, match=named):
        find_identities(tmp_path)


def test_an_image_without_a_label_is_named(paint, tmp_path):
    listed(paint, "train", {f"{n}.png": str(n % 2) for n in range(4)})
    paint("train/images/new.png")
    with pytest.raises(FacesError, match=r"lacks 1 image of images/, such as new\.png"):
        find_identities(tmp_path)


@pytest.mark.parametrize("name", ["dev", "val", "validation"])
def test_an_official_validation_set_validates(paint, tmp_path, tiny, name):
    for person in ("ann", "bob", "cy"):
        for n in range(3):
            paint(f"cls_data/train/{person}/{n}.png")
        paint(f"cls_data/{name}/{person}/v.png")
    train, validation = read_split(tmp_path, tiny())
    assert (len(train), len(validation)) == (9, 3)
    assert [path.name for path in validation.paths] == ["v.png"] * 3
    assert train.names == validation.names
    assert validation_root(tmp_path).name == name
    few, some = read_split(tmp_path, tiny("identities=2"))
    assert few.names == some.names
    assert [some.names[label] for label in some.labels] == [path.parent.name for path in some.paths]


def test_a_packed_validation_set_validates_too(paint, tmp_path, tiny):
    for person in ("ann", "bob", "cy"):
        for n in range(3):
            paint(f"in/train/{person}/{n}.png")
    paint("in/dev/bob/v.png")
    paint("in/dev/cy/v.png")
    pack_folder(tmp_path / "in", tmp_path / "out", (16, 16))
    for packed, plain in zip(read_split(tmp_path / "out", tiny()), read_split(tmp_path / "in", tiny()), strict=True):
        np.testing.assert_array_equal(np.asarray(packed.images), plain.images)
        np.testing.assert_array_equal(packed.labels, plain.labels)


def test_people_of_the_validation_set_whom_nobody_trains_are_named(paint, tmp_path, tiny):
    for part, people in (("train", ("ann", "bob")), ("dev", ("ann", "zoe"))):
        for person in people:
            for n in range(2):
                paint(f"{part}/{person}/{n}.png")
    with pytest.raises(FacesError, match="1 of its people, such as zoe, are not in"):
        read_split(tmp_path, tiny())


def test_a_test_set_may_lie_in_images(paint, tmp_path):
    paint("test/images/1.png")
    assert [path.name for path in find_images(tmp_path / "test")] == ["1.png"]


def test_a_fingerprint_tells_who_is_on_which_image(own_people, tiny):
    whole = read_split(own_people, tiny())[0].fingerprint
    assert read_split(own_people, tiny())[0].fingerprint == whole
    for name in ("anna", "ben"):  # the same file names, but other people
        (own_people / name).rename(own_people / f"{name}-before")
    (own_people / "anna-before").rename(own_people / "ben")
    (own_people / "ben-before").rename(own_people / "anna")
    assert read_split(own_people, tiny())[0].fingerprint == whole  # a fingerprint is of names, not of pixels
    (own_people / "anna").rename(own_people / "abel")
    assert read_split(own_people, tiny())[0].fingerprint != whole


@pytest.mark.parametrize("fewer", [None, 3])
def test_extra_images_keep_their_people(own_people, tiny, tmp_path, fewer):
    """In another order than the training images, of some of the people, and of one who may not be trained on."""
    for name, person in (("b.png", "dan"), ("a.png", "anna"), ("c.png", "chloe"), ("d.png", "anna")):
        (tmp_path / "more" / person).mkdir(parents=True, exist_ok=True)
        shutil.copy(own_people / person / "0.png", tmp_path / "more" / person / name)
    settings = [f"data.extra_images={tmp_path / 'more'}", *([f"identities={fewer}"] if fewer else [])]
    faces, validation = read_split(own_people, tiny(*settings))
    alone = read_split(own_people, tiny(*settings[1:]))[0]
    extra = [path for path in faces.paths if "more" in path.parts]
    assert len(extra) == sum(person in faces.names for person in ("anna", "anna", "chloe", "dan"))
    assert faces.paths[: len(alone)] == alone.paths
    assert [faces.names[label] for label in faces.labels] == [path.parent.name for path in faces.paths]
    for row in range(len(alone), len(faces)):
        original = own_people / faces.paths[row].parent.name / "0.png"
        assert np.array_equal(faces.images[row], load_images([original], (16, 16), "crop")[0])
    assert not any("more" in path.parts for path in validation.paths)


def test_images_of_two_sources_are_read_in_the_order_of_their_numbers():
    images = np.random.default_rng(0).integers(0, 256, (7, 2, 3, 3), np.uint8)

    class Source:
        shape = (3, 2, 3, 3)

        def read(self, rows):
            return images[4:][rows]

    both = LazyImages(ConcatImages(images[:4], Source()))
    assert both.shape == images.shape
    for rows in ([5, 0, 6, 3, 4, 1], [6, 5], [2, 1], [4, 4, 0]):
        np.testing.assert_array_equal(both[np.array(rows)], images[rows])
    np.testing.assert_array_equal(both[5], images[5])
    np.testing.assert_array_equal(np.asarray(both.pick(np.array([6, 2]))), images[[6, 2]])
