"""`--only` names tests of a rubric, some of which have a comma in their name."""

import pytest

from autograder.cli import split_names
from autograder.grading import chosen
from autograder.rubric import load


@pytest.mark.parametrize(
    ("only", "expected"),
    [
        (["Conv1d, stride 1"], ("Conv1d, stride 1",)),
        (["conv1d, stride 1,Linear"], ("conv1d, stride 1", "Linear")),
        (["Linear,Conv2d, stride 1", "Flatten"], ("Linear", "Conv2d, stride 1", "Flatten")),
        (["Nothing, Linear,"], ("Nothing", "Linear")),
        ([], ()),
    ],
)
def test_names_with_commas_stay_whole(only, expected):
    assert split_names(only, load("default")) == expected


def test_every_test_can_be_chosen_by_its_name():
    rubric = load("default")
    for _, test in rubric.tests:
        assert test in [found for _, found in chosen(rubric, split_names([test.name], rubric))]


def test_an_unknown_name_is_repeated_as_it_was_typed():
    with pytest.raises(ValueError, match=r"there is no test called 'Conv3d'; the tests are: .*Conv1d, stride 1; "):
        chosen(load("default"), ["Conv3d"])
