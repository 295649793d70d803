import csv
import json
import shutil

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from experiments.errors import FacesError
from experiments.evaluation.embedding import EmbedOptions
from experiments.evaluation.gallery.enroll import QualityGate
from experiments.evaluation.gallery.identify import UNKNOWN, choose_threshold, name_probes
from experiments.evaluation.gallery.index import TemplateIndex, nearest_exact
from experiments.evaluation.gallery.leave_one_out import leave_one_out
from experiments.evaluation.gallery.snapshot import Gallery
from experiments.evaluation.gallery.store import read_gallery
from experiments.evaluation.verification import verify
from experiments.inference.embedder import normalize_embeddings

OPTIONS = EmbedOptions(zooms=(1.0, 1.1))


def made_up(
    people: int = 5, each: int = 3, noise: float = 0.2, seed: int = 0, options: EmbedOptions = OPTIONS
) -> Gallery:
    rng = np.random.default_rng(seed)
    centers = rng.standard_normal((people, 16))
    numbers = np.repeat(np.arange(people), each)
    vectors = normalize_embeddings(centers[numbers] + noise * rng.standard_normal((len(numbers), 16)))
    names = tuple(f"person {n}" for n in numbers)
    images, digests = (tuple(form.format(n) for n in range(len(numbers))) for form in ("{}.jpg", "d{}"))
    return Gallery(vectors, names, images, digests, "net", options)


@pytest.fixture(scope="module")
def calibrated(network, pairs_file, drawn_faces):
    """The frozen network's folder with thresholds."""
    options = EmbedOptions()
    verify(network, pairs_file, drawn_faces, network.folder, options, [0.1, 0.02], 0, replace_thresholds=True)
    return network.folder


@given(st.integers(1, 6), st.integers(1, 4), st.integers(0, 100))
def test_a_template_is_the_direction_of_the_mean(people, each, seed):
    gallery = made_up(people, each, seed=seed)
    for row, name in zip(gallery.templates(), gallery.names, strict=True):
        own = gallery.embeddings[[person == name for person in gallery.people]].mean(0)
        np.testing.assert_allclose(row, own / np.linalg.norm(own), atol=1e-6)


def test_people_are_removed_and_added(tmp_path):
    gallery = made_up()
    fewer = gallery.without(["person 1", "person 3"])
    assert fewer.names == ("person 0", "person 2", "person 4")
    back = fewer.with_more(gallery.embeddings[3:6], gallery.people[3:6], gallery.images[3:6], gallery.digests[3:6])
    assert back.names == ("person 0", "person 1", "person 2", "person 4")
    np.testing.assert_allclose(back.templates()[1], gallery.templates()[1])
    with pytest.raises(FacesError, match=r"'nobody else' is not in the gallery.*person 0, person 1"):
        gallery.without(["nobody else"])
    with pytest.raises(FacesError, match="the gallery would be empty"):
        gallery.without(gallery.names)


@given(st.integers(1, 40), st.integers(1, 9), st.integers(0, 1000))
def test_the_nearest_are_those_of_a_full_sort(people, most, seed):
    rng = np.random.default_rng(seed)
    templates, probes = (rng.standard_normal((n, 8)).astype(np.float32) for n in (people, 5))
    scores, rows = nearest_exact(templates, probes, most)
    table = probes @ templates.T
    np.testing.assert_array_equal(rows, np.argsort(-table, axis=1)[:, :most])
    np.testing.assert_allclose(scores, -np.sort(-table, axis=1)[:, :most])


def test_faiss_finds_the_same():
    pytest.importorskip("faiss")
    gallery = made_up(300, 1)
    index = TemplateIndex(16)
    index.fill(gallery.images, gallery.embeddings)
    exact, graph = (index.search(gallery.embeddings[:50], 3, approximate) for approximate in (False, True))
    assert [row[0][0] for row in exact] == [row[0][0] for row in graph] == list(gallery.images[:50])
    same = [
        one[0] == other[0] for row, near in zip(exact, graph, strict=True) for one, other in zip(row, near, strict=True)
    ]
    assert np.mean(same) > 0.95
    np.testing.assert_allclose([row[0][1] for row in exact], [row[0][1] for row in graph], atol=1e-6)


def test_below_the_threshold_it_is_nobody():
    gallery = made_up()
    ((name, candidates),) = name_probes(gallery, gallery.embeddings[:1], 0.5, top=9)
    assert name == candidates[0][0] == "person 0"
    assert [score for _, score in candidates] == sorted((score for _, score in candidates), reverse=True)
    assert len(candidates) == 5
    assert name_probes(gallery, gallery.embeddings[:1], 1.01)[0][0] == UNKNOWN


