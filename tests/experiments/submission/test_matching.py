from pathlib import Path

import pytest

from experiments.errors import FacesError
from experiments.submission.format import Sample, detect_label_style, label_texts, match_ids

IN_STRING_ORDER = ["0", "1", "10", *map(str, range(2, 10))]


def sample(ids, labels=("0",), column="id") -> Sample:
    full = tuple(labels) * (len(ids) if len(labels) == 1 else 1)
    return Sample(Path("sample.csv"), (column, "label"), tuple(ids), full)


@pytest.mark.parametrize(
    ("ids", "files", "places", "how"),
    [
        (["b.jpg", "a.jpg"], ["a.jpg", "b.jpg"], [1, 0], "file name"),
        (["2", "10"], ["1.jpg", "2.jpg", "10.jpg"], [1, 2], "file name without suffix"),
        (["000001", "000000"], ["000000.jpg", "000001.jpg"], [1, 0], "file name without suffix"),
        (["7", "1"], ["000001.jpg", "000007.jpg"], [1, 0], "number of the file"),
        (["0", "1", "2"], ["1.jpg", "2.jpg", "3.jpg"], [0, 1, 2], "place, counted from 0"),
        (["1.JPG", "10.jpg"], ["1.jpg", "10.JPG"], [0, 1], "file name, whether in capitals or not"),
        (["Jos\u00e9.jpg"], ["Jose\u0301.jpg"], [0], "file name"),
        (["Jose\u0301.jpg"], ["Jos\u00e9.jpg"], [0], "file name"),
        (IN_STRING_ORDER, [f"x{n}.jpg" for n in range(11)], [0, 1, 10, *range(2, 10)], "place, counted from 0"),
    ],
)
def test_ids_are_read_the_plainest_way_that_finds_them(ids, files, places, how):
    assert match_ids(sample(ids), files, "test") == (places, how)


def test_an_id_that_several_images_could_have_is_refused():
    with pytest.raises(FacesError, match="1 of which test lacks"):
        match_ids(sample(["1"]), ["1.jpg", "1.png", "01.jpg"], "test")


def test_a_missing_image_is_not_replaced_by_counting():
    with pytest.raises(FacesError, match="names 4 images, 1 of which test lacks, such as 3"):
        match_ids(sample(["1", "2", "3", "4"]), ["1.jpg", "2.jpg", "4.jpg"], "test")


PEOPLE = ["0", "1", "10", "2"]


@pytest.mark.parametrize(
    ("people", "labels", "column", "style"),
    [
        (["anna", "ben"], ["0"], "id", "index"),
        (["anna", "ben"], ["1", "0"], "ID", "index"),
        (["anna", "ben"], ["0"], "image_name", "name"),
        (["anna", "ben"], ["anna"], "id", "name"),
        (["anna", "ben"], ["placeholder"], "id", "name"),
        (PEOPLE, ["10", "2"], "id", "name"),  # folders that are called by numbers
        (PEOPLE, ["3", "1"], "id", "index"),
    ],
)
def test_the_sample_decides_how_labels_are_written(people, labels, column, style):
    ids = [str(n) for n in range(len(labels))]
    assert detect_label_style(sample(ids, labels, column), people) == style


@pytest.mark.parametrize(("largest", "style"), [("1", "index"), ("2", "refused"), ("3", "refused")])
def test_a_number_is_an_index_only_below_the_number_of_people(largest, style):
    given = sample(["1", "2"], ["0", largest])
    if style == "refused":
        with pytest.raises(FacesError, match="labels are none of the run's 2 people"):
            detect_label_style(given, ["anna", "ben"])
    else:
        assert detect_label_style(given, ["anna", "ben"]) == style


@pytest.mark.parametrize("label", ["00", "01", "+1", "1_0", "\u0661", "1.0", "-0"])
def test_what_only_looks_like_a_number_is_no_index(label):
    assert detect_label_style(sample(["1", "2"], [label]), ["anna", "ben"] * 20) == "name"


def test_names_are_compared_composed_and_written_as_the_sample_spells_them():
    composed, decomposed = "Jos\u00e9", "Jose\u0301"
    given = sample(["1", "2"], [decomposed, "ben"], "image_name")
    assert detect_label_style(given, [composed, "ben"]) == "name"
    assert label_texts(given, [composed, "ben"], "name") == [decomposed, "ben"]
    assert label_texts(given, [composed, "ben"], "index") == ["0", "1"]


def test_labels_of_other_folders_are_refused():
    with pytest.raises(FacesError, match=r"1 of its 2 labels are none of the run's 2 people, such as 'eve'"):
        detect_label_style(sample(["1", "2"], ["anna", "eve"]), ["anna", "ben"])


@pytest.mark.parametrize(
    ("column", "labels", "style"),
    [
        ("id", ["0", "3"], "index"), ("id", ["0", "4"], None), ("id", ["3", "3"], "index"), ("id", ["4", "4"], "name"),
        ("id", ["anna", "dan"], "name"), ("id", ["0", "anna"], None), ("image_name", ["anna", "dan"], "name"),
        ("image_name", ["0", "3"], None), ("id", ["x", "x"], "name"), ("id", ["-1", "2"], None),
    ],
)  # fmt: skip
def test_labels_are_indices_where_every_one_is_a_number_below_the_number_of_people(column, labels, style):
    form = Sample(Path("sample.csv"), (column, "label"), ("1.png", "2.png"), tuple(labels))
    people = ["anna", "ben", "chloe", "dan"]
    if style is None:
        with pytest.raises(FacesError, match="labels are none of the run's 4 people"):
            detect_label_style(form, people)
    else:
        assert detect_label_style(form, people) == style


def test_files_that_differ_only_in_capitals_are_not_confused():
    with pytest.raises(FacesError, match=r"such as A\.JPG"):
        match_ids(sample(["A.JPG"]), ["a.jpg", "A.jpg"], "test")
    assert match_ids(sample(["A.jpg", "a.jpg"]), ["a.jpg", "A.jpg"], "test")[0] == [1, 0]
