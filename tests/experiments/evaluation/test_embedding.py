"""Images reach a network as its own were prepared, or the command stops; thresholds keep what they were made from."""

import json
import shutil
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from PIL import Image

from experiments.data.preparation import AS_THEY_ARE, AlignSettings, Preparation, write_preparation
from experiments.errors import FacesError
from experiments.evaluation.embedding import (
    EmbedOptions,
    files_preparation,
    input_preparation,
    require_distinct,
    require_same_preparation,
)
from experiments.evaluation.gallery.calibrate import calibrate_gallery
from experiments.evaluation.gallery.enroll import enroll
from experiments.evaluation.gallery.identify import choose_threshold, identify
from experiments.evaluation.gallery.store import read_gallery
from experiments.evaluation.match import match_images
from experiments.evaluation.thresholds import THRESHOLDS, read_thresholds
from experiments.evaluation.verification import verify, verify_all_pairs
from experiments.inference.frozen_backbone import open_frozen_backbone, save_frozen_network

ALIGNED = Preparation(detector="mtcnn", template="five-point", size=112, margin=0)
WIDER = Preparation(detector="mtcnn", template="five-point", size=160, margin=0.2)
FOREIGN = Preparation(detector="retinaface", template="five-point", size=112, margin=0)
OPTIONS = EmbedOptions()


@pytest.fixture
def aligned(drawn_faces, tmp_path):
    """The same people, with a record that says they were aligned."""
    folder = shutil.copytree(drawn_faces, tmp_path / "aligned")
    write_preparation(folder, ALIGNED)
    return folder


@pytest.fixture
def own_network(weights, tmp_path):
    """A frozen network with a folder of its own."""
    network = open_frozen_backbone("mobilefacenet", weights, tmp_path / "net")
    (tmp_path / "net").mkdir()
    save_frozen_network(network)
    return network


@pytest.mark.parametrize("expected", [None, AS_THEY_ARE, ALIGNED, WIDER, FOREIGN])
@pytest.mark.parametrize("found", [AS_THEY_ARE, ALIGNED, WIDER, FOREIGN])
def test_files_are_taken_only_where_they_are_prepared_as_the_run_says(network, drawn_faces, tmp_path, expected, found):
    folder = shutil.copytree(drawn_faces / "anna", tmp_path / "people" / "anna")
    write_preparation(tmp_path / "people", found)
    run = replace(network, preparation=expected)
    paths = sorted(folder.iterdir())
    if expected in (None, found):
        assert input_preparation(run, paths, OPTIONS) == found
    else:
        with pytest.raises(FacesError, match="expects images"):
            input_preparation(run, paths, OPTIONS)


@pytest.mark.parametrize("expected", [None, AS_THEY_ARE, ALIGNED, WIDER, FOREIGN])
def test_faces_are_aligned_in_memory_as_the_run_says(network, capsys, expected):
    run, options = replace(network, preparation=expected), EmbedOptions(align=True)
    if expected == FOREIGN:
        with pytest.raises(FacesError, match="--align cannot reproduce: align the images with retinaface"):
            input_preparation(run, [], options)
        return
    found = input_preparation(run, [], options)
    default = AlignSettings(detector="mtcnn").preparation
    assert found == (expected if expected in (ALIGNED, WIDER) else default)
    out = capsys.readouterr().out
    assert ("warning: " in out and "give --no-align" in out) == (expected == AS_THEY_ARE)


def test_images_of_two_preparations_are_not_mixed(aligned, drawn_faces):
    paths = [aligned / "anna" / "anna_0001.png", drawn_faces / "anna" / "anna_0001.png"]
    with pytest.raises(FacesError, match="prepare all images alike"):
        files_preparation(paths, None, "x")
    assert files_preparation(paths[:1], None, "x") == ALIGNED


@pytest.mark.parametrize(
    ("used", "expected", "align", "fine"),
    [
        (ALIGNED, None, True, True), (ALIGNED, ALIGNED, True, True), (ALIGNED, AS_THEY_ARE, True, True),
        (ALIGNED, WIDER, True, False), (AS_THEY_ARE, ALIGNED, False, False), (ALIGNED, AS_THEY_ARE, False, False),
        (AS_THEY_ARE, AS_THEY_ARE, False, True),
    ],
)  # fmt: skip
def test_thresholds_serve_images_prepared_as_theirs(used, expected, align, fine, capsys):
    if fine:
        require_same_preparation(used, expected, "thresholds", align)
        warned = "warning: thresholds comes from images as they are" in capsys.readouterr().out
        assert warned == (align and expected == AS_THEY_ARE)
    else:
        with pytest.raises(FacesError, match="thresholds comes from images"):
            require_same_preparation(used, expected, "thresholds", align)


