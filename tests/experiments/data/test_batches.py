import random

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from experiments.config.recipe import Recipe
from experiments.config.schema import AugmentSettings, DataSettings
from experiments.data.augment import Augmentation
from experiments.data.dataset import read_split
from experiments.data.loader import Batches, ShardedBatches, normalize_images

EVERYTHING = AugmentSettings(
    flip=0.5, crop=0.7, shift=0.1, zoom=0.2, rotate=20, perspective=0.2, brightness=0.2, contrast=0.2, saturation=0.2,
    hue=0.1, gray=0.1, blur=0.3, policy="randaugment", erase=0.5,
)  # fmt: skip


def batches(faces, augment=EVERYTHING, size=4, seed=0, dtype=np.float32) -> Batches:
    return Batches(faces, Recipe(augment=augment, batch_size=size, seed=seed), dtype)


def pixels(of: Batches, epoch: int) -> np.ndarray:
    return np.concatenate([batch.pixels for batch in of.epoch(epoch)])


def test_the_same_seed_and_epoch_give_the_same_batches(faces):
    for one, other in zip(batches(faces).epoch(3), batches(faces).epoch(3), strict=True):
        assert np.array_equal(one.pixels, other.pixels)
        assert np.array_equal(one.labels, other.labels)


def test_an_epoch_is_the_same_whether_or_not_others_came_before(faces):
    used = batches(faces)
    for epoch in (0, 1):
        list(used.epoch(epoch))
    assert np.array_equal(pixels(used, 2), pixels(batches(faces), 2))


def test_a_batch_is_the_same_whoever_draws_random_numbers_in_between(faces):
    expected, stream, parts = pixels(batches(faces), 1), batches(faces).epoch(1), []
    for batch in stream:
        parts.append(batch.pixels)
        torch.rand(7)
        np.random.rand(3)
    assert np.array_equal(np.concatenate(parts), expected)


@pytest.mark.parametrize("augment", [EVERYTHING, AugmentSettings(flip=0)])
def test_another_epoch_and_another_seed_give_other_batches(faces, augment):
    first = pixels(batches(faces, augment), 0)
    assert not np.array_equal(first, pixels(batches(faces, augment), 1))
    assert not np.array_equal(first, pixels(batches(faces, augment, seed=1), 0))


def test_the_order_and_the_augmentation_change_with_the_epoch_independently(faces):
    """A image looks different in the next epoch, not only elsewhere."""
    one = faces.pick([0, 0])
    assert not np.array_equal(pixels(batches(one), 0), pixels(batches(one), 1))


def test_global_random_states_are_left_as_they_were(faces):
    torch.manual_seed(1)
    before = torch.get_rng_state(), np.random.get_state()[1].tolist(), random.getstate()
    list(batches(faces).epoch(0))
    assert torch.equal(torch.get_rng_state(), before[0])
    assert np.random.get_state()[1].tolist() == before[1]
    assert random.getstate() == before[2]


def test_global_random_states_are_left_as_they_were_even_if_an_epoch_is_left_early(faces):
    before = torch.get_rng_state()
    stream = batches(faces).epoch(0)
    next(stream)
    stream.close()
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("size", range(2, 13))
def test_an_epoch_shows_every_image_once_with_its_label(faces, size):
    of = batches(faces, AugmentSettings(flip=0), size)
    shown = list(of.epoch(0))
    assert len(shown) == len(of)
    rows = {image.tobytes(): label for image, label in zip(faces.images, faces.labels, strict=True)}
    for batch in shown:
        back = np.rint(np.moveaxis(batch.pixels, 1, -1) * 255 * 0.25 + 255 * 0.5).astype(np.uint8)
        for image, label in zip(back, batch.labels, strict=True):
            assert rows.pop(image.tobytes()) == label
    assert not rows


@pytest.mark.parametrize(
    ("count", "size", "expected"),
    [(11, 4, [4, 4, 3]), (9, 4, [4, 5]), (8, 4, [4, 4]), (5, 4, [5]), (3, 2, [3]), (2, 4, [2]), (7, 2, [2, 2, 3])],
)
def test_a_last_image_alone_joins_the_batch_before(faces, count, size, expected):
    of = batches(faces.pick(range(count)), size=size)
    assert [len(batch.labels) for batch in of.epoch(0)] == expected


def test_a_single_image_is_a_batch(faces):
    assert [len(batch.labels) for batch in batches(faces.pick([0])).epoch(0)] == [1]


def test_no_augmentation_leaves_the_pixels_as_they_are(faces):
    same = Augmentation(AugmentSettings(flip=0), seed=0)(faces.images, np.arange(11), epoch=0)
    assert np.array_equal(same, faces.images)


STRONG: dict[str, dict] = {
    **{name: {name: 0.9} for name in ("flip", "shift", "zoom", "perspective", "brightness", "contrast", "saturation")},
    **{name: {name: 1.0} for name in ("gray", "blur", "erase")},
    "crop": {"crop": 0.3},
    "rotate": {"rotate": 30},
    "hue": {"hue": 0.4},
    "policy": {"policy": "trivial"},
    "operations": {"policy": "randaugment", "operations": 4},
    "magnitude": {"policy": "randaugment", "magnitude": 20},
}