def test_leaving_one_out_is_enrolling_the_others():
    gallery = made_up(4, 3, noise=1.0)
    left = leave_one_out(gallery)
    for row, name in enumerate(gallery.people):
        without = gallery.pick([other for other in range(12) if other != row])
        ((_, candidates),) = name_probes(without, gallery.embeddings[row : row + 1], 0, top=4)
        assert left.ranks[row] == 1 + [who for who, _ in candidates].index(name)
        strangers = gallery.without([name])
        ((_, candidates),) = name_probes(strangers, gallery.embeddings[row : row + 1], 0)
        assert left.scores.strangers[row] == pytest.approx(candidates[0][1], abs=1e-6)


@given(st.integers(2, 5), st.integers(2, 4), st.integers(0, 1000))
def test_a_left_out_images_similarity_is_its_score_in_a_gallery_enrolled_without_it(people, each, seed):
    gallery = made_up(people, each, noise=1.0, seed=seed)
    left = leave_one_out(gallery)
    for row, name in enumerate(gallery.people):
        without = gallery.pick([other for other in range(people * each) if other != row])
        for place, person in enumerate(gallery.names):
            own = without.embeddings[[other == person for other in without.people]].astype(float).sum(0)
            expected = gallery.embeddings[row].astype(float) @ (own / np.linalg.norm(own))
            assert left.similarity[row, place] == pytest.approx(expected, abs=1e-5)
        own_score = left.similarity[row, gallery.names.index(name)]
        best = left.similarity[row].max()
        assert left.scores.right[row] == (pytest.approx(best) if own_score == best else -np.inf)


@given(st.integers(1, 5), st.integers(0, 1000))
def test_a_probe_exactly_at_the_threshold_is_named(people, seed):
    gallery = made_up(people, 1, seed=seed)
    ((_, candidates),) = name_probes(gallery, gallery.embeddings[:1], -2)
    score = candidates[0][1]
    assert name_probes(gallery, gallery.embeddings[:1], score)[0][0] == candidates[0][0]
    assert name_probes(gallery, gallery.embeddings[:1], np.nextafter(score, 2))[0][0] == UNKNOWN


def test_people_with_one_image_are_not_left_out():
    gallery = made_up(4, 2).pick([0, 1, 2, 4, 6])
    assert len(leave_one_out(gallery).ranks) == 2
    with pytest.raises(FacesError, match="somebody with two images"):
        leave_one_out(made_up(4, 1))


def test_from_folders_to_names_by_the_command(command, calibrated, drawn_faces, tmp_path):
    people, gallery, answered = tmp_path / "people", tmp_path / "a.gallery", tmp_path / "answers.csv"
    for name in ("anna", "ben", "chloe"):
        shutil.copytree(drawn_faces / name, people / name)
        (people / name / f"{name}_0004.png").unlink()
    made = command("gallery", "enroll", calibrated, people, "--out", gallery, "--no-align")
    assert made.status == 0, made.err
    assert "3 people with 9 images" in made.out
    probes = [drawn_faces / name / f"{name}_0004.png" for name in ("anna", "ben", "chloe")]
    identified = command("identify", calibrated, gallery, *probes, "--threshold", 0, "--top", 2, "--out", answered)
    assert identified.status == 0, identified.err
    with answered.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["name"] for row in rows if row["rank"] == "1"] == ["anna", "ben", "chloe"]
    assert len(rows) == 6
    nobody = command("identify", calibrated, gallery, probes[0], "--threshold", 1.1)
    assert f"{probes[0]}: unknown (anna" in nobody.out
    assert "threshold" in command("identify", calibrated, gallery, probes[0], "--allow-laxer").out
    for option, value in (("--far", 0), ("--far", 2), ("--threshold", "nan")):
        odd = command("identify", calibrated, gallery, probes[0], option, value)
        assert (odd.status, f"{option} {value}: expected a" in odd.err) == (2, True)

    again = command("gallery", "enroll", calibrated, people, "--out", gallery, "--no-align")
    assert (again.status, "exists already" in again.err) == (2, True)
    shutil.copytree(drawn_faces / "dan", tmp_path / "more" / "dan")
    shutil.copy(drawn_faces / "anna" / "anna_0001.png", tmp_path / "more" / "dan")
    before = read_gallery(gallery)
    twice = command("gallery", "enroll", calibrated, tmp_path / "more", "--out", gallery, "--add")
    assert (twice.status, "the same image that 'anna' is enrolled with" in twice.err) == (2, True)
    assert read_gallery(gallery).digests == before.digests
    (tmp_path / "more" / "dan" / "anna_0001.png").unlink()
    shutil.copy(drawn_faces / "dan" / "dan_0001.png", tmp_path / "more" / "dan" / "copy.png")
    added = command("gallery", "enroll", calibrated, tmp_path / "more", "--out", gallery, "--add")
    assert added.status == 0, added.err
    assert "enrolled already, the same file" in added.out
    removed = command("gallery", "remove", gallery, "ben")
    assert (removed.status, "3 people with 10 images" in removed.out) == (0, True)
    listed = command("gallery", "list", gallery)
    assert listed.out.splitlines()[:3] == ["    3  anna", "    3  chloe", "    4  dan"]
    absent = command("gallery", "remove", gallery, "ben")
    assert (absent.status, "'ben' is not in the gallery" in absent.err) == (2, True)
    assert read_gallery(gallery).names == ("anna", "chloe", "dan")


