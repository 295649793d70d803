"""A pack is the folder that it was made from, bit for bit, whole or not there."""

import hashlib
import json
import os
import pickle
import shutil
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from PIL import ExifTags, Image

from experiments.data import dataset as reading
from experiments.data import pack as packing
from experiments.data import sources as packs
from experiments.data.dataset import read_images, read_split
from experiments.data.folders import find_identities
from experiments.data.images import ImageError, image_size, load_images, read_image
from experiments.data.pack import pack_folder
from experiments.data.sources import ImageFiles, LazyImages, find_images
from experiments.errors import FacesError

SIZE = (16, 16)


def same(one, other):
    np.testing.assert_array_equal(np.asarray(one.images), np.asarray(other.images))
    np.testing.assert_array_equal(one.labels, other.labels)
    assert (one.names, one.fingerprint) == (other.names, other.fingerprint)
    assert [path.name for path in one.paths] == [path.name for path in other.paths]


@pytest.mark.parametrize("settings", [(), ("identities=3",), ("split.seed=4", "data.fit=pad")])
def test_a_pack_reads_as_its_folder(competition, tmp_path, tiny, settings):
    recipe = tiny(*settings)
    pack_folder(competition, tmp_path / "packed", SIZE, recipe.data.fit)
    for packed, plain in zip(read_split(tmp_path / "packed", recipe), read_split(competition, recipe), strict=True):
        assert isinstance(packed.images, LazyImages)
        same(packed, plain)
        same(packed.pick([2, 0, 1]), plain.pick([2, 0, 1]))
        same(pickle.loads(pickle.dumps(packed)), plain)


def test_a_test_set_read_in_parts_is_opened_once_and_anew_when_it_was_packed_again(
    competition, tmp_path, tiny, monkeypatch
):
    opened, open_pack = [], packs.open_pack
    monkeypatch.setattr(packs, "open_pack", lambda *wanted: opened.append(1) or open_pack(*wanted))
    for color in (10, 200):
        Image.new("RGB", (30, 20), (color, 0, 0)).save(competition / "test" / "1.png")
        pack_folder(competition, tmp_path / "packed", SIZE)
        paths = find_images(tmp_path / "packed" / "test")
        opened.clear()
        first, *others = [read_images([path], tiny().data) for path in paths]
        assert first[0, 0, 0, 0] == color
        assert len(others) == 2
        assert len(opened) == 1
        shutil.rmtree(tmp_path / "packed")


def test_a_competition_without_test_images_has_no_such_part(competition, tmp_path):
    for path in (competition / "test").iterdir():
        path.unlink()
    assert pack_folder(competition, tmp_path / "packed", SIZE).counts == {"train": 24}


def test_the_test_set_is_read_from_the_pack_too(competition, tmp_path, tiny):
    pack_folder(competition, tmp_path / "packed", SIZE)
    plain = find_images(competition / "test")
    for place in (tmp_path / "packed", tmp_path / "packed" / "test"):
        packed = find_images(place)
        assert [path.name for path in packed] == [path.name for path in plain] == ["1.png", "2.png", "10.png"]
        np.testing.assert_array_equal(read_images(packed[1:], tiny().data), read_images(plain[1:], tiny().data))
    assert (tmp_path / "packed" / "sample_submission.csv").is_file()


@pytest.mark.parametrize("cut", [1, 100, 16 * 16 * 3 * 5])
def test_a_pack_that_was_cut_off_is_refused(competition, tmp_path, tiny, cut):
    pack_folder(competition, tmp_path / "packed", SIZE)
    pixels = tmp_path / "packed" / "train.npy"
    pixels.write_bytes(pixels.read_bytes()[:-cut])
    with pytest.raises(FacesError, match=r"train\.npy: is .* bytes long, expected .*: remove it and pack again"):
        read_split(tmp_path / "packed", tiny())


@pytest.mark.parametrize(
    ("name", "change", "named"),
    [
        ("train.npy", lambda text: b"not pixels", "its pixels cannot be read"),
        ("train.csv", lambda text: b"\n".join(text.splitlines()[:-1]), "has 23 rows, expected 24"),
        ("train.csv", lambda text: text.replace(b",anna", b",zoe"), "is not as it was packed"),
        ("pack.json", lambda text: b"{", "cannot be read as JSON"),
        ("pack.json", lambda text: b"[]", "holds a list, expected an object: remove it and pack again"),
    ],
)
def test_a_pack_with_other_files_is_refused(competition, tmp_path, tiny, name, change, named):
    pack_folder(competition, tmp_path / "packed", SIZE)
    file = tmp_path / "packed" / name
    file.write_bytes(change(file.read_bytes()))
    with pytest.raises(FacesError, match=named):
        read_split(tmp_path / "packed", tiny())


