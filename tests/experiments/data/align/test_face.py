"""Which of several faces is meant."""

import numpy as np
import pytest

from experiments.data.align import Face, choose_face


def face(left: float, top: float, side: float, score: float = 0.9) -> Face:
    return Face(np.array([left, top, left + side, top + side], float), score, np.zeros((5, 2)))


CENTER, LARGE, SURE = face(75, 75, 50), face(0, 0, 70), face(180, 180, 20, 0.99)


@pytest.mark.parametrize(("rule", "wanted"), [("central", CENTER), ("largest", LARGE), ("score", SURE)])
def test_each_rule_takes_its_own(rule, wanted):
    for faces in ([CENTER, LARGE, SURE], [SURE, LARGE, CENTER]):
        assert choose_face(faces, 200, 200, rule) is wanted


def test_a_far_larger_face_wins_wherever_it_is():
    large = face(0, 0, 150)
    assert choose_face([CENTER, large], 200, 200) is large


def test_no_face_is_none():
    assert choose_face([], 10, 10) is None