def test_leave_one_out_by_the_command(command, calibrated, drawn_faces, tmp_path):
    out = tmp_path / "tried"
    result = command("gallery", "evaluate", calibrated, drawn_faces, "--no-align", "--far", 0.08, "--out", out)
    assert result.status == 0, result.err
    assert "16 images of 4 people" in result.out
    assert {path.name for path in (tmp_path / "tried").iterdir()} == {
        "identification.json", "answers.csv", "cmc.png", "open_set.png"
    }  # fmt: skip
    found = json.loads((out / "identification.json").read_text())
    with (out / "answers.csv").open(newline="") as file:
        answers = list(csv.DictReader(file))
    assert len(answers) == found["probes"] == 16
    assert found["rank1"] == sum(row["rank"] == "1" for row in answers) / 16
    assert found["rank1"] == sum(row["most_similar"] == row["person"] for row in answers) / 16
    assert found["dir"] != found["strangers_named"]  # else an exchange of their intervals would not show
    for name in ("dir", "strangers_named"):
        low, high = found["intervals"][name]
        assert low <= found[name] <= high


def test_folders_without_anything_to_enroll(command, calibrated, tmp_path):
    (tmp_path / "people" / "ann").mkdir(parents=True)
    empty = command("gallery", "enroll", calibrated, tmp_path / "people", "--out", tmp_path / "a.gallery")
    assert (empty.status, "no images in folders of it" in empty.err) == (2, True)
    Image.new("RGB", (100, 100)).save(tmp_path / "people" / "ann" / "black.png")
    faceless = command("gallery", "enroll", calibrated, tmp_path / "people", "--out", tmp_path / "a.gallery")
    assert faceless.status == 2
    assert "black.png: no face found" in faceless.out
    assert "no image of 1 can be used" in faceless.err
    assert not (tmp_path / "a.gallery").exists()


def test_the_quality_gate():
    from experiments.data.align import Face
    from experiments.data.align.align import AlignedFace

    def one(score=0.99, side=50.0, faces=1):
        face = Face(np.array([0, 0, side, side]), score, np.zeros((5, 2)))
        return AlignedFace("a.jpg", np.zeros((4, 4, 3)), face, faces)

    assert QualityGate().objection(one()) == ""
    assert "only 80% sure" in QualityGate().objection(one(score=0.8))
    assert "of 20 pixels" in QualityGate().objection(one(side=20.0))
    assert QualityGate().objection(one(faces=2)) == ""
    assert QualityGate(alone=True).objection(one(faces=2)) == "2 faces"
    assert QualityGate().objection(AlignedFace("a.jpg", np.zeros((4, 4, 3)), None, 0)) == "no face found"


def test_more_people_need_a_stricter_threshold(network, calibrated):
    def basis(people: int, far: float) -> str:
        return choose_threshold(network, made_up(people, 1, options=EmbedOptions()), far).basis

    assert basis(1, 0.1).startswith("FAR 0.1 of")
    assert basis(4, 0.1).startswith("FAR 0.02 of")
    assert basis(5, 0.1).startswith("FAR 0.02 of")


def test_a_threshold_of_other_options_is_refused(network, calibrated):
    with pytest.raises(
        FacesError, match=r"calibrated with flip and zooms 1, and the gallery is of flip and zooms 1 1\.1"
    ):
        choose_threshold(network, made_up())
