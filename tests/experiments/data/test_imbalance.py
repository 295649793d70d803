"""People with few images: weights against scikit-learn and the paper's formula, and a balanced order of an epoch."""

from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.utils.class_weight import compute_class_weight

from experiments.config.load import load_recipe
from experiments.config.recipe import Recipe
from experiments.config.schema import LossSettings
from experiments.data.dataset import Faces
from experiments.data.imbalance import balanced_order, compute_class_weights
from experiments.data.loader import BatchShard, EpochLoader, ShardedBatches
from experiments.errors import FacesError

Labels = st.lists(st.integers(0, 5), min_size=1, max_size=60)


@given(Labels)
def test_balanced_weights_are_scikit_learns(labels):
    counts, present = np.bincount(labels, minlength=7), np.unique(labels)
    weights = compute_class_weights(counts, LossSettings(class_weights="balanced"))
    assert weights is not None
    expected = compute_class_weight("balanced", classes=present, y=labels)
    np.testing.assert_allclose(weights[present], expected, rtol=1e-12)
    assert not weights[counts == 0].any()


@given(Labels, st.sampled_from([0.5, 0.9, 0.999, 1 - 1e-12]))
def test_effective_weights_are_the_papers_with_a_mean_of_one(labels, beta):
    counts = np.bincount(labels)
    weights = compute_class_weights(counts, LossSettings(class_weights="effective", beta=beta))
    assert weights is not None
    effective = np.array([sum(beta**power for power in range(count)) for count in counts])  # 1 + beta + beta**2 + ...
    np.testing.assert_allclose((weights * effective)[counts > 0], (weights * effective).max(), rtol=1e-9)
    assert weights[labels].mean() == pytest.approx(1, rel=1e-9)


def test_without_class_weights_there_are_none():
    assert compute_class_weights(np.array([1, 2]), LossSettings()) is None


@given(Labels, st.integers(0, 9))
def test_a_balanced_epoch_has_equally_many_images_of_each_person(labels, seed):
    labels = np.array(labels)
    order, repeats = balanced_order(labels, np.random.default_rng(seed))
    drawn = Counter(labels[order].tolist())
    assert len(order) == len(repeats) == len(labels)
    quotas = [drawn[person] for person in np.unique(labels)]
    assert max(quotas) - min(quotas) <= 1
    times = np.bincount(order, minlength=len(labels))
    for person in np.unique(labels):
        own = times[labels == person]
        assert own.max() - own.min() <= 1  # every image is drawn before any is drawn again
    assert len(set(zip(order.tolist(), repeats.tolist(), strict=True))) == len(order)


def uneven(count: int = 24) -> Faces:
    """Images of noise: of the first person three, of the second as many as are left."""
    images = np.random.default_rng(2).integers(0, 256, (count, 16, 16, 3), np.uint8)
    return Faces(images, (np.arange(count) >= 3).astype(np.int64), ("few", "many"), ())


def recipe(**settings) -> Recipe:
    data, augment = {"size": [16, 16]}, {"flip": 0.5, "crop": 0.5, "brightness": 0.3}
    return Recipe.model_validate({"data": data, "augment": augment, "batch_size": 7, **settings})


def epoch(faces: Faces, of: Recipe, number: int = 1, start: int = 0, **processes) -> list[BatchShard]:
    return list(EpochLoader(ShardedBatches(faces, of, True, **processes), 0).epoch(number, start))


def test_an_image_that_is_drawn_again_is_augmented_in_another_way():
    shards = epoch(uneven(), recipe(sampling="balanced"))
    indices = torch.cat([shard.indices for shard in shards])
    images = torch.cat([shard.images for shard in shards])
    repeated = images[indices == 0]
    assert len(repeated) == 4
    assert len({image.numpy().tobytes() for image in repeated}) == len(repeated)
    assert Counter((indices >= 3).tolist()) == {False: 12, True: 12}


def test_a_balanced_epoch_from_the_middle_on_is_the_rest_of_a_whole_one():
    of = recipe(sampling="balanced", mixing={"same_person": 0.5})
    whole, rest = epoch(uneven(), of), epoch(uneven(), of, start=2)
    assert len(rest) == len(whole) - 2
    for one, other in zip(whole[2:], rest, strict=True):
        assert torch.equal(one.images, other.images)


def test_processes_divide_a_balanced_batch():
    of = recipe(sampling="balanced")
    parts = [epoch(uneven(), of, rank=rank, processes=2) for rank in range(2)]
    for batch, *shards in zip(epoch(uneven(), of), *parts, strict=True):
        real = torch.cat([shard.indices[shard.weights > 0] for shard in shards])
        assert Counter(real.tolist()) == Counter(batch.indices.tolist())


def test_every_image_carries_the_weight_of_its_person():
    faces = uneven()
    for shard in epoch(faces, recipe(loss={"class_weights": "balanced"})):
        assert shard.loss_weights is not None
        expected = torch.where(shard.labels == 0, 24 / (2 * 3), 24 / (2 * 21))
        torch.testing.assert_close(shard.loss_weights, expected)
    assert all(shard.loss_weights is None for shard in epoch(faces, recipe()))


def test_by_default_the_order_is_that_of_earlier_versions():
    indices = torch.cat([shard.indices for shard in epoch(uneven(), recipe(seed=3), number=5)])
    assert indices.tolist() == np.random.default_rng((3, 5)).permutation(24).tolist()


NETWORK = "model={backbone: test_resnet, weights: none}"


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (["loss.class_weights=balanced", "sampling=balanced"], "would count twice; choose one"),
        (["loss.class_weights=balanced", "mixing.mixup=0.2"], "has no weight of one; use sampling=balanced"),
        (["loss.class_weights=effective", "mixing.cutmix=0.2"], "loss.class_weights=effective: an image mixed"),
        ([NETWORK, "model.head={name: triplet}", "sampling=balanced"], "sampling=balanced: a triplet compares"),
        ([NETWORK, "model.head={name: triplet}", "loss.class_weights=balanced"], "a triplet compares"),
        ([NETWORK, "model.head={name: prototypes}", "epochs=0", "sampling=balanced"], "are computed, not learned"),
        (["loss.class_weights=inverse"], "expected 'none', 'balanced' or 'effective'"),
        (["loss.beta=1"], "loss.beta=1: "),
        (["sampling=even"], "expected 'shuffle' or 'balanced'"),
    ],
)
def test_what_makes_no_sense_is_refused(settings, expected):
    with pytest.raises(FacesError) as error:
        load_recipe("scratch_cnn", settings)
    assert expected in str(error.value)


def test_balanced_sampling_goes_with_mixing():
    assert load_recipe("scratch_cnn", ["sampling=balanced", "mixing.mixup=0.2"]).sampling == "balanced"
