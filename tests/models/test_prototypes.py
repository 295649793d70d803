"""Class means against scikit-learn's nearest centroid."""

import numpy as np
import pytest
import torch
from sklearn.neighbors import NearestCentroid
from torch.nn import functional as F

from models.prototypes import Prototypes


def people(n: int = 60, classes: int = 6) -> tuple[torch.Tensor, torch.Tensor]:
    torch.manual_seed(0)
    labels = torch.randperm(n) % classes
    return 3 * torch.randn(classes, 8)[labels] + torch.randn(n, 8) * torch.rand(n, 1) * 4, labels


def test_means_are_scikit_learns_and_so_are_the_answers():
    x, labels = people()
    head = Prototypes(8, 6).fit(x, labels)
    oracle = NearestCentroid().fit(F.normalize(x).numpy(), labels.numpy())
    centroids = F.normalize(torch.from_numpy(oracle.centroids_).float())
    torch.testing.assert_close(head.means, centroids)
    np.testing.assert_array_equal(head(x).argmax(1), (F.normalize(x) @ centroids.T).argmax(1))
    assert head(x).abs().max() <= head.scale
    assert head.counts.tolist() == [10] * 6


def test_means_travel_in_the_state_dict_and_nothing_trains():
    x, labels = people()
    head, other = Prototypes(8, 6).fit(x, labels), Prototypes(8, 6)
    other.load_state_dict(head.state_dict())
    assert torch.equal(other(x), head(x))
    assert list(head.parameters()) == []


def test_fitting_again_forgets():
    x, labels = people()
    head = Prototypes(8, 6).fit(torch.randn(12, 8), torch.arange(12) % 6).fit(x, labels)
    assert torch.equal(head.means, Prototypes(8, 6).fit(x, labels).means)


def test_empty_prototypes_and_classes_without_pictures_are_refused():
    head = Prototypes(8, 3)
    with pytest.raises(ValueError, match="call fit"):
        head(torch.randn(2, 8))
    with pytest.raises(ValueError, match="labels name 2 classes, expected all of 3: none has label 1"):
        head.fit(torch.randn(2, 8), torch.tensor([0, 2]))
    with pytest.raises(ValueError, match="labels name 4 classes, expected all of 3"):
        head.fit(torch.randn(4, 8), torch.arange(4))
