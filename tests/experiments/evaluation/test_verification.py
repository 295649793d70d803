import csv
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from sklearn.metrics import roc_auc_score

from experiments.data.pairs import Pairs
from experiments.errors import FacesError
from experiments.evaluation.embedding import EmbedOptions
from experiments.evaluation.thresholds import calibrate_thresholds, read_thresholds
from experiments.evaluation.verification import ScoredPairs, open_network, pair_identities, verify, worst_pairs
from experiments.inference.embedder import zoom_center
from experiments.inference.frozen_backbone import FrozenNetwork, open_frozen_backbone, save_frozen_network
from experiments.inference.model import TrainedModel
from experiments.inference.networks import open_embedder

FILES = {"verification.json", "scores.csv", "roc.png", "det.png", "scores.png", "worst.png", "thresholds.json"}


@pytest.fixture
def own_network(weights, tmp_path):
    """The frozen network with a folder of the test's own."""
    return open_frozen_backbone("mobilefacenet", weights, tmp_path / "out")


def rows(path) -> list[dict]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_labeled_pairs_give_metrics_images_and_thresholds(own_network, pairs_file, drawn_faces, tmp_path):
    out, odd = tmp_path / "out", tmp_path / "odd_pairs.txt"
    lines = pairs_file.read_text().splitlines()
    wrong = [f"{line[:-1]}{1 - int(line[-1])}" if n in (0, 40) else line for n, line in enumerate(lines)]
    odd.write_text("\n".join(wrong))  # a wrong answer of each kind, so that no threshold is right about all pairs
    result = verify(own_network, odd, drawn_faces, out, EmbedOptions(), [0.1, 0.01, 1e-6], 50)
    assert {path.name for path in out.iterdir()} == {*FILES, "network.json"}
    assert all(name in (verify.__doc__ or "") for name in FILES)
    table = rows(out / "scores.csv")
    matches, scores = (np.array([float(row[key]) for row in table]) for key in ("match", "similarity"))
    assert result["auc"] == pytest.approx(roc_auc_score(matches, scores), abs=1e-4)
    assert result["auc"] > 0.8
    assert (result["genuine"], result["impostor"]) == (24, 96)
    assert list(result["tar_at_far"]) == ["0.1"]
    assert any("FAR 1e-06 needs at least 1,000,000 impostor pairs" in remark for remark in result["not_supported"])
    assert result["intervals"]["auc"][0] <= result["auc"] <= result["intervals"]["auc"][1]
    assert json.loads((out / "verification.json").read_text())["eer"] == result["eer"]
    for name in FILES:
        if name.endswith(".png"):
            with Image.open(out / name) as image:
                assert len(np.unique(np.asarray(image.convert("RGB")).reshape(-1, 3), axis=0)) > 50
    stored = read_thresholds(out, own_network.fingerprint)
    assert stored.for_far().value == result["threshold"]
    assert [threshold.name for threshold in stored.thresholds] == ["eer", "far 0.1"]
    assert open_embedder(out).fingerprint == own_network.fingerprint


def test_withheld_answers_give_the_competitions_file(own_network, pairs_file, drawn_faces, tmp_path):
    labeled = verify(own_network, pairs_file, drawn_faces, tmp_path / "out", EmbedOptions(), rounds=0)
    withheld = tmp_path / "test_pairs.txt"
    withheld.write_text("".join(line[:-3] + "\n" for line in pairs_file.read_text().splitlines(keepends=True)))
    verify(own_network, withheld, drawn_faces, tmp_path / "out", EmbedOptions())
    given, scores = rows(tmp_path / "out" / "test_pairs_submission.csv"), rows(tmp_path / "out" / "scores.csv")
    assert list(given[0]) == ["ID", "Label"]
    assert [row["ID"] for row in given] == [str(n) for n in range(120)]
    assert [row["Label"] for row in given] == [row["similarity"] for row in scores]
    assert labeled["eer"] == json.loads((tmp_path / "out" / "verification.json").read_text())["eer"]


def test_lfws_folds(own_network, drawn_faces, tmp_path):
    lines = ["2\t2"]
    for a, b in (("anna", "ben"), ("chloe", "dan")):
        lines += [f"{a}\t1\t2", f"{b}\t1\t3", f"{a}\t1\t{b}\t2", f"{a}\t3\t{b}\t4"]
    (tmp_path / "pairs.txt").write_text("\n".join(lines))
    result = verify(own_network, tmp_path / "pairs.txt", drawn_faces, tmp_path / "out", EmbedOptions(), rounds=0)
    assert result["lfw_accuracy"] == pytest.approx(np.mean(result["fold_accuracies"]))
    assert len(result["fold_accuracies"]) == 2
    assert "lfw_std" in result