def all_pairs(folder):
    """Every pair of a folder's images, and whether it is of one person."""
    names = [path.relative_to(folder).as_posix() for path in sorted(folder.rglob("*.png"))]
    return [(a, b, int(a.split("/")[0] == b.split("/")[0])) for a, b in combinations(names, 2)]


def pairs_of(folder, path):
    path.write_text("".join(f"{a} {b} {match}\n" for a, b, match in all_pairs(folder)))
    return path


def test_every_verifying_command_stops_at_unaligned_images_and_writes_nothing(
    own_network, aligned, drawn_faces, tmp_path, monkeypatch
):
    run, pairs = replace(own_network, preparation=ALIGNED), pairs_of(drawn_faces, tmp_path / "pairs.txt")
    verify(run, pairs, aligned, run.folder / "verification", OPTIONS, [0.1], 0)
    enroll(run.folder, aligned, tmp_path / "g", options=OPTIONS)
    before = {path: path.read_bytes() for path in run.folder.rglob("*") if path.is_file()}
    for module in ("verification", "match", "gallery.calibrate", "gallery.enroll", "gallery.identify"):
        monkeypatch.setattr(f"experiments.evaluation.{module}.open_embedder", lambda folder: run)
    photos = [drawn_faces / "anna" / "anna_0001.png", drawn_faces / "anna" / "anna_0002.png"]
    others = tmp_path / "others"
    (others / "eve").mkdir(parents=True)
    Image.open(photos[0]).rotate(180).save(others / "eve" / "1.png")
    for attempt in (
        lambda: verify(
            run, pairs, drawn_faces, run.folder / "verification", OPTIONS, [0.1], 0, replace_thresholds=True
        ),
        lambda: verify_all_pairs(run.folder, drawn_faces, None, OPTIONS),
        lambda: match_images(run.folder, *photos, False, None, tmp_path / "m.png"),
        lambda: enroll(run.folder, drawn_faces, tmp_path / "new", options=OPTIONS),
        lambda: enroll(run.folder, others, tmp_path / "g", add=True),
        lambda: identify(run.folder, tmp_path / "g", photos, threshold=0.5),
        lambda: calibrate_gallery(run.folder, drawn_faces, OPTIONS),
    ):
        with pytest.raises(
            FacesError, match=r"as they are, but .* images aligned.*(faces align|prepare)|leave out --no-align"
        ):
            attempt()
    assert {path: path.read_bytes() for path in run.folder.rglob("*") if path.is_file()} == before
    assert {path.name for path in tmp_path.iterdir()} == {"aligned", "net", "g", "pairs.txt", "others"}


def test_a_gallery_and_thresholds_record_how_their_images_were_prepared(own_network, aligned, drawn_faces, tmp_path):
    verify(own_network, pairs_of(aligned, tmp_path / "p.txt"), aligned, own_network.folder, OPTIONS, [0.1], 0)
    assert read_thresholds(own_network.folder, own_network.fingerprint).preparation == ALIGNED
    stored = json.loads((own_network.folder / "verification.json").read_text())["preparation"]
    assert Preparation.model_validate(stored) == ALIGNED
    enroll(own_network.folder, drawn_faces, tmp_path / "raw", options=OPTIONS)
    enroll(own_network.folder, aligned, tmp_path / "g", options=OPTIONS)
    assert read_gallery(tmp_path / "g").preparation == ALIGNED
    with pytest.raises(FacesError, match=r"the images are as they are, but .*thresholds\.json comes from"):
        choose_threshold(own_network, read_gallery(tmp_path / "raw"), 0.4)
    assert choose_threshold(own_network, read_gallery(tmp_path / "g"), 0.4).value
    with pytest.raises(FacesError, match="the gallery expects images aligned"):
        identify(own_network.folder, tmp_path / "g", [drawn_faces / "anna" / "anna_0001.png"], threshold=0.1)


def test_thresholds_in_use_are_replaced_only_when_asked(own_network, drawn_faces, tmp_path, capsys):
    home, lines = own_network.folder, pairs_of(drawn_faces, tmp_path / "p.txt").read_text().splitlines()
    fewer = tmp_path / "fewer.txt"
    fewer.write_text("\n".join(lines[::2]))
    verify(own_network, tmp_path / "p.txt", drawn_faces, home, OPTIONS, [0.1], 0)
    first = (home / THRESHOLDS).read_bytes()
    verify(own_network, fewer, drawn_faces, tmp_path / "elsewhere", OPTIONS, [0.1], 0)
    assert (home / THRESHOLDS).read_bytes() == first
    assert (tmp_path / "elsewhere" / THRESHOLDS).read_bytes() != first
    assert "--replace-thresholds" in capsys.readouterr().out
    verify(own_network, fewer, drawn_faces, home, OPTIONS, [0.1], 0)
    assert (home / THRESHOLDS).read_bytes() == first
    verify(own_network, fewer, drawn_faces, tmp_path / "elsewhere", OPTIONS, [0.1], 0, replace_thresholds=True)
    assert (home / THRESHOLDS).read_bytes() == (tmp_path / "elsewhere" / THRESHOLDS).read_bytes()


