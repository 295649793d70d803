"""Links in a folder of data: every command refuses the same ones, and counts the same images."""

import os
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from experiments.data.align.records import list_images
from experiments.data.check import check_folder
from experiments.data.folders import files_under, find_identities
from experiments.data.photo_files import expand_photos
from experiments.errors import FacesError
from experiments.evaluation.gallery.enroll import find_photos

TARGETS = (
    "people/ann/1.png", "people/ann/none.png", "people/.cache/9.png", "disk/carl/1.png", "/dev/null", "pipe",
    "people", "people/bob", "disk/carl", "disk", ".", "/dev", "itself",
)  # fmt: skip
PLACES = ("ann/link.png", "bob/link.png", "link", "bob/link")
COMMANDS = {
    "train": lambda people: find_identities(people).paths,
    "enroll": lambda people: [photo.path for photo in find_photos(people)],
    "align": lambda people: [people / name for name in list_images(people, "png")],
    "identify": lambda people: expand_photos([people]),
    "tables": lambda people: [path for path in files_under(people) if path.suffix == ".png"],
}


def build(base: Path) -> Path:
    """Two people with two images each, a hidden cache of images, and another person on another disk."""
    for number, name in enumerate(("ann/1", "ann/2", "bob/1", "bob/2", ".cache/9", "../disk/carl/1")):
        path = base / "people" / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8), (40 * number, 0, 0)).save(path)
    os.mkfifo(base / "pipe")
    return base / "people"


def is_refused(target: str) -> bool:
    """By the targets' names alone: every folder, and files outside of people/."""
    return target in TARGETS[6:12] or target == "disk/carl/1.png"


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.sampled_from(PLACES), st.sampled_from(TARGETS), max_size=3))
def test_all_commands_refuse_the_same_links(links):
    with TemporaryDirectory() as made:
        base = Path(made).resolve()
        people = build(base)
        expected = {people / name for name in ("ann/1.png", "ann/2.png", "bob/1.png", "bob/2.png")}
        for place, target in links.items():
            path = people / place
            path.symlink_to(path if target == "itself" else base / target)
        # A link without the suffix of an image that leads nowhere or to a file is no image, wherever it is.
        images = {people / place for place, target in links.items() if place.endswith(".png")
                  and target in ("people/ann/1.png", "people/.cache/9.png")}  # fmt: skip
        refused = {place for place, target in links.items() if is_refused(target)}
        problems = "\n".join(check_folder(people).summary(limit=99))
        for name, command in COMMANDS.items():
            # Commands that read people do not look at what is neither a person's folder nor an image in one.
            looked_at = {place for place in refused if name not in ("train", "enroll") or _is_listed(place, links)}
            if looked_at:
                with pytest.raises(FacesError, match=r"is a link .*: put the \w+ itself there, or remove the link"):
                    command(people)
            elif name == "align":  # it lists what is no file, to say that it cannot be read
                assert expected | images <= set(command(people))
            else:
                assert set(command(people)) == expected | images
        for place in refused:
            assert f"{people / place}: is a link" in problems
        assert ("no problems" in problems or "but:" in problems) == (
            not refused and all(t in ("people/ann/1.png", "people/.cache/9.png") for t in links.values())
        )


def _is_listed(place: str, links: dict[str, str]) -> bool:
    """Whether training looks at a link: a folder among the people, or an image in a person's folder."""
    return links[place] in TARGETS[6:12] if place == "link" else place.endswith(".png")


@pytest.mark.parametrize("part", ["train", "test", "train/images", "cls_data"])
def test_parts_may_be_links_to_another_disk(tmp_path, part):
    disk, data = tmp_path / "disk", tmp_path / "data"
    build(disk)
    data.mkdir()
    if part == "train/images":
        (data / "train").mkdir()
        (data / part).symlink_to(disk / "people" / "ann")
        (data / "train" / "labels.txt").write_text("1.png a\n2.png b\n")
    elif part == "cls_data":
        (disk / "train").symlink_to("people")
        (data / part).symlink_to(disk)
    elif part == "test":
        (data / "train").symlink_to(disk / "people")
        (data / part).symlink_to(disk / "people" / "ann")
    else:
        (data / part).symlink_to(disk / "people")
    found = set(find_identities(data).paths)
    assert found <= set(files_under(data))
    assert len(found) == (2 if part == "train/images" else 4)
    assert not [one for one in check_folder(data).problems if ": is a link" in "".join(one.places)]


def test_a_loop_of_parts_is_entered_once(tmp_path):
    people = build(tmp_path)
    (people / "train").symlink_to(people)
    assert len([path for path in files_under(people) if path.suffix == ".png"]) == 4


def test_the_folder_itself_may_be_a_link(tmp_path):
    people = build(tmp_path)
    (tmp_path / "link").symlink_to(people)
    assert len(find_identities(tmp_path / "link")) == len(find_identities(people)) == 4


def test_parts_are_followed_no_deeper_than_data_sets_go(tmp_path):
    """Else links between parts could make more paths than anybody can list."""
    people, deep = build(tmp_path), tmp_path / "people" / "train" / "dev" / "val"
    deep.mkdir(parents=True)
    (deep / "test").symlink_to(tmp_path / "disk")
    with pytest.raises(FacesError, match=r"val/test: is a link to a folder"):
        list(files_under(people))
