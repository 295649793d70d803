"""Thresholds of a gallery that keep what they promise, and photos that are identified."""

import json
import os
import shutil

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from experiments.data.photo_files import expand_photos
from experiments.data.synthetic.identity import draw_identity
from experiments.data.synthetic.render import draw_image
from experiments.errors import FacesError
from experiments.evaluation.embedding import EmbedOptions
from experiments.evaluation.gallery.calibrate import SEARCHES, calibrate_searches
from experiments.evaluation.gallery.enroll import enroll
from experiments.evaluation.gallery.identify import choose_threshold, identify
from experiments.evaluation.gallery.snapshot import Gallery
from experiments.evaluation.thresholds import THRESHOLDS, calibrate_thresholds
from experiments.inference.embedder import Embedder, normalize_embeddings

ABOUT = {"network": "net", "flip": True, "zooms": (1.0,)}


def draw(people: int, each: int, noise: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(people), each)
    centers = rng.standard_normal((people, 16)) + 0.5
    return normalize_embeddings(centers[labels] + noise * rng.standard_normal((len(labels), 16))), labels


def gallery_of(people: int, seed: int = 0) -> Gallery:
    vectors, labels = draw(people, 2, 0.5, seed)
    rows = tuple(str(n) for n in range(len(labels)))
    return Gallery(vectors, tuple(f"p{n}" for n in labels), rows, rows, "net", EmbedOptions())


@pytest.fixture
def embedder(tmp_path):
    """A network's folder without a network: thresholds need no images."""
    return Embedder("net", tmp_path, "net", (112, 112), lambda images, flip: images)


def calibrate_pairs(folder, impostors: int, fars=(0.1, 0.01, 0.001)):
    rng = np.random.default_rng(0)
    scores, matches = rng.normal(0, 0.2, impostors + 50).clip(-1, 1), np.arange(impostors + 50) >= impostors
    calibrate_thresholds(scores + 0.5 * matches, matches, fars, pairs="p", **ABOUT).write(folder / THRESHOLDS)


@settings(max_examples=40)
@given(st.integers(3, 60), st.integers(1, 80), st.sampled_from([0.5, 0.1, 0.03, 0.01, 1e-3]), st.integers(0, 99))
def test_a_far_is_refused_or_kept_and_what_is_suggested_is_taken(tmp_path_factory, people, size, far, seed):
    folder = tmp_path_factory.mktemp("net")
    embedder = Embedder("net", folder, "net", (112, 112), lambda images, flip: images)
    vectors, labels = draw(people, 3, 0.5, seed)
    searches = calibrate_searches(vectors, labels, source="s", **ABOUT)
    searches.write(folder / SEARCHES)
    gallery = gallery_of(size, seed)
    if far >= searches.min_far(size):
        found = choose_threshold(embedder, gallery, far)
        assert far * people >= 1 - 1e-9
        step = round((min(found.value, 1.0) + 1) * 200)
        assert found.value > 1 or searches.rates(size)[step] <= far
        return
    with pytest.raises(FacesError, match="--allow-laxer") as refused:
        choose_threshold(embedder, gallery, far)
    lax = choose_threshold(embedder, gallery, far, allow_laxer=True)
    if "give --far " in str(refused.value):
        suggested = float(str(refused.value).split("give --far ")[1].split(",")[0])
        assert far < suggested < 1
        assert choose_threshold(embedder, gallery, suggested).value <= lax.value


@pytest.mark.parametrize(("size", "far", "name"), [(1, 0.1, "FAR 0.1"), (10, 0.1, "FAR 0.01"), (100, 0.1, "FAR 0.001")])
def test_pairs_support_a_far_divided_by_the_people(embedder, tmp_path, size, far, name):
    calibrate_pairs(tmp_path, 1000)
    assert choose_threshold(embedder, gallery_of(size), far).basis.startswith(f"{name} of single comparisons")


