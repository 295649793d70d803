"""Rubrics: ours add up, and mistakes in others are named."""

from pathlib import Path

import pytest
import yaml

from autograder.checks import FAMILIES
from autograder.contract import CLASSES
from autograder.hints.catalogue import SENTENCES
from autograder.rubric import Rubric, RubricError, load, names


def test_ours_have_a_hundred_points_each() -> None:
    assert names() == ["default", "earlier"]
    assert [load(name).full for name in names()] == [100, 100]


def test_ours_cover_the_contract() -> None:
    asked = {test.check for name in names() for _, test in load(name).tests}
    assert asked == CLASSES == set(FAMILIES)


@pytest.mark.parametrize("name", sorted(FAMILIES))
def test_every_part_has_something_to_check_and_every_guess_a_sentence(name: str) -> None:
    family = FAMILIES[name]
    expectations = [e for case in family.build(1) for e in case.expected.values()]
    assert {e.part for e in expectations} | {"shape"} == {*family.parts, "shape"}
    keys = {key.strip() for e in expectations for key in e.guesses}
    keys |= {case.aspect for case in family.build(1) if case.aspect}
    assert keys <= set(SENTENCES)
    for case in family.build(1):
        assert {step["out"] for step in case.script.steps if step.get("out")} >= set(case.expected)


def test_checks_are_drawn_by_the_seed() -> None:
    def numbers(seed: int) -> list[bytes]:
        return [array.tobytes() for case in FAMILIES["Conv2d"].build(seed) for array in case.script.arrays]

    assert numbers(3) == numbers(3)
    assert numbers(3) != numbers(4)


_GOOD = {
    "title": "T",
    "sections": [{"name": "S", "tests": [{"name": "a", "check": "Conv1d", "parts": {"forward": 2}}]}],
}


def _load(folder: Path, values: object) -> Rubric:
    (folder / "mine.yaml").write_text(yaml.safe_dump(values))
    return load(folder / "mine.yaml")


def test_staff_write_their_own(tmp_path: Path) -> None:
    assert _load(tmp_path, _GOOD).full == 2


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"check": "Conv3d"}, "no checks called 'Conv3d'"),
        ({"parts": {"forwards": 2}}, "Conv1d has no part 'forwards'"),
        ({"parts": {"forward": -1}}, "greater than or equal to 0"),
        ({"parts": {}}, "at least 1"),
        ({"seconds": 0}, "greater than 0"),
        ({"visibility": "secret"}, "visible"),
        ({"points": 3}, "Extra inputs"),
        ({"tolerance": {"absolut": 1}}, "Extra inputs"),
    ],
)
def test_mistakes_are_named(change: dict[str, object], said: str, tmp_path: Path) -> None:
    test = {"name": "a", "check": "Conv1d", "parts": {"forward": 2}, **change}
    with pytest.raises(RubricError, match=said) as caught:
        _load(tmp_path, {"title": "T", "sections": [{"name": "S", "tests": [test]}]})
    assert "mine.yaml" in str(caught.value)
    assert "sections.0.tests.0" in str(caught.value)


@pytest.mark.parametrize("text", ["", "- 1", "a: [", "title: \x01", "42"])
def test_what_is_no_rubric_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(text)
    with pytest.raises(RubricError, match=r"mine\.yaml"):
        load(tmp_path / "mine.yaml")


def test_a_name_that_is_none_of_ours_is_a_path() -> None:
    with pytest.raises(RubricError, match="default, earlier"):
        load("unknown")


def test_names_are_not_given_twice(tmp_path: Path) -> None:
    twice = {"title": "T", "sections": _GOOD["sections"] * 2}
    with pytest.raises(RubricError, match="more than one test is called 'a'"):
        _load(tmp_path, twice)
