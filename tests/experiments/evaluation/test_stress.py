import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.metrics import roc_auc_score

from experiments.data.pairs import Pairs, read_pairs
from experiments.errors import FacesError
from experiments.evaluation.embedding import EmbedOptions
from experiments.evaluation.match import compute_occlusion_map
from experiments.evaluation.robustness import (
    KINDS,
    group_error_rates,
    measure_robustness,
    noise,
    read_attributes,
    run_robustness,
    sample_pairs,
)
from experiments.evaluation.verification import ScoredPairs, score_pairs, verify
from experiments.inference.embedder import Embedder
from experiments.metrics.roc import roc_curve

OPTIONS = EmbedOptions(flip=False)


@pytest.fixture(scope="module")
def scored(network, pairs_file, drawn_faces):
    return score_pairs(network, read_pairs(pairs_file, drawn_faces), OPTIONS)


@pytest.mark.parametrize("kind", KINDS)
def test_more_damage_changes_an_image_more(kind):
    rng = np.random.default_rng(0)
    smooth = np.kron(rng.integers(0, 256, (7, 7, 3)), np.ones((16, 16, 1))).astype(np.uint8)
    apart = []
    for step in KINDS[kind].steps[1:]:
        damaged = KINDS[kind].damage(smooth, step, np.random.default_rng(1))
        assert (damaged.shape, damaged.dtype) == (smooth.shape, np.uint8)
        apart.append(np.abs(damaged.astype(float) - smooth).mean())
    assert apart[0] > 0
    assert apart == sorted(apart)


def test_images_are_not_changed_by_their_damage():
    image = np.full((20, 20, 3), 200, np.uint8)
    for kind in KINDS.values():
        kind.damage(image, kind.steps[1], np.random.default_rng(0))
    assert (image == 200).all()


def test_without_damage_the_metrics_are_those_of_the_pairs(network, scored):
    rows = measure_robustness(network, scored, OPTIONS, ["noise"])
    expected = roc_curve(scored.scores, scored.pairs.matches)
    assert [row["severity"] for row in rows] == [None, 10, 25, 50, 80]
    assert rows[0]["eer"] == pytest.approx(expected.eer(), abs=1e-9)
    assert rows[0]["auc"] == pytest.approx(expected.auc(), abs=1e-6)


def test_a_kind_of_damage_that_there_is_not(network, scored):
    with pytest.raises(FacesError, match="damage 'rain': expected one of blur, noise"):
        measure_robustness(network, scored, OPTIONS, ["rain"])


@pytest.fixture
def attributes(tmp_path):
    path = tmp_path / "attributes.csv"
    path.write_text("person,hair,hat\nanna,red,yes\nben,red,no\nchloe,blue,no\ndan,blue,\n")
    return path


def test_a_groups_rates_are_those_of_its_pairs_alone(scored, attributes):
    table = read_attributes(attributes, scored.pairs)
    rows = {(row["attribute"], row["group"]): row for row in group_error_rates(scored, table, 0.7, 50)}
    assert set(rows) == {("hair", "red"), ("hair", "blue"), ("hat", "yes"), ("hat", "no")}
    who = np.array([path.parent.name for path in scored.pairs.paths])
    first, second = who[scored.pairs.first], who[scored.pairs.second]
    inside = np.isin(first, ["anna", "ben"]) & np.isin(second, ["anna", "ben"])
    scores, matches = scored.scores[inside], scored.pairs.matches[inside]
    red = rows["hair", "red"]
    assert (red["people"], red["genuine"], red["impostor"]) == (2, 12, 16)
    assert red["far"] == pytest.approx((scores[~matches] >= 0.7).mean())
    assert red["frr"] == pytest.approx((scores[matches] < 0.7).mean())
    assert rows["hat", "yes"]["far"] is None
    assert red["far_low"] is None


def test_attributes_by_image_and_tables_that_fit_nothing(scored, tmp_path):
    table = tmp_path / "a.csv"
    table.write_text("image,light\nanna/anna_0001.png,day\nben_0002.png,night\nchloe_0003,day\n")
    values = dict(
        zip((path.name for path in scored.pairs.paths), read_attributes(table, scored.pairs)["light"], strict=True)
    )
    assert {name: value for name, value in values.items() if value} == {
        "anna_0001.png": "day", "ben_0002.png": "night", "chloe_0003.png": "day"
    }  # fmt: skip
    table.write_text("image,light\nzoe.png,day\n")
    with pytest.raises(FacesError, match="no row names an image or person"):
        read_attributes(table, scored.pairs)
    table.write_text("image\nanna\n")
    with pytest.raises(FacesError, match="expected a column of images or people"):
        read_attributes(table, scored.pairs)
    with pytest.raises(FacesError, match=r"none\.csv: no such file"):
        read_attributes(tmp_path / "none.csv", scored.pairs)


def test_the_most_exact_of_an_images_names_wins(scored, tmp_path):
    """A table may name a folder's image, all files of a name, and a person: the row that says most counts."""
    table = tmp_path / "a.csv"
    rows = ["anna,person", "anna_0001,stem", "anna_0001.png,file", "anna/anna_0001.png,path", "anna_0002,stem"]
    expected = {"anna_0001.png": "path", "anna_0002.png": "stem", "anna_0003.png": "person", "ben_0001.png": ""}
    for dropped in ("path", "file", "stem"):
        table.write_text("\n".join(["image,by", *rows]))
        values = read_attributes(table, scored.pairs)["by"]
        found = {path.name: value for path, value in zip(scored.pairs.paths, values, strict=True)}
        assert {name: found[name] for name in expected} == expected
        rows = [row for row in rows if row.partition(",")[2] != dropped]
        expected["anna_0001.png"] = {"path": "file", "file": "stem", "stem": "person"}[dropped]


