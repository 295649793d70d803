import pytest

from experiments.errors import FacesError
from experiments.submission.format import check_submission

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
        (GOOD + "2.jpg,a\n", "id 2.jpg stands there more than once"),
        (GOOD + "7.jpg,a\n", "id 7.jpg is not in the sample"),
        (SWAPPED, "its order is not the sample's: row 1 is 1.jpg, expected 10.jpg"),
        (GOOD.replace("image_name", "id"), "its columns are id,label, the sample's image_name,label"),
        (GOOD.replace(",b", ""), "a row has 1 values (2.jpg), expected 2"),
        (GOOD.replace(",b", ","), "label '' is empty"),
        ("", "its columns are (none), the sample's image_name,label"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_in_words(check, submission, expected):
    assert check(submission) == [expected]


def test_unknown_labels_are_named_where_the_known_ones_are_told(check):
    assert check(GOOD.replace(",a", ",x"), known=["a", "b"]) == ["label 'x' is none of the 2 labels"]
    found = check("image_name,label\n10.jpg,x\n2.jpg,y\n1.jpg,z\n", known=["a"])
    assert found == ["label 'x' and 2 more are none of the 1 labels"]


def test_a_missing_and_a_repeated_id_are_both_found(check):
    found = check("image_name,label\n10.jpg,a\n10.jpg,b\n1.jpg,a\n")
    assert found == ["id 10.jpg stands there more than once", "id 2.jpg is missing"]


@pytest.mark.parametrize("label", ["0.25", "-1e-3", "17"])
def test_numbers_are_asked_for_where_the_sample_has_them(check, label):
    assert check(f"ID,Label\n0,{label}\n", "ID,Label\n0,0\n") == []
    assert check("ID,Label\n0,anna\n", "ID,Label\n0,0\n") == ["label 'anna' is no number, as the sample's labels are"]


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
    assert "id 7.jpg is not in the sample" in bad.out