@pytest.mark.parametrize(("size", "far"), [(2, 1e-3), (11, 0.01), (101, 0.1), (5000, 0.5)])
def test_pairs_too_few_for_a_far_are_refused(embedder, tmp_path, size, far):
    calibrate_pairs(tmp_path, 1000)
    with pytest.raises(
        FacesError, match="calibrated on 1,000 pairs of different people, too few to measure it"
    ) as found:
        choose_threshold(embedder, gallery_of(size), far)
    smallest = 0.001 * size
    assert ("give --far" in str(found.value)) == (smallest < 1)
    if smallest < 1:
        suggested = float(str(found.value).split("give --far ")[1].split(",")[0])
        assert suggested == pytest.approx(smallest, rel=0.1)
        assert choose_threshold(embedder, gallery_of(size), suggested).basis.startswith("FAR 0.001")
    lax = choose_threshold(embedder, gallery_of(size), far, allow_laxer=True)
    assert lax.basis.startswith("FAR 0.001")


def test_a_calibration_without_fars_supports_none(embedder, tmp_path):
    calibrate_pairs(tmp_path, 5, fars=())
    with pytest.raises(FacesError, match="they support none"):
        choose_threshold(embedder, gallery_of(2), 0.5)
    assert choose_threshold(embedder, gallery_of(2), 0.5, allow_laxer=True).basis.startswith("EER")


def test_no_more_strangers_are_named_than_the_far_that_was_accepted(embedder, tmp_path):
    vectors, labels = draw(400, 3, 0.6, 1)
    calibrate_searches(vectors, labels, source="s", **ABOUT).write(tmp_path / SEARCHES)
    gallery = gallery_of(20, 2)
    threshold = choose_threshold(embedder, gallery, 0.02).value
    strangers, _ = draw(1000, 1, 0.6, 3)
    named = (strangers.astype(float) @ gallery.templates().T).max(1) >= threshold
    assert named.mean() < 0.04


@pytest.mark.parametrize(("people", "size", "expected"), [(50, 49, 0.02), (50, 50, 0.0204), (50, 490, 0.2)])
def test_the_smallest_far_of_a_calibration(people, size, expected):
    vectors, labels = draw(people, 3, 0.5, 0)
    searches = calibrate_searches(vectors, labels, source="s", **ABOUT)
    assert searches.min_far(size) == pytest.approx(expected, rel=0.01)


@given(st.integers(3, 12), st.integers(1, 200))
def test_rates_are_those_of_the_smallest_size_tried_that_is_large_enough(people, size):
    vectors, labels = draw(people, 2, 0.5, 0)
    searches = calibrate_searches(vectors, labels, source="s", **ABOUT)
    fitting = [row for tried, row in zip(searches.sizes, searches.named, strict=True) if tried >= size]
    expected = fitting[0] if fitting else np.minimum(size * np.array(searches.named[0]), 1)
    np.testing.assert_allclose(searches.rates(size), expected)


@pytest.mark.parametrize("most", [1, 2, 3])
def test_a_template_is_of_exactly_so_many_images(most):
    """With one image per template, each template is one of the person's own images; with all, their mean."""
    vectors, labels = draw(5, 3, 1.0, 0)
    alone = calibrate_searches(vectors, labels, most, source="s", **ABOUT)
    order = np.random.default_rng(0).permutation(len(labels))
    chosen = [[n for n in order if labels[n] == person][:most] for person in range(5)]
    templates = normalize_embeddings(np.stack([vectors[rows].astype(float).sum(0) for rows in chosen])).astype(float)
    scores = vectors.astype(float) @ templates.T
    strangers = scores[np.arange(15)[:, None], [[p for p in range(5) if p != own] for own in labels]]
    for place in range(13, 400, 31):
        low, high = ((strangers.max(1) >= np.linspace(-1, 1, 401)[place] + by).mean() for by in (1e-6, -1e-6))
        assert low - 1e-8 <= alone.named[-1][place] <= high + 1e-8


def test_folders_of_photos_are_searched(network, drawn_faces, tmp_path):
    out = tmp_path / "g"
    enroll(network.folder, drawn_faces, out, options=EmbedOptions())
    found = identify(network.folder, out, [drawn_faces / "anna", drawn_faces / "ben" / "ben_0001.png"], threshold=0.0)
    assert [answer.name for answer in found.answers] == ["anna"] * 4 + ["ben"]
    (tmp_path / "empty").mkdir()
    with pytest.raises(FacesError, match="no images in it or its folders"):
        identify(network.folder, out, [tmp_path / "empty"], threshold=0.0)


