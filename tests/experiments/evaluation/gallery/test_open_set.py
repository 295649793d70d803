import csv
import shutil

import numpy as np
import pytest
from PIL import Image

from experiments.data.images import load_images
from experiments.errors import FacesError
from experiments.evaluation.embedding import EmbedOptions
from experiments.evaluation.gallery.open_set import _write_test_labels, evaluate_known_unknown, is_known_unknown
from experiments.inference.embedder import Embedder


@pytest.fixture
def course(drawn_faces, tmp_path):
    """known/ with two people, unknown_dev/ with them and a third, unknown_test/, and the table of who is who."""
    root, labels = tmp_path / "course", []
    for folder in ("unknown_dev", "unknown_test"):
        (root / folder).mkdir(parents=True)
    for name in ("anna", "ben"):
        (root / "known" / name).mkdir(parents=True)
        shutil.copy(drawn_faces / name / f"{name}_0001.png", root / "known" / name)
    for number, (name, n) in enumerate([("ben", 2), ("dan", 1), ("anna", 2), ("ben", 3), ("dan", 2)]):
        shutil.copy(drawn_faces / name / f"{name}_{n:04d}.png", root / "unknown_dev" / f"{number}.png")
        labels.append("n000000" if name == "dan" else name)
    for number, name in enumerate(("anna", "dan")):
        shutil.copy(drawn_faces / name / f"{name}_0004.png", root / "unknown_test" / f"{number}.png")
    rows = "".join(f"{n},{label}\n" for n, label in enumerate(labels))
    (root / "verification_dev.csv").write_text(f"id,label\n{rows}")
    return root


def test_the_courses_identification(command, network, course, tmp_path):
    out = tmp_path / "out"
    result = command(
        "verify", network.folder, "--pairs", course / "verification_dev.csv", "--images", course, "--out", out
    )
    assert result.status == 0, result.err
    assert "rank-1 1.0000 of the known people" in result.out
    assert "1.0000 of all images are right" in result.out
    with (out / "unknown_test_submission.csv").open(newline="") as file:
        assert list(csv.reader(file)) == [["id", "label"], ["0", "anna"], ["1", "n000000"]]


def test_which_tables_are_meant(course, tmp_path):
    table = course / "verification_dev.csv"
    assert is_known_unknown(table, course)
    assert not is_known_unknown(table, tmp_path)
    (course / "pairs.csv").write_text("a,b,match\n")
    assert not is_known_unknown(course / "pairs.csv", course)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("0,anna\n", "1 rows for 5 images"),
        ("0,anna\n1,zoe\n2,anna\n3,anna\n4,anna\n", "the label 'zoe' is no folder of"),
        ("0,anna,1\n", "a row with 3 values"),
        ("0,anna\n0,anna\n2,anna\n3,anna\n4,anna\n", "the id 0 is in it twice"),
    ],
)
def test_tables_that_do_not_fit(network, course, tmp_path, rows, message):
    (course / "verification_dev.csv").write_text(f"id,label\n{rows}")
    with pytest.raises(FacesError, match=message):
        evaluate_known_unknown(network, course / "verification_dev.csv", course, tmp_path / "out", EmbedOptions())
    assert not (tmp_path / "out").exists()


def test_a_similarity_equal_to_the_threshold_gives_a_name(tmp_path):
    """An embedding is an image's mean color, so that similarities are known without a network."""

    def vectors(pixels: np.ndarray, flip: bool) -> np.ndarray:
        flat = pixels.astype(np.float64).mean((1, 2))
        return flat / np.linalg.norm(flat, axis=1, keepdims=True)

    colors, embedder = Embedder("colors", None, "", (4, 4), vectors), EmbedOptions(flip=False)
    for number, color in enumerate([(255, 0, 0), (200, 120, 0), (0, 0, 255)]):
        Image.new("RGB", (4, 4), color).save(tmp_path / f"{number}.png")
    templates = np.eye(3)[:2]
    scores = colors.embed(load_images(sorted(tmp_path.glob("*.png")), (4, 4), "crop"), False) @ templates.T
    for threshold, expected in (
        (float(scores[1].max()), ["red", "red", "n000000"]),
        (float(np.nextafter(scores[1].max(), 2)), ["red", "n000000", "n000000"]),
    ):
        _write_test_labels(colors, tmp_path, templates, ["red", "green"], threshold, tmp_path, embedder)
        with (tmp_path / "unknown_test_submission.csv").open(newline="") as file:
            assert [row["label"] for row in csv.DictReader(file)] == expected
