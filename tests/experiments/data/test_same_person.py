"""Images combined with others of the same person: what they are made of, how often, and the same each time."""

from pathlib import Path

import numpy as np
import pytest

from experiments.data.augment import SamePersonMix
from experiments.data.dataset import Faces
from experiments.errors import FacesError

LABELS = np.array([0, 1, 0, 2, 1, 0, 1, 0])
"""Person 2 has one image alone."""


def faces(images: object = None) -> Faces:
    """Each image of one gray, its number times 10."""
    gray = np.broadcast_to(10 * np.arange(8, dtype=np.uint8)[:, None, None, None], (8, 12, 16, 3)).copy()
    return Faces(
        gray if images is None else images, LABELS, ("anna", "ben", "cleo"), tuple(map(Path, map(str, LABELS)))
    )


def combined(share: float = 1.0, epoch: int = 0, of: Faces | None = None) -> np.ndarray:
    plain = faces()
    return SamePersonMix(of or plain, share, seed=0)(plain.images, np.arange(8), epoch)


def test_no_share_leaves_the_images_alone():
    plain = faces()
    assert SamePersonMix(plain, 0.0, seed=0)(plain.images, np.arange(8), 0) is plain.images


@pytest.mark.parametrize("epoch", range(6))
def test_a_image_is_made_of_itself_and_one_other_of_its_person(epoch):
    for number, image in enumerate(combined(epoch=epoch)):
        values = np.unique(image)
        own = 10 * np.flatnonzero(LABELS[number] == LABELS)
        if set(values) <= set(own):  # a rectangle of the other
            assert len(values) <= 2
        else:  # their average
            assert len(values) == 1
            assert own.min() < values[0] < own.max()


def test_both_ways_come_and_what_is_pasted_is_a_rectangle():
    pasted = averaged = 0
    for epoch in range(40):
        image = combined(epoch=epoch)[5]
        other = (image != 50).all(2)
        averaged += other.all()
        if other.any() and not other.all():
            rows, columns = np.flatnonzero(other.any(1)), np.flatnonzero(other.any(0))
            assert other[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].all()
            pasted += 1
    assert pasted >= 8
    assert averaged >= 8


def test_a_persons_only_image_stays_and_so_does_what_was_handed_in():
    plain = faces()
    before = plain.images.copy()
    changed = SamePersonMix(plain, 1.0, seed=0)(plain.images, np.arange(8), 0)
    assert (changed[3] == 30).all()
    assert not np.array_equal(changed, before)
    np.testing.assert_array_equal(plain.images, before)


def test_seed_epoch_and_image_decide():
    np.testing.assert_array_equal(combined(epoch=3), combined(epoch=3))
    assert not np.array_equal(combined(epoch=3), combined(epoch=4))
    plain = faces()
    alone = SamePersonMix(plain, 1.0, seed=0)(plain.images[5:6], np.array([5]), 3)
    np.testing.assert_array_equal(alone[0], combined(epoch=3)[5])


def test_a_share_of_the_images_is_combined():
    plain = faces()
    changed = [np.any(combined(0.5, epoch) != plain.images, axis=(1, 2, 3)) for epoch in range(100)]
    assert 0.35 < np.mean(changed) < 0.5  # a few draw an empty rectangle, and one person has no other image


def test_a_partner_that_cannot_be_read_leaves_the_image_as_it_is():
    class Unreadable:
        def __len__(self) -> int:
            return 8

        def __getitem__(self, index: int) -> np.ndarray:
            raise FacesError(f"{index}: cannot be read")

    np.testing.assert_array_equal(combined(of=faces(Unreadable())), faces().images)