def test_photos_that_are_missing_or_no_files(tmp_path):
    with pytest.raises(FacesError, match=r"none\.jpg: no such photo \(1 of 1"):
        expand_photos([tmp_path / "none.jpg"])
    os.mkfifo(tmp_path / "pipe.jpg")
    with pytest.raises(FacesError, match=r"pipe\.jpg: not a regular file"):
        expand_photos([tmp_path / "pipe.jpg"])
    os.close(os.open(os.fsencode(tmp_path) + b"/caf\xe9.jpg", os.O_CREAT))
    with pytest.raises(FacesError, match="is not UTF-8"):
        expand_photos([tmp_path / os.fsdecode(b"caf\xe9.jpg")])


def test_answers_are_not_written_over_a_photo_or_the_gallery(network, drawn_faces, tmp_path):
    out, people = tmp_path / "g", shutil.copytree(drawn_faces, tmp_path / "people")
    enroll(network.folder, people, out, options=EmbedOptions())
    photo = people / "anna" / "anna_0001.png"
    for target in (photo, out):
        before = target.read_bytes()
        with pytest.raises(FacesError, match="which this command reads"):
            identify(network.folder, out, [photo], threshold=0.0, out=target)
        assert target.read_bytes() == before


@pytest.fixture(scope="module")
def people(network, tmp_path_factory):
    """A gallery of two people whose faces were detected."""
    folder = tmp_path_factory.mktemp("people")
    for person in (0, 3):
        (folder / "faces" / f"p{person}").mkdir(parents=True)
        for image in (0, 1):
            drawn = Image.fromarray(draw_image(draw_identity(0, person), 0, image, 300))
            drawn.save(folder / "faces" / f"p{person}" / f"{image}.png")
    enroll(network.folder, folder / "faces", folder / "g", options=EmbedOptions(align=True))
    return folder / "g"


def test_every_face_of_a_group_photo_is_named_listed_and_drawn(command, network, people, group_photo, tmp_path):
    photo, out, drawn = group_photo([(0, 0, 300), (3, 1, 260), (5, 0, 280)]), tmp_path / "a.csv", tmp_path / "drawn"
    asked = ("identify", network.folder, people, photo, "--threshold", -1, "--top", 2)
    done = command(*asked, "--out", out, "--annotate", drawn)
    assert done.status == 0, done.err
    assert f"{photo}: 3 faces" in done.out
    table = pd.read_csv(out)
    assert sorted(zip(table.face, table["rank"], strict=True)) == [(n, r) for n in (1, 2, 3) for r in (1, 2)]
    assert (table[table["rank"] == 1].candidate == table[table["rank"] == 1].name).all()
    assert (table.right > table.left).all()
    with Image.open(drawn / f"{photo.stem}.jpg") as image, Image.open(photo) as plain:
        assert image.size[0] / image.size[1] == pytest.approx(plain.size[0] / plain.size[1], rel=0.01)
    found = json.loads(command(*asked, "--json").out)
    assert [len(face["candidates"]) for face in found["photos"][0]["faces"]] == [2, 2, 2]
    alone = json.loads(command(*asked, "--json", "--largest").out)["photos"][0]["faces"]
    assert [face["box"] for face in alone] in [[face["box"]] for face in found["photos"][0]["faces"]]


def test_strangers_have_no_name_and_a_photo_without_a_face_no_answer(command, network, people, group_photo, tmp_path):
    photo, empty = group_photo([(0, 0, 300), (3, 1, 260)]), tmp_path / "empty.png"
    Image.new("RGB", (320, 240), "gray").save(empty)
    asked = ("identify", network.folder, people, photo, empty, "--threshold", 1.01)
    lines = command(*asked).out
    assert lines.count("unknown (") == 2
    assert f"{empty}: unknown; no face found" in lines
    first, second = json.loads(command(*asked, "--json").out)["photos"]
    assert [face["name"] for face in first["faces"]] == [None, None]
    assert second == {"photo": str(empty), "faces": []}


def test_boxes_need_a_gallery_of_detected_faces(network, drawn_faces, tmp_path):
    enroll(network.folder, drawn_faces, tmp_path / "g", options=EmbedOptions())
    photo = drawn_faces / "anna" / "anna_0001.png"
    with pytest.raises(FacesError, match="taken as they are, without detection"):
        identify(network.folder, tmp_path / "g", [photo], threshold=0.0, annotate=tmp_path / "drawn")
    assert not (tmp_path / "drawn").exists()
