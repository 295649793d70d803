"""Rubrics: ours add up, and mistakes in others are named."""

from pathlib import Path
from typing import get_args

import pytest
import yaml
from typer.testing import CliRunner

from autograder.checks import FAMILIES
from autograder.checks.case import Dialect
from autograder.cli import app
from autograder.contract import CLASSES
from autograder.hints.catalogue import SENTENCES
from autograder.rubric import Rubric, RubricError, load, names

_PUBLISHED = ("bonus", "cmu-f25", "cmu-s22", "cmu-s24", "hw1p1", "hw1p1-old")


def test_each_has_a_hundred_points() -> None:
    assert {*_PUBLISHED, "default", "earlier"} == set(names())
    assert {name: load(name).full for name in names()} == dict.fromkeys(names(), 100)


@pytest.mark.parametrize("name", ["cmu-f25", "cmu-s22", "cmu-s24"])
def test_in_the_published_rubrics_what_the_published_tests_do_not_look_at_costs_at_most_eight_points(name: str) -> None:
    """A solution that passes the published tests must not fall below 92."""
    strict = ("edge cases", "non-square input", "initializers", "other depths")
    assert sum(points for _, test in load(name).tests for part, points in test.parts.items() if part in strict) <= 8


def test_the_command_lists_them() -> None:
    told = CliRunner().invoke(app, ["rubrics"])
    assert told.exit_code == 0
    assert [line.split()[0] for line in told.stdout.splitlines()] == names()


def test_a_rubric_can_extend_one_of_ours(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("extends: cmu-f25\ntitle: Mine\nseed: 3\n")
    mine = load(tmp_path / "mine.yaml")
    assert (mine.title, mine.seed) == ("Mine", 3)
    assert mine.sections == load("cmu-f25").sections


@pytest.mark.parametrize("base", ["unknown", "[1]", "mine.yaml"])
def test_a_rubric_cannot_extend_what_is_no_rubric_of_ours(base: str, tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(f"extends: {base}\ntitle: Mine\n")
    with pytest.raises(RubricError, match=r"extends is .* expected one of"):
        load(tmp_path / "mine.yaml")


def test_ours_cover_the_contract() -> None:
    asked = {test.check for name in names() for _, test in load(name).tests}
    assert asked == CLASSES == set(FAMILIES)


@pytest.mark.parametrize("name", sorted(FAMILIES))
def test_every_part_has_something_to_check_and_every_guess_a_sentence(name: str) -> None:
    family, parts = FAMILIES[name], set[str]()
    for dialect in get_args(Dialect):
        cases = family.build(1, dialect)
        expectations = [e for case in cases for e in case.expected.values()]
        parts |= {e.part for e in expectations}
        keys = {key.strip() for e in expectations for key in e.guesses}
        keys |= {case.aspect for case in cases if case.aspect}
        assert keys <= set(SENTENCES)
        for case in cases:
            assert {step["out"] for step in case.script.steps if step.get("out")} >= set(case.expected)
    assert parts | {"shape"} == {*family.parts, "shape"}


def test_checks_are_drawn_by_the_seed() -> None:
    def numbers(seed: int) -> list[bytes]:
        return [array.tobytes() for case in FAMILIES["Conv2d"].build(seed, "contract") for array in case.script.arrays]

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
    with pytest.raises(RubricError, match=r"cmu-f25.*default, earlier"):
        load("unknown")


def test_names_are_not_given_twice(tmp_path: Path) -> None:
    twice = {"title": "T", "sections": _GOOD["sections"] * 2}
    with pytest.raises(RubricError, match="more than one test is called 'a'"):
        _load(tmp_path, twice)
