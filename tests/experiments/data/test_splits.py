import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.data.dataset import SplitError, split
from experiments.data.folders import find_identities
from experiments.errors import FacesError

seeds = st.integers(0, 2**32)
fractions = st.floats(0, 1, exclude_min=True, exclude_max=True)
counts = st.lists(st.integers(2, 12), min_size=1, max_size=8)


def labels_of(counts: list[int], order_seed: int = 0) -> np.ndarray:
    """Labels of identities with these counts, in a shuffled order."""
    labels = np.repeat(np.arange(len(counts)), counts)
    return np.random.default_rng(order_seed).permutation(labels)


@given(counts, fractions, seeds)
def test_a_fraction_of_every_identity_trains_and_at_least_one_image_is_on_each_side(counts, fraction, seed):
    labels = labels_of(counts)
    train, validation = split(labels, fraction, seed)
    for identity, count in enumerate(counts):
        expected = min(max(round(fraction * count), 1), count - 1)
        assert (labels[train] == identity).sum() == expected
        assert (labels[validation] == identity).sum() == count - expected


@given(st.lists(st.integers(4, 12), min_size=1, max_size=8), st.integers(1, 3), seeds)
def test_a_number_of_images_of_every_identity_trains(counts, number, seed):
    labels = labels_of(counts)
    train, validation = split(labels, number, seed)
    assert np.bincount(labels[train]).tolist() == [number] * len(counts)
    assert np.bincount(labels[validation]).tolist() == [count - number for count in counts]


@given(counts, fractions | st.just(1), seeds)
def test_every_index_is_on_exactly_one_side_in_ascending_order(counts, train, seed):
    sides = split(labels_of(counts), train, seed)
    assert sorted(np.concatenate(sides)) == list(range(sum(counts)))
    for side in sides:
        assert side.dtype == np.int64
        assert (np.diff(side) > 0).all()


@given(counts, fractions, seeds)
def test_the_same_seed_gives_the_same_split(counts, train, seed):
    labels = labels_of(counts)
    for first, again in zip(split(labels, train, seed), split(labels, train, seed), strict=True):
        np.testing.assert_array_equal(first, again)


def test_another_seed_gives_another_split():
    labels = labels_of([10] * 4)
    assert len({split(labels, 0.5, seed)[0].tobytes() for seed in range(20)}) == 20


def test_the_split_is_the_same_on_every_machine():
    train, validation = split(np.repeat([0, 1], 5), 3, seed=7)
    assert (train.tolist(), validation.tolist()) == ([1, 2, 4, 5, 7, 9], [0, 3, 6, 8])


@given(st.data(), seeds)
def test_an_identitys_split_does_not_change_when_others_come(data, seed):
    old = data.draw(st.lists(st.sampled_from("bdfhk"), min_size=1, unique=True))
    names = sorted(old + data.draw(st.lists(st.sampled_from("aceg"), unique=True)))
    count = {name: 3 + ord(name) % 5 for name in names}

    def training(names: list[str]) -> dict[str, list[int]]:
        labels = np.repeat(np.arange(len(names)), [count[name] for name in names])
        chosen = split(labels, 0.6, seed, names)[0]
        starts = np.searchsorted(labels, np.arange(len(names)))
        return {name: [i - starts[n] for i in chosen if labels[i] == n] for n, name in enumerate(names)}

    before, after = training(sorted(old)), training(names)
    assert before == {name: after[name] for name in old}


def test_identities_are_not_all_split_at_the_same_places():
    train, _ = split(np.repeat(np.arange(30), 10), 5, seed=0)
    assert len({tuple(row) for row in train.reshape(30, 5) % 10}) > 20


def test_every_place_trains_equally_often():
    train, _ = split(np.repeat(np.arange(2000), 10), 8, seed=0)
    share = np.bincount(train % 10) / 2000
    assert np.abs(share - 0.8).max() < 5 * np.sqrt(0.8 * 0.2 / 2000)


def test_no_images_at_all():
    train, validation = split(np.empty(0, np.int64), 0.8, seed=0)
    assert train.shape == validation.shape == (0,)


# What cannot be split


def test_an_identity_with_one_image_is_named():
    with pytest.raises(
        SplitError, match=r"at least 2 images to be split, but bob has 1: remove its folder, add images$"
    ):
        split(np.array([0, 0, 1, 2, 2]), 0.5, 0, ["ann", "bob", "cid"])


def test_an_identity_with_too_few_for_a_number_is_named_by_its_label():
    with pytest.raises(SplitError, match=r"at least 4 images .*, but 1 has 3: .*or put fewer into training$"):
        split(np.repeat([0, 1], [4, 3]), 3, 0)


def test_of_many_identities_a_few_are_named():
    with pytest.raises(SplitError, match=r"0 has 1, 1 has 1, 2 has 1, 3 has 1, 4 has 1 and 95 more: "):
        split(np.arange(100), 0.5, 0)


@pytest.mark.parametrize("train", [0, 1.0, 0.0, -0.2, 1.5, -3, True, float("nan"), "0.8", None])
def test_what_is_neither_a_fraction_nor_a_number(train):
    with pytest.raises(FacesError, match=r"train is .*, expected a fraction between 0 and 1 \(0\.8\), or a number"):
        split(np.array([0, 0]), train, 0)


@pytest.mark.parametrize("labels", [np.zeros((2, 2), int), np.zeros(4), np.array(["a", "b"])])
def test_what_are_not_labels(labels):
    with pytest.raises(ValueError, match=r"expected labels of shape \(N,\)"):
        split(labels, 0.5, 0)


@pytest.mark.real
def test_the_real_set_can_be_split(shared_data):
    celeb = find_identities(shared_data / "celeb")
    train, validation = split(celeb.labels, 0.8, 0, celeb.names)
    assert set(celeb.labels[validation]) == set(range(212))
    assert abs(len(train) / len(celeb) - 0.8) < 0.01