def test_a_pack_of_another_size_says_what_to_do(competition, tmp_path, tiny):
    pack_folder(competition, tmp_path / "packed", (24, 24))
    with pytest.raises(FacesError, match=r"packed at 24 x 24 .* set data\.size=\[24,24\]"):
        read_split(tmp_path / "packed", tiny())
    with pytest.raises(FacesError, match=r"with fit crop, but 24 x 24 with pad is wanted"):
        read_split(tmp_path / "packed", tiny("data.size=[24,24]", "data.fit=pad"))


def test_a_corrupt_image_stops_or_is_left_out_and_listed(competition, tmp_path, contents):
    bad = competition / "train" / "ben" / "2.png"
    bad.write_bytes(bad.read_bytes()[:60])
    before = contents(tmp_path)
    with pytest.raises(ImageError, match=r"ben/2\.png"):
        pack_folder(competition, tmp_path / "packed", SIZE)
    assert contents(tmp_path) == before
    info = pack_folder(competition, tmp_path / "packed", SIZE, on_bad_image="skip")
    assert info.counts == {"train": 23, "test": 3}
    assert len(info.left_out) == 1
    assert str(bad) in info.left_out[0]
    assert json.loads((tmp_path / "packed" / "pack.json").read_text())["left_out"] == list(info.left_out)
    bad.unlink()
    people = find_identities(competition)
    packed = packs.open_pack(tmp_path / "packed", "train")
    np.testing.assert_array_equal(packed.images[:], load_images(people.paths, SIZE, "crop"))
    assert packed.people.labels.tolist() == people.labels.tolist()
    below = [path.relative_to(packed.people.root).as_posix() for path in packed.paths]
    assert below == [path.relative_to(people.root).as_posix() for path in people.paths]


def test_a_full_disk_is_said_before_anything_is_decoded(competition, tmp_path, monkeypatch, contents):
    before = contents(tmp_path)
    monkeypatch.setattr(packing.shutil, "disk_usage", lambda path: SimpleNamespace(free=20_000))
    with pytest.raises(FacesError, match=r"the images need 0\.00 GB, but the disk has 0\.00 GB free: make room"):
        pack_folder(competition, tmp_path / "packed", SIZE)
    assert contents(tmp_path) == before


def test_what_stands_at_the_place_is_left_alone(competition, tmp_path):
    (tmp_path / "packed").mkdir()
    (tmp_path / "packed" / "mine").touch()
    with pytest.raises(FacesError, match="exists already"):
        pack_folder(competition, tmp_path / "packed", SIZE)


def test_files_read_when_wanted_are_those_read_at_once(people, tiny, monkeypatch):
    whole = read_split(people, tiny())
    monkeypatch.setattr(reading, "IN_MEMORY", 100)
    for lazy, plain in zip(read_split(people, tiny()), whole, strict=True):
        assert isinstance(lazy.images, LazyImages)
        same(lazy, plain)


def test_images_are_indexed_as_an_array_is(people):
    paths = sorted(people.glob("*/*.png"))[:9]
    array, lazy = load_images(paths, SIZE, "crop"), LazyImages(ImageFiles(paths, SIZE, "crop"))
    assert (lazy.shape, len(lazy), lazy.dtype, lazy.nbytes) == (array.shape, 9, array.dtype, array.nbytes)
    for index in (0, -1, slice(2, 7, 2), [4, 4, 0], np.array([True] + [False] * 8), slice(3, 3)):
        np.testing.assert_array_equal(lazy[index], array[index])
    assert len(list(lazy)) == 9
    with pytest.raises(IndexError):
        lazy[9]


def test_a_corrupt_image_is_named_when_it_is_wanted_and_not_before(own_people, tiny, monkeypatch):
    monkeypatch.setattr(reading, "IN_MEMORY", 100)
    (own_people / "dan" / "0.png").write_bytes(b"")
    halves = read_split(own_people, tiny())
    (bad,) = [
        (half, row) for half in halves for row, path in enumerate(half.paths) if path.parts[-2:] == ("dan", "0.png")
    ]
    with pytest.raises(ImageError, match=r"dan/0\.png: is empty"):
        bad[0].images[[bad[1]]]


def test_the_command_packs_and_says_how_much(command, competition, tmp_path):
    result = command("data", "pack", competition, tmp_path / "packed", "--size", 16)
    assert result.status == 0
    assert "train 24, test 3" in result.out


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)


@given(change=st.dictionaries(st.sampled_from(["version", "size", "fit", "parts", "left_out", "digest", "more"]), JSON))
def test_a_pack_json_of_another_shape_is_refused_with_the_remedy(tmp_path_factory, change):
    folder = tmp_path_factory.mktemp("packed")
    part = packs.PackedPartInfo(images=1, table="0")
    packs.PackInfo(version=2, size=SIZE, fit="crop", parts={"train": part}).write(folder / "pack.json")
    stored = json.loads((folder / "pack.json").read_text())
    assume(any(stored.get(key) != value for key, value in change.items()))
    (folder / "pack.json").write_text(json.dumps({**stored, **change}))
    for read in (packs.pack_parts, lambda pack: packs.open_pack(pack, "train")):
        with pytest.raises(FacesError, match=r"pack\.json: .*remove it and pack again"):
            read(folder)