@pytest.mark.parametrize("content", ["{}", "[]", "null", '{"network": 3}', "not json"])
def test_damaged_thresholds_are_refused_and_may_be_replaced(own_network, drawn_faces, tmp_path, content):
    path = own_network.folder / THRESHOLDS
    path.write_text(content)
    with pytest.raises(FacesError, match=r"thresholds\.json: .*faces verify"):
        read_thresholds(own_network.folder, own_network.fingerprint)
    verify(own_network, pairs_of(drawn_faces, tmp_path / "p.txt"), drawn_faces, tmp_path / "o", OPTIONS, [0.1], 0)
    assert read_thresholds(own_network.folder, own_network.fingerprint).impostor == 96


@pytest.mark.parametrize("change", ["value", "far", "network", "strangers"])
def test_an_edited_threshold_is_refused(own_network, drawn_faces, tmp_path, change):
    verify(own_network, pairs_of(drawn_faces, tmp_path / "p.txt"), drawn_faces, tmp_path / "o", OPTIONS, [0.1], 0)
    path = own_network.folder / THRESHOLDS
    stored = json.loads(path.read_text())
    if change in ("value", "far"):
        stored["thresholds"][1][change] /= 2
    else:
        stored[change] = "0" if change == "network" else [0] * 401
    path.write_text(json.dumps(stored))
    with pytest.raises(FacesError, match="changed since it was stored"):
        read_thresholds(own_network.folder, own_network.fingerprint)


@pytest.mark.parametrize("color", [(0, 0, 0), (255, 255, 255), None])
def test_images_that_are_all_the_same_calibrate_nothing(own_network, drawn_faces, tmp_path, color):
    people = shutil.copytree(drawn_faces, tmp_path / "people")
    one = Image.new("RGB", (112, 112), color) if color else Image.open(people / "anna" / "anna_0001.png").copy()
    for path in people.rglob("*.png"):
        one.save(path)
    pairs = pairs_of(people, tmp_path / "p.txt")
    for attempt in (
        lambda: verify(own_network, pairs, people, tmp_path / "out", OPTIONS, [0.1], 0),
        lambda: verify_all_pairs(own_network.folder, people, tmp_path / "out", OPTIONS),
        lambda: calibrate_gallery(own_network.folder, people, OPTIONS),
    ):
        with pytest.raises(FacesError, match="are the images identical or of one color"):
            attempt()
    assert [path.name for path in own_network.folder.iterdir()] == ["network.json"]
    assert not (tmp_path / "out").exists()


def test_pairs_no_better_than_chance_calibrate_nothing(own_network, drawn_faces, tmp_path, capsys):
    pairs = tmp_path / "p.txt"
    pairs.write_text("".join(f"{a} {b} {1 - match}\n" for a, b, match in all_pairs(drawn_faces)))  # all answers wrong
    verify(own_network, pairs, drawn_faces, tmp_path / "out", OPTIONS, [0.1], 0)
    assert "no better than chance" in capsys.readouterr().out
    assert not (own_network.folder / THRESHOLDS).exists()
    assert not (tmp_path / "out" / THRESHOLDS).exists()


def test_embeddings_that_differ_are_distinct():
    same = np.ones((3, 4), np.float32) / 2
    with pytest.raises(FacesError, match="all 3 images are the same"):
        require_distinct(same, "x")
    require_distinct(same[:1], "x")
    require_distinct(np.eye(3), "x")


def test_a_match_is_not_written_over_a_photo(command, own_network, drawn_faces, tmp_path):
    first, second = (shutil.copy(drawn_faces / "anna" / f"anna_000{n}.png", tmp_path / f"{n}.png") for n in (1, 2))
    before = first.read_bytes()
    for verb in ("match", "explain"):
        result = command(verb, own_network.folder, first, second, "--no-align", "--out", first)
        assert (result.status, "which this command reads" in result.err) == (2, True)
    assert first.read_bytes() == before


def test_two_pairs_are_verified(command, own_network, drawn_faces, tmp_path):
    pairs = tmp_path / "p.txt"
    pairs.write_text("anna/anna_0001.png anna/anna_0002.png 1\nanna/anna_0001.png ben/ben_0001.png 0\n")
    common = ["verify", own_network.folder, "--pairs", pairs, "--images", drawn_faces, "--out", tmp_path / "out"]
    for rounds in (0, 20):
        result = command(*common, "--bootstrap", rounds)
        assert (result.status, "EER" in result.out) == (0, True), result.err
        assert ("no intervals: 2 people are too few" in result.out) == bool(rounds)
