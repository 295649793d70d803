import csv
import shutil

import pytest

from experiments.errors import FacesError
from experiments.evaluation.embedding import EmbedOptions
from experiments.evaluation.gallery.open_set import evaluate_known_unknown, is_known_unknown


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