def test_tables_and_plots_by_the_command(command, network, pairs_file, drawn_faces, attributes, tmp_path):
    options = EmbedOptions()
    verify(network, pairs_file, drawn_faces, network.folder, options, [0.1, 0.02], 0, replace_thresholds=True)
    out = tmp_path / "out"
    common = ["stress", network.folder, "--pairs", pairs_file, "--images", drawn_faces, "--out", out]
    assert command(*common, "--damage", "blur", "--damage", "jpeg", "--max-pairs", 40).status == 0
    assert command(*common, "--attributes", attributes).status == 0
    assert {path.name for path in out.iterdir()} == {"robustness.csv", "robustness.png", "groups.csv", "groups.png"}
    with (out / "robustness.csv").open(newline="") as file:
        assert [row["damage"] for row in csv.DictReader(file)] == ["blur"] * 5 + ["jpeg"] * 5
    everything = command("verify", network.folder, "--all-pairs", "--images", drawn_faces, "--out", tmp_path / "all")
    assert everything.status == 0, everything.err
    assert "24 genuine and 96 impostor pairs" in everything.out
    why = command(
        "explain", network.folder, drawn_faces / "anna/anna_0001.png", drawn_faces / "anna/anna_0002.png",
        "--no-align", "--out", tmp_path / "why.png",
    )  # fmt: skip
    assert why.status == 0, why.err
    with Image.open(tmp_path / "why.png") as image:
        assert image.width > 500


def test_some_pairs_keep_their_images_and_answers(pairs_file, drawn_faces, tmp_path):
    pairs = read_pairs(pairs_file, drawn_faces)
    some = sample_pairs(pairs, 7)
    every = {
        (pairs.paths[a], pairs.paths[b]): m for a, b, m in zip(pairs.first, pairs.second, pairs.matches, strict=True)
    }
    assert len(some) == 7
    for a, b, match in zip(some.first, some.second, some.matches, strict=True):
        assert every[some.paths[a], some.paths[b]] == match


def test_pairs_without_answers_have_no_error_rates(network, pairs_file, drawn_faces, tmp_path):
    bare = tmp_path / "bare.txt"
    bare.write_text("anna/anna_0001.png ben/ben_0001.png\n")
    with pytest.raises(FacesError, match="without answers"):
        run_robustness(network.folder, bare, drawn_faces, tmp_path / "out", OPTIONS)


def test_the_occlusion_map_is_what_covering_costs(network):
    rng = np.random.default_rng(0)
    face = rng.integers(0, 256, (112, 112, 3), np.uint8)
    values = compute_occlusion_map(network, face, face, patch=28, stride=28)
    assert values.shape == (112, 112)
    assert (values > 0).all()
    covered = face.copy()
    covered[28:56, 56:84] = 128
    one, two = network.embed(np.stack([face, covered])).astype(float)
    assert values[28, 56] == values[55, 83] == pytest.approx(1 - one @ two, abs=1e-5)


def test_where_squares_overlap_the_map_is_their_mean():
    rng = np.random.default_rng(1)
    face, other = rng.integers(0, 256, (2, 9, 9, 3), np.uint8)

    def vectors(pixels: np.ndarray, flip: bool = False) -> np.ndarray:
        flat = pixels.reshape(len(pixels), -1).astype(np.float64) - 100
        return flat / np.linalg.norm(flat, axis=1, keepdims=True)

    falls: dict[tuple[int, int], list[float]] = {}
    for top in (0, 2, 4, 6):
        for left in (0, 2, 4, 6):
            covered = face.copy()
            covered[top : top + 3, left : left + 3] = 128
            one, hidden, two = vectors(np.stack([face, covered, other]))
            for row in range(top, top + 3):
                for column in range(left, left + 3):
                    falls.setdefault((row, column), []).append(float(one @ two - hidden @ two))
    found = compute_occlusion_map(Embedder("pixels", None, "", (9, 9), vectors), face, other, 3, 2)
    expected = [[np.mean(falls[row, column]) for column in range(9)] for row in range(9)]
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_only_the_second_image_of_a_pair_is_damaged():
    """An embedding is the pixels themselves, so that each step's similarities can be computed by hand."""
    rng = np.random.default_rng(4)
    people = rng.integers(0, 256, (6, 12, 12, 3))
    images = (0.25 * people[np.repeat(np.arange(6), 2)] + 0.75 * rng.integers(0, 256, (12, 12, 12, 3))).astype(np.uint8)
    first, second = np.triu_indices(12, 1)
    pairs = Pairs(Path("p"), tuple(Path(f"{n}.png") for n in range(12)), first, second, first // 2 == second // 2)

    def vectors(pixels: np.ndarray, flip: bool = False) -> np.ndarray:
        flat = pixels.reshape(len(pixels), -1).astype(np.float64) - 128
        return flat / np.linalg.norm(flat, axis=1, keepdims=True)

    pixels = Embedder("pixels", None, "", (12, 12), vectors)
    rows = measure_robustness(pixels, ScoredPairs(pairs, np.zeros(66), images), EmbedOptions(flip=False), ("noise",))
    for row, step in zip(rows, KINDS["noise"].steps, strict=True):
        generator = np.random.default_rng(0)
        damaged = images if step is None else np.stack([noise(image, step, generator) for image in images])
        scores = (vectors(images)[first] * vectors(damaged)[second]).sum(1)
        assert row["auc"] == pytest.approx(roc_auc_score(pairs.matches, scores), abs=1e-4)
    both = (vectors(damaged)[first] * vectors(damaged)[second]).sum(1)
    assert abs(rows[-1]["auc"] - roc_auc_score(pairs.matches, both)) > 0.003
