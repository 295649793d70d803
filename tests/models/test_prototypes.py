"""Class means and nearest embeddings against scikit-learn."""

import numpy as np
import pytest
import torch
from sklearn.neighbors import KNeighborsClassifier, NearestCentroid
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


def test_with_nearest_the_nearest_embedding_of_each_class_counts():
    x, labels = people(50)
    x, labels = x[:47], labels[:47]  # classes of several sizes
    queries, _ = people()
    mean, alone, both = (Prototypes(8, 6, nearest=share).fit(x, labels) for share in (0.0, 1.0, 0.3))
    oracle = KNeighborsClassifier(1, metric="cosine").fit(x.numpy(), labels.numpy())
    np.testing.assert_array_equal(alone(queries).argmax(1), oracle.predict(queries.numpy()))
    each = torch.stack([(F.normalize(queries) @ F.normalize(x[labels == n]).T).amax(1) for n in range(6)], 1)
    torch.testing.assert_close(alone(queries), 64 * each)
    torch.testing.assert_close(both(queries), 0.7 * mean(queries) + 0.3 * alone(queries))


def test_embeddings_travel_in_the_state_dict_however_many_there_are():
    x, labels = people()
    head, other = Prototypes(8, 6, nearest=0.5).fit(x, labels), Prototypes(8, 6, nearest=0.5)
    assert head.members.shape == (6, 10, 8)
    other.load_state_dict(head.state_dict())
    assert torch.equal(other(x), head(x))
    with pytest.raises(RuntimeError, match=r"size mismatch for members.*\[6, 10, 8\].*\[5, 10, 8\]"):
        Prototypes(8, 5, nearest=0.5).load_state_dict(head.state_dict())
    assert "members" not in Prototypes(8, 6).state_dict()


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
    with pytest.raises(ValueError, match=r"nearest 1\.5: expected a weight from 0 to 1"):
        Prototypes(8, 3, nearest=1.5)