@pytest.mark.parametrize("name", list(AugmentSettings.model_fields))
def test_every_augmentation_changes_pixels_and_keeps_their_form(faces, name):
    settings = AugmentSettings(**{"flip": 0, **STRONG[name]})
    changed = Augmentation(settings, seed=0)(faces.images, np.arange(11), epoch=0)
    assert not np.array_equal(changed, faces.images)
    assert (changed.shape, changed.dtype) == (faces.images.shape, np.uint8)


def test_a_certain_flip_mirrors_left_and_right(faces):
    flipped = Augmentation(AugmentSettings(flip=1), seed=0)(faces.images, np.arange(11), epoch=0)
    assert np.array_equal(flipped, faces.images[:, :, ::-1])


def test_half_the_images_are_flipped(faces):
    many = faces.images[np.zeros(400, int)]
    flipped = Augmentation(AugmentSettings(flip=0.5), seed=0)(many, np.arange(400), epoch=0)
    share = np.mean([np.array_equal(image, faces.images[0, :, ::-1]) for image in flipped])
    assert 0.4 < share < 0.6


def test_what_happens_to_a_image_depends_on_its_number_and_not_on_its_batch(faces):
    augmentation = Augmentation(EVERYTHING, seed=0)
    together = augmentation(faces.images, np.arange(11), epoch=2)
    alone = augmentation(faces.images[7:8], np.array([7]), epoch=2)
    assert np.array_equal(together[7], alone[0])


def test_training_does_not_change_the_images_in_memory(faces):
    before = faces.images.copy()
    list(batches(faces).epoch(0))
    assert np.array_equal(faces.images, before)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_pixels_are_normalised_and_channels_last_in_memory(faces, dtype):
    data = DataSettings(mean=0.4, std=0.3)
    values = normalize_images(faces.images, data, dtype)
    expected = (faces.images.transpose(0, 3, 1, 2) / 255 - 0.4) / 0.3
    assert values.shape == (11, 3, 16, 12)
    assert values.dtype == dtype
    np.testing.assert_allclose(values, expected, rtol=0, atol=1e-6 if dtype == np.float32 else 1e-14)
    assert np.moveaxis(values, 1, -1).flags.c_contiguous


def test_the_recipes_own_deviation_brings_pixels_to_plus_and_minus_two():
    extremes = np.array([0, 255], np.uint8).reshape(2, 1, 1, 1).repeat(3, -1)
    assert normalize_images(extremes, DataSettings()).ravel().tolist() == [-2.0] * 3 + [2.0] * 3


def test_validation_images_are_never_augmented(people, tiny):
    """The trap: a split that shares its data set's transform."""
    plain, augmented = tiny("augment={flip: 0}"), tiny("augment={flip: 1, rotate: 90, erase: 1}")
    assert np.array_equal(read_split(people, plain)[1].images, read_split(people, augmented)[1].images)


def test_the_parts_of_a_split_share_no_image_and_leave_none_out(people, tiny):
    train, validation = read_split(people, tiny())
    assert len(train) == 20
    assert len(validation) == 4
    assert len({*train.paths, *validation.paths}) == 24
    assert train.names == validation.names == ("anna", "ben", "chloe", "dan")
    for part in (train, validation):
        assert [path.parent.name for path in part.paths] == [part.names[label] for label in part.labels]


def test_a_subset_of_the_people_is_drawn_by_the_splits_seed(people, tiny):
    names = {read_split(people, tiny("identities=2", f"split.seed={seed}"))[0].names for seed in range(8)}
    assert len(names) > 1
    assert all(len(each) == 2 for each in names)
    assert len({read_split(people, tiny("identities=2", f"seed={seed}"))[0].names for seed in range(8)}) == 1


@pytest.mark.parametrize("error", [False, True])
def test_torch_has_its_threads_back_afterwards(faces, error):
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        augment = Augmentation(EVERYTHING, 0)
        if error:
            with pytest.raises(ValueError, match="zip"):
                augment(faces.images, np.arange(2), 0)
        else:
            augment(faces.images, np.arange(len(faces)), 0)
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)


def expected_sizes(count: int, size: int) -> list[int]:
    """Full batches, then the rest; a rest of one image belongs to the batch before it."""
    full, rest = divmod(count, size)
    sizes = [size] * full + [rest] * (rest > 0)
    return [*sizes[:-2], size + 1] if rest == 1 and full else sizes


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(count=st.integers(1, 11), size=st.integers(2, 12))
def test_the_sizes_of_batches(faces, count, size):
    some = faces.pick(np.arange(count))
    recipe = Recipe(augment=AugmentSettings(flip=0), batch_size=size)
    made = [len(batch.labels) for batch in Batches(some, recipe).epoch(0)]
    assert made == expected_sizes(count, size)
    model = {"backbone": "test_resnet", "weights": "none"}
    transfer = Recipe.model_validate({"model": model, "data": {"size": [16, 12]}, "batch_size": size})
    bounds = ShardedBatches(some, transfer, training=True).bounds
    assert [b - a for a, b in bounds] == expected_sizes(count, size)
    bounds = ShardedBatches(some, transfer, training=False).bounds
    assert [b - a for a, b in bounds] == [size] * (count // size) + [count % size] * (count % size > 0)