def test_mirror_images_and_zooms_change_embeddings_that_stay_of_length_one(network, drawn_faces):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (3, 112, 112, 3), np.uint8)
    plain, flipped, zoomed = (network.embed(images, *how) for how in ((False,), (True,), (True, (1.0, 1.1))))
    for vectors in (plain, flipped, zoomed):
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    assert abs(plain - flipped).max() > 1e-4
    assert abs(zoomed - flipped).max() > 1e-4
    np.testing.assert_allclose(flipped, network.embed(images[:, :, ::-1], True), atol=1e-5)


def test_a_bad_pairs_file_leaves_nothing_behind(own_network, drawn_faces, tmp_path):
    (tmp_path / "pairs.txt").write_text("anna/anna_0001.png ../out.png 1\n")
    with pytest.raises(FacesError, match="leads out of"):
        verify(own_network, tmp_path / "pairs.txt", drawn_faces, tmp_path / "out", EmbedOptions())
    assert not (tmp_path / "out").exists()


def test_pairs_of_one_kind_are_an_error_that_says_so(own_network, drawn_faces, tmp_path):
    (tmp_path / "pairs.txt").write_text("anna/anna_0001.png anna/anna_0002.png 1\n")
    with pytest.raises(FacesError, match="1 pair, all of one person"):
        verify(own_network, tmp_path / "pairs.txt", drawn_faces, tmp_path / "out", EmbedOptions())
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("zooms", [(), (0.5,), (3.0,)])
def test_zooms_outside_1_to_2(zooms):
    with pytest.raises(FacesError, match="expected factors from 1 to 2"):
        EmbedOptions(zooms=zooms)


def test_a_run_or_a_backbone_is_given(weights, tmp_path):
    for arguments in ((None, None, None, None), (tmp_path, "mobilefacenet", None, None)):
        with pytest.raises(FacesError, match="give either a RUN, or --backbone"):
            open_network(*arguments)
    with pytest.raises(FacesError, match="needs --weights FILE, and --out DIR"):
        open_network(None, "mobilefacenet", None, tmp_path)
    with pytest.raises(FacesError, match=r"none\.safetensors"):
        open_network(None, "mobilefacenet", tmp_path / "none.safetensors", tmp_path)
    with pytest.raises(FacesError, match="no backbone is called"):
        open_network(None, "mobilefacenett", weights, tmp_path)


def test_a_run_of_mytorch_embeds_with_the_input_of_its_classifier(trained_once):
    images = np.random.default_rng(0).integers(0, 256, (5, 16, 16, 3), np.uint8)
    ours, theirs = TrainedModel.open(trained_once.folder), TrainedModel.open(trained_once.folder, engine="torch")
    for flip in (False, True):
        found = open_embedder(trained_once.folder).embed(images, flip=flip)
        assert found.shape == (5, 8)
        np.testing.assert_allclose(found, theirs.embed(images, flip=flip), atol=1e-5)
    np.testing.assert_allclose(ours.logits(images), theirs.logits(images), atol=1e-4)


def test_thresholds_of_other_weights_are_refused(own_network, pairs_file, drawn_faces, tmp_path):
    verify(own_network, pairs_file, drawn_faces, tmp_path / "out", EmbedOptions(), rounds=0)
    with pytest.raises(FacesError, match="calibrated for other weights"):
        read_thresholds(tmp_path / "out", "0123")
    with pytest.raises(FacesError, match=r"no thresholds\.json.*faces verify"):
        read_thresholds(tmp_path, own_network.fingerprint)
    (tmp_path / "out" / "thresholds.json").write_text("{}")
    with pytest.raises(FacesError, match=r"thresholds\.json: not as.*faces verify"):
        read_thresholds(tmp_path / "out", own_network.fingerprint)


def test_weights_that_changed_since_are_refused(own_network, tmp_path, weights):
    (tmp_path / "out").mkdir()
    save_frozen_network(own_network)
    path = tmp_path / "out" / "network.json"
    known = FrozenNetwork.read(path, "")
    known.model_copy(update={"fingerprint": "0123"}).write(path)
    with pytest.raises(FacesError, match="not the weights that"):
        open_embedder(tmp_path / "out")
    for content in ("{}", "[]", "null", '{"backbone": 3}', json.dumps(known.model_dump())):
        path.write_text(content)
        with pytest.raises(FacesError, match=r"network\.json: .*faces verify --backbone"):
            open_embedder(tmp_path / "out")


