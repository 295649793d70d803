"""Identities: the same numbers are the same person, different ones are different people."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.data.synthetic import Identity, draw_identity
from experiments.data.synthetic.styles import FRINGES, STYLES

numbers = st.integers(0, 2**40)


@given(seed=numbers, number=numbers)
def test_an_identity_depends_on_seed_and_number_only(seed: int, number: int) -> None:
    first = draw_identity(seed, number)
    draw_identity(seed, number + 1)
    assert draw_identity(seed, number) == first
    assert first.number == number


@given(seed=numbers, number=numbers)
def test_features_fit_in_the_face(seed: int, number: int) -> None:
    identity = draw_identity(seed, number)
    eyes, head, mouth = identity.eyes, identity.head, identity.mouth
    assert eyes.spacing - eyes.width > 0.0, "the eyes stand apart"
    assert eyes.spacing + eyes.width < head.width, "the eyes end before the face does"
    assert eyes.y < identity.nose.y < mouth.y - mouth.upper < mouth.y + mouth.lower < 1
    for color in (identity.skin, eyes.color, identity.hair.color, mouth.color, identity.beard.color):
        assert all(0 <= channel <= 255 for channel in color)


def test_no_two_people_are_alike() -> None:
    people = {dataclasses.replace(draw_identity(5, k), number=0) for k in range(500)}
    assert len(people) == 500


def test_seeds_give_other_people() -> None:
    assert draw_identity(1, 3) != draw_identity(2, 3)


def test_every_style_is_worn_by_someone() -> None:
    people = [draw_identity(0, k) for k in range(1500)]
    assert {person.hair.style for person in people} == set(STYLES)
    assert {person.hair.fringe for person in people} == set(FRINGES)
    with_glasses = sum(person.glasses is not None for person in people) / len(people)
    assert 0.1 < with_glasses < 0.4
    assert not any(person.beard.full for person in people if person.hair.style == "headscarf")


def test_an_identity_cannot_be_changed() -> None:
    person: Identity = draw_identity(0, 0)
    with pytest.raises(dataclasses.FrozenInstanceError):
        person.number = 1  # type: ignore[misc]