@pytest.mark.parametrize("path", ["../../secret.png", "/etc/passwd", "."])
def test_a_table_that_leads_out_of_the_pack_is_refused(competition, tmp_path, path):
    info = pack_folder(competition, tmp_path / "packed", SIZE)
    table = tmp_path / "packed" / "test.csv"
    table.write_text(table.read_text().replace("10.png", path))
    part = info.parts["test"].model_copy(
        update={"table": hashlib.blake2b(table.read_bytes(), digest_size=16).hexdigest()}
    )
    info.model_copy(update={"parts": {**info.parts, "test": part}}).write(tmp_path / "packed" / "pack.json")
    with pytest.raises(FacesError, match="leads out of the pack"):
        find_images(tmp_path / "packed")


@pytest.mark.parametrize(("sizes", "packed"), [([(112, 112)], 112), ([(112, 112), (90, 90)], 160), ([(90, 112)], 160)])
def test_without_a_size_that_of_the_images_is_taken(tmp_path, paint, sizes, packed):
    for number in range(8):
        paint(f"in/{'ab'[number % 2]}/{number}.png", size=sizes[number % len(sizes)])
    assert pack_folder(tmp_path / "in", tmp_path / "out").size == (packed, packed)


def test_the_size_of_a_turned_image_is_that_upright(tmp_path):
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    Image.new("RGB", (30, 20)).save(tmp_path / "a.jpg", exif=exif)
    assert image_size(tmp_path / "a.jpg") == read_image(tmp_path / "a.jpg").shape[:2] == (30, 20)


def test_people_and_files_may_be_called_anything(tmp_path, paint):
    names = ["=cmd()", " =1", "a,b", 'quo"te', "'x", "-5", "José", "new\nline", "\r@x"]
    for name in names:
        paint(f"in/{name}/{name}.png")
    pack_folder(tmp_path / "in", tmp_path / "out", SIZE)
    people = packs.open_pack(tmp_path / "out", "train").people
    found = find_identities(tmp_path / "in")
    assert people.names == found.names
    assert [path.name for path in people.paths] == [path.name for path in found.paths]
    assert people.labels.tolist() == found.labels.tolist()


def test_of_two_commands_that_write_one_pack_the_second_is_refused(competition, tmp_path, start):
    slow = "import experiments.data.pack as p, time; f = p._decode_images\n"
    slow += "p._decode_images = lambda *a: (time.sleep(0.1) or one for one in f(*a))"
    commands = [start(["data", "pack", competition, tmp_path / "packed", "--size", 16], slow) for _ in range(2)]
    ended = [(process.communicate()[1], process.returncode) for process in commands]
    assert sorted(status for _, status in ended) == [0, 2]
    assert next(error for error, status in ended if status).count("exists already") == 1
    assert packs.open_pack(tmp_path / "packed", "train").people.names
    assert not list(tmp_path.glob(".packed*"))


def test_what_a_killed_pack_left_is_removed_by_the_next(competition, tmp_path):
    (tmp_path / ".packed.0123abcd").mkdir()
    (tmp_path / ".packed.0123abcd" / "train.npy").write_bytes(b"half")
    (tmp_path / ".packed2.0123abcd").mkdir()
    pack_folder(competition, tmp_path / "packed", SIZE)
    assert [path.name for path in tmp_path.glob(".packed*")] == [".packed2.0123abcd"]


def test_a_table_that_is_no_file_or_leads_out_is_not_copied(competition, tmp_path, tmp_path_factory):
    os.mkfifo(competition / "pipe.csv")
    pack_folder(competition, tmp_path / "packed", SIZE)
    assert not (tmp_path / "packed" / "pipe.csv").exists()
    secret = tmp_path_factory.mktemp("elsewhere") / "secret.csv"
    secret.write_text("secret")
    (competition / "link.csv").symlink_to(secret)
    with pytest.raises(FacesError, match=r"link\.csv: is a link that leads out of"):
        pack_folder(competition, tmp_path / "again", SIZE)
    assert not (tmp_path / "again").exists()


@pytest.mark.parametrize("change", [b"", b"x"])
def test_pixels_that_were_cut_off_or_grew_are_refused(competition, tmp_path, change):
    pack_folder(competition, tmp_path / "packed", SIZE)
    file = tmp_path / "packed" / "train.npy"
    content = file.read_bytes()
    file.write_bytes(content + change if change else content[:-1])
    with pytest.raises(FacesError, match=r"train\.npy: is [\d,]+ bytes long, expected [\d,]+.*pack again"):
        packs.open_pack(tmp_path / "packed", "train")