def test_a_calibration_has_its_rates_and_its_strangers():
    rng = np.random.default_rng(0)
    matches = np.arange(4000) % 4 == 0
    scores = np.clip(rng.normal(0.1, 0.15, 4000) + 0.5 * matches, -1, 1)
    about = {"network": "x", "flip": True, "zooms": (1.0,), "pairs": "p"}
    calibration = calibrate_thresholds(scores, matches, [0.1, 0.01, 1e-3, 1e-5], **about)
    assert [threshold.name for threshold in calibration.thresholds] == ["eer", "far 0.1", "far 0.01", "far 0.001"]
    for threshold in calibration.thresholds:
        assert threshold.far == pytest.approx((scores[~matches] >= threshold.value).mean())
        assert threshold.frr == pytest.approx((scores[matches] < threshold.value).mean())
    assert [far for far, _ in calibration.by_far()] == [1e-3, 0.01, 0.1]
    for similarity in (-1.0, 0.0, 0.3, 0.77, 1.0, *rng.uniform(-0.3, 0.8, 50)):
        exact = int((scores[~matches] >= similarity).sum())
        assert exact <= calibration.strangers_above(similarity) <= int((scores[~matches] >= similarity - 0.006).sum())
    with pytest.raises(FacesError, match=r"no threshold was calibrated for a FAR of 1e-05, only: eer, far 0\.1"):
        calibration.for_far(1e-5)
    with pytest.raises(FacesError, match="a FAR of 2: expected a fraction between 0 and 1"):
        calibration.for_far(2)


@pytest.mark.parametrize(("size", "zoom", "inner"), [((8, 8), 2, (2, 2, 6, 6)), ((12, 10), 1.25, (1, 1, 9, 11))])
def test_a_zoom_enlarges_the_center(size, zoom, inner):
    image = np.random.default_rng(1).integers(0, 256, (*size, 3), np.uint8)
    part = Image.fromarray(image).crop(inner)
    expected = np.array(part.resize(size[::-1], Image.Resampling.BICUBIC))
    assert np.array_equal(zoom_center(image, zoom), expected)
    assert zoom_center(image, 1) is image


@given(st.lists(st.tuples(st.sampled_from([0.1, 0.2, 0.3, 0.4, 0.5]), st.booleans()), min_size=2, max_size=12))
def test_the_worst_pairs_are_those_farthest_on_the_wrong_side(found):
    """A pair exactly at the threshold is accepted."""
    scores, matches = np.array([score for score, _ in found]), np.array([match for _, match in found])
    count = len(found)
    paths = tuple(Path(f"{n}.png") for n in range(2 * count))
    pairs = Pairs(Path("p"), paths, np.arange(count), np.arange(count, 2 * count), matches)
    tiles = worst_pairs(ScoredPairs(pairs, scores, np.zeros((2 * count, 4, 4, 3), np.uint8)), 0.3, most=3)
    rejected = sorted(score for score, match in found if match and score < 0.3)[:3]
    accepted = sorted((score for score, match in found if not match and score >= 0.3), reverse=True)[:3]
    shown = [tile.caption.split("\n") for tile in tiles]
    assert [line[0] for line in shown] == [
        *(f"one person, similarity {score:.2f}" for score in rejected),
        *(f"two people, similarity {score:.2f}" for score in accepted),
    ]
    for _, first, second in shown:
        assert int(second) == int(first) + count


@pytest.mark.parametrize("named", [True, False])
def test_the_people_of_a_pair_are_those_of_its_images(named):
    """By the names where these are known, else images that genuine pairs join are of one person."""
    who = ("zoe", "amy", "zoe", "bo", "amy", "zoe")
    first, second = np.array([0, 1, 2, 3, 0, 5]), np.array([2, 4, 5, 1, 3, 4])
    answers = np.array([who[a] == who[b] for a, b in zip(first, second, strict=True)])
    paths = tuple(Path(f"{n}.png") for n in range(6))
    pairs = Pairs(Path("p"), paths, first, second, answers, names=who if named else None)
    numbers: dict[str, set[int]] = {}
    for images, people in zip((first, second), pair_identities(pairs), strict=True):
        for image, person in zip(images, people, strict=True):
            numbers.setdefault(who[image], set()).add(int(person))
    assert sorted(map(len, numbers.values())) == [1, 1, 1]
    assert len(set.union(*numbers.values())) == 3
