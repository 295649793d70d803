from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.errors import FacesError
from experiments.submission.format import Sample, check_submission, find_problems

SAMPLE = "image_name,label\n10.jpg,a\n2.jpg,a\n1.jpg,a\n"
SWAPPED = "image_name,label\n1.jpg,a\n2.jpg,b\n10.jpg,a\n"
GOOD = "image_name,label\n10.jpg,a\n2.jpg,b\n1.jpg,a\n"


@pytest.fixture
def check(tmp_path):
    """check(submission, sample): the problems of one against the other."""

    def run(submission: str, sample: str = SAMPLE, known=()) -> list[str]:
        (tmp_path / "mine.csv").write_text(submission)
        (tmp_path / "sample.csv").write_text(sample)
        return check_submission(tmp_path / "mine.csv", tmp_path / "sample.csv", known)

    return run


def test_a_good_one(check):
    assert check(GOOD) == []
    assert check(GOOD, known={"a", "b"}) == []


@pytest.mark.parametrize(
    ("submission", "expected"),
    [
        (GOOD.replace("2.jpg,b\n", ""), "id 2.jpg is missing"),
        ("image_name,label\n10.jpg,a\n", "2 ids, such as 2.jpg, are missing"),
        (GOOD + "2.jpg,a\n", "id 2.jpg occurs more than once"),
        (GOOD + "7.jpg,a\n", "id 7.jpg is not in the sample"),
        (SWAPPED, "its order is not the sample's: row 1 is 1.jpg, expected 10.jpg"),
        (GOOD.replace("image_name", "id"), "its columns are id,label, expected image_name,label, as in the sample"),
        (GOOD.replace(",b", ""), "a row with 1 value, 2.jpg; expected 2, image_name,label"),
        (GOOD.replace(",b", ","), "label '' is empty"),
        ("", "is empty; expected a CSV file with titles in its first row"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_put_into_words(check, submission, expected):
    assert check(submission) == [expected]


def test_unknown_labels_are_named_where_the_known_ones_are_given(check):
    assert check(GOOD.replace(",a", ",x"), known=["a", "b"]) == ["label 'x' is none of the 2 labels"]
    found = check("image_name,label\n10.jpg,x\n2.jpg,y\n1.jpg,z\n", known=["a"])
    assert found == ["label 'x' and 2 more are none of the 1 labels"]


def test_a_missing_and_a_repeated_id_are_both_found(check):
    found = check("image_name,label\n10.jpg,a\n10.jpg,b\n1.jpg,a\n")
    assert found == ["id 10.jpg occurs more than once", "id 2.jpg is missing"]


INDEX_SAMPLE = "id,label\n1.jpg,0\n2.jpg,0\n"
NO_INDEX = [
    "nan",
    "inf",
    "-inf",
    "-7",
    "+7",
    "0.37",
    "1.0",
    "1_0",
    "1e3",
    "07",
    "\u0663",
    "x",
    "",
    " 1",
    "0x1",
    "1,0",
    "NULL",
]


@pytest.mark.parametrize("label", NO_INDEX)
@pytest.mark.parametrize("known", [(), ["anna", "ben"]])
def test_what_is_no_class_index_is_refused(check, label, known):
    assert check(f'id,label\n1.jpg,"{label}"\n2.jpg,1\n', INDEX_SAMPLE, known)


@given(st.text(max_size=4))
def test_only_class_indices_pass_where_indices_are_asked_for(label):
    sample = Sample(Path("s.csv"), ("id", "label"), ("1",), ("0",))
    accepted = not find_problems([("1", label)], sample)
    assert accepted == (label in map(str, range(10_000)))


@pytest.mark.parametrize(("label", "fine"), [("0", True), ("1", True), ("2", False), ("3", False)])
def test_an_index_is_below_the_number_of_people(check, label, fine):
    found = check(f"id,label\n1.jpg,{label}\n2.jpg,1\n", INDEX_SAMPLE, ["anna", "ben"])
    assert found == ([] if fine else [f"label '{label}' is none of the 2 labels"])


@pytest.mark.parametrize("label", ["0.25", "-1e-3", "17", ".5", "1e-05"])
def test_similarities_are_asked_for_where_the_sample_has_them(check, label):
    assert check(f"ID,Label\n0,{label}\n1,0.5\n", "ID,Label\n0,0\n1,0\n") == []
    assert check(f"ID,Label\n0,{label}\n1,2\n", "ID,Label\n0,0.5\n1,0.1\n") == []


@pytest.mark.parametrize("label", ["anna", "nan", "inf", "1_0", "1e999", "", "0.1.2"])
def test_what_is_no_similarity_is_refused(check, label):
    found = check(f"ID,Label\n0,{label}\n1,0.5\n", "ID,Label\n0,0.5\n1,0.1\n")
    assert found == [f"label {label!r} is not a number, as the sample's"]
    assert check(f"ID,Label\n0,{label}\n1,0.5\n", "ID,Label\n0,0\n1,0\n")


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(FacesError, match=r"none\.csv: no such file; give the submission to check"):
        check_submission(tmp_path / "none.csv", tmp_path / "sample.csv")


def test_the_command_ends_with_status_1_where_anything_is_wrong(command, tmp_path):
    (tmp_path / "sample.csv").write_text(SAMPLE)
    (tmp_path / "good.csv").write_text(GOOD)
    (tmp_path / "bad.csv").write_text(GOOD + "7.jpg,a\n")
    good = command("submit", "--check", tmp_path / "good.csv", "--sample", tmp_path / "sample.csv")
    bad = command("submit", "--check", tmp_path / "bad.csv", "--sample", tmp_path / "sample.csv")
    assert (good.status, bad.status) == (0, 1)
    assert "valid; every id" in good.out
    assert "note: whether its labels exist was not checked: give --run RUN or --data DIR" in good.out
    assert "id 7.jpg is not in the sample" in bad.out


def test_labels_are_checked_against_a_run_or_data(command, trained_once, people, tmp_path):
    (tmp_path / "sample.csv").write_text("image_name,label\n1.jpg,anna\n2.jpg,anna\n")
    (tmp_path / "x.csv").write_text("image_name,label\n1.jpg,x\n2.jpg,x\n")
    (tmp_path / "good.csv").write_text("image_name,label\n1.jpg,ben\n2.jpg,dan\n")
    for known in (["--run", trained_once.folder], ["--data", people]):
        for name, status in (("x", 1), ("good", 0)):
            common = ["--check", tmp_path / f"{name}.csv", "--sample", tmp_path / "sample.csv"]
            result = command("submit", *common, *known)
            assert result.status == status, result.err
            assert ("label 'x' is none of the 4 labels" in result.out) == bool(status)
            assert "not checked" not in result.out
    index = command(
        "submit", "--check", tmp_path / "x.csv", "--sample", tmp_path / "sample.csv", "--labels", "index", *known
    )
    assert "label 'x' is none of the 4 labels" in index.out


def test_run_and_data_go_with_check(command, trained_once, people, tmp_path):
    (tmp_path / "sample.csv").write_text("image_name,label\n1.jpg,anna\n")
    result = command(
        "submit", trained_once.folder, "--test", people, "--sample", tmp_path / "sample.csv", "--data", people
    )
    assert (result.status, "--data" in result.err) == (2, True)
