import itertools

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from experiments.config.recipe import Recipe
from experiments.config.schema import AugmentSettings, DataSettings
from experiments.data.dataset import Faces
from experiments.data.images import ImageError
from experiments.data.loader import Batches, EpochLoader, ShardedBatches, group_by_person, normalize_tensor
from experiments.errors import FacesError

AUGMENT = AugmentSettings(flip=0.5, crop=0.7, brightness=0.2, erase=0.5)


def recipe(size=4, skip=False, augment=AUGMENT) -> Recipe:
    model = {"backbone": "test_resnet", "weights": "none"}
    data = {"size": [16, 12], "on_bad_image": "skip" if skip else "stop"}
    return Recipe.model_validate({"model": model, "data": data, "augment": augment.model_dump(), "batch_size": size})


def shares(faces, rank=0, processes=1, training=True, start=0, workers=0, **settings):
    loader = EpochLoader(ShardedBatches(faces, recipe(**settings), training, rank, processes), workers)
    return list(loader.epoch(2, start))


def test_one_process_sees_the_batches_that_mytorch_sees(faces):
    expected = list(Batches(faces, recipe()).epoch(2))
    data = recipe().data
    for share, batch in zip(shares(faces), expected, strict=True):
        pixels = normalize_tensor(share.images, data, torch.device("cpu"))
        torch.testing.assert_close(pixels, torch.from_numpy(np.ascontiguousarray(batch.pixels)), atol=1e-6, rtol=0)
        assert share.labels.tolist() == batch.labels.tolist()
        assert share.total == len(batch.labels)


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded")
def test_workers_make_the_same_batches_as_none(faces):
    for one, other in zip(shares(faces), shares(faces, workers=2), strict=True):
        assert torch.equal(one.images, other.images)
        assert torch.equal(one.indices, other.indices)


def test_an_epoch_from_the_middle_on_is_the_rest_of_a_whole_one(faces):
    for one, other in zip(shares(faces)[1:], shares(faces, start=1), strict=True):
        assert torch.equal(one.images, other.images)


@pytest.mark.parametrize("processes", [2, 3, 4])
@pytest.mark.parametrize("size", [3, 4, 5])
def test_processes_share_each_batch_out_and_leave_no_image(faces, processes, size):
    alone = shares(faces, size=size)
    together = [shares(faces, rank, processes, size=size) for rank in range(processes)]
    for batch, *parts in zip(alone, *together, strict=True):
        real = [part.indices[part.weights > 0].tolist() for part in parts]
        assert sorted(itertools.chain(*real)) == sorted(batch.indices.tolist())
        assert all(len(part.indices) >= 2 for part in parts)
        assert {part.total for part in parts} == {len(batch.indices)}


@pytest.mark.parametrize("processes", [2, 3])
def test_a_share_turned_round_pairs_the_images_that_the_whole_batch_would(faces, processes):
    batch = shares(faces, size=11)[0].indices
    pairs = {int(a): int(b) for a, b in zip(batch, batch.flip(0), strict=True)}
    for rank in range(processes):
        share = shares(faces, rank, processes, size=11)[0].indices
        assert all(pairs[int(a)] == int(b) for a, b in zip(share, share.flip(0), strict=True))


def test_validation_is_neither_shuffled_nor_augmented(faces):
    seen = shares(faces, training=False)
    assert torch.cat([share.indices for share in seen]).tolist() == list(range(11))
    images = torch.cat([share.images for share in seen]).permute(0, 2, 3, 1).numpy()
    assert np.array_equal(images, faces.images)


class Damaged:
    """Images read on demand, some of which cannot be."""

    def __init__(self, images: np.ndarray, bad: set[int]):
        self.images, self.bad = images, bad

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, chosen):
        for index in np.atleast_1d(chosen):
            if int(index) in self.bad:
                raise ImageError(f"{index}.png: cannot be decoded")
        return self.images[chosen]


def damaged(faces, *bad: int) -> Faces:
    return Faces(Damaged(faces.images, set(bad)), faces.labels, faces.names, faces.paths)  # type: ignore[arg-type]


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded")
@pytest.mark.parametrize("workers", [0, 1])
def test_a_bad_image_ends_the_epoch_by_name(faces, workers):
    with pytest.raises(FacesError, match=r"^7\.png: cannot be decoded; or skip .* data\.on_bad_image=skip"):
        shares(damaged(faces, 7), workers=workers)


def test_a_bad_image_that_is_skipped_weighs_nothing_and_is_named(faces):
    seen = shares(damaged(faces, 7, 3), skip=True, augment=AugmentSettings(flip=0))
    assert sorted(itertools.chain(*(share.bad for share in seen))) == [
        "3.png: cannot be decoded",
        "7.png: cannot be decoded",
    ]
    for share in seen:
        for image, index, weight in zip(share.images, share.indices, share.weights, strict=True):
            assert weight == (int(index) not in (7, 3))
            own = np.array_equal(image.permute(1, 2, 0).numpy(), faces.images[index])
            assert own == bool(weight)


def test_a_batch_of_bad_images_alone_is_gray(faces):
    seen = shares(damaged(faces, *range(11)), skip=True, augment=AugmentSettings(flip=0))
    assert all(share.weights.sum() == 0 and (share.images == 128).all() for share in seen)


@pytest.mark.parametrize("channels_last", [False, True])
def test_statistics_of_each_channel(channels_last):
    images = torch.randint(0, 256, (2, 3, 5, 4), dtype=torch.uint8)
    data = DataSettings(mean=[0.1, 0.2, 0.3], std=[0.5, 0.6, 0.7])
    pixels = normalize_tensor(images, data, torch.device("cpu"), channels_last)
    expected = (images / 255 - torch.tensor(data.mean).view(3, 1, 1)) / torch.tensor(data.std).view(3, 1, 1)
    torch.testing.assert_close(pixels, expected, atol=1e-5, rtol=1e-5)
    assert pixels.is_contiguous(memory_format=torch.channels_last) == channels_last


@given(st.lists(st.integers(0, 4), min_size=1, max_size=40), st.integers(2, 5), st.integers(0, 99))
def test_groups_of_a_person_follow_one_another_and_every_image_is_there(labels, each, seed):
    labels, rng = np.array(labels), np.random.default_rng(seed)
    order = rng.permutation(len(labels))
    assert group_by_person(order, labels, 1, rng) is order
    grouped = group_by_person(order, labels, each, rng)
    assert sorted(grouped) == list(range(len(labels)))
    runs = [len(list(run)) for _, run in itertools.groupby(labels[grouped])]
    assert len(runs) <= sum(-(-count // each) for count in np.bincount(labels))


def test_the_groups_of_a_person_are_apart():
    """Twelve images each of two people in groups of three: by chance, all groups of a person follow one another."""
    labels, longest = np.repeat([0, 1], 12), []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        grouped = labels[group_by_person(rng.permutation(24), labels, 3, rng)]
        runs = [len(list(run)) for _, run in itertools.groupby(grouped)]
        assert all(run % 3 == 0 for run in runs)
        longest.append(max(runs))
    assert np.mean(longest) < 9
