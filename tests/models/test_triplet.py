"""Batch-hard triplets against pytorch-metric-learning's miner and loss."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pytorch_metric_learning.losses import TripletMarginLoss
from pytorch_metric_learning.miners import BatchHardMiner
from pytorch_metric_learning.reducers import MeanReducer
from torch.nn import functional as F

from models.triplet import BatchHardTriplet, TripletHead


@given(
    seed=st.integers(0, 2**32 - 1),
    people=st.integers(2, 5),
    each=st.integers(2, 4),
    features=st.integers(2, 8),
    margin=st.one_of(st.none(), st.floats(0.05, 1)),
)
def test_loss_and_gradient_are_pytorch_metric_learnings(seed, people, each, features, margin):
    torch.manual_seed(seed)
    x = torch.randn(people * each, features, dtype=torch.float64, requires_grad=True)
    labels = torch.arange(people).repeat_interleave(each)[torch.randperm(people * each)]
    theirs = TripletMarginLoss(margin=margin or 0, smooth_loss=margin is None, reducer=MeanReducer())
    expected = theirs(x, labels, BatchHardMiner()(x, labels))
    (grad,) = torch.autograd.grad(expected, x)
    loss = BatchHardTriplet(margin)(x, labels)
    (ours,) = torch.autograd.grad(loss, x)
    torch.testing.assert_close(loss, expected, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(ours, grad, rtol=1e-7, atol=1e-9)


def test_lonely_embeddings_count_for_nothing():
    torch.manual_seed(0)
    x = torch.randn(6, 4)
    labels = torch.tensor([0, 0, 1, 1, 2, 3])
    loss = BatchHardTriplet()(x, labels)
    points = F.normalize(x)
    gaps = []
    for n in range(4):
        own = [m for m in range(6) if labels[m] == labels[n] and m != n]
        others = [m for m in range(6) if labels[m] != labels[n]]
        far = max((points[n] - points[m]).norm() for m in own)
        near = min((points[n] - points[m]).norm() for m in others)
        gaps.append((far - near + 0.2).clamp(min=0))
    torch.testing.assert_close(loss, torch.stack(gaps).mean())


@pytest.mark.parametrize("labels", [[0, 0, 0, 0], [0, 1, 2, 3]])
def test_batch_without_a_triplet_has_no_loss(labels):
    x = torch.randn(4, 3, requires_grad=True)
    loss = BatchHardTriplet()(x, torch.tensor(labels))
    loss.backward()
    assert loss == 0
    assert x.grad.abs().max() == 0


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_equal_embeddings_in_half_precision_have_finite_gradients(dtype):
    x = torch.ones(6, 8, dtype=dtype, requires_grad=True)
    with torch.autocast("cpu", dtype=dtype):
        loss = BatchHardTriplet()(x, torch.tensor([0, 0, 1, 1, 2, 2]))
    loss.backward()
    torch.testing.assert_close(loss.item(), 0.2)
    assert x.grad.isfinite().all()


def test_margin_that_is_none_at_all_is_refused():
    with pytest.raises(ValueError, match="margin 0: expected a distance above 0"):
        BatchHardTriplet(0)


def test_triplets_move_the_embedding_and_cross_entropy_the_heads_directions_alone():
    torch.manual_seed(0)
    head, x, labels = TripletHead(5, 3), torch.randn(8, 5, requires_grad=True), torch.arange(8) % 3
    logits = head(x, labels)
    torch.testing.assert_close(logits, head.scale * F.normalize(x) @ F.normalize(head.weight).T)
    (expected,) = torch.autograd.grad(BatchHardTriplet(0.2)(x, labels), x)
    (F.cross_entropy(logits, labels) + head.triplet_loss).backward()
    torch.testing.assert_close(x.grad, expected)
    assert head.weight.grad.abs().sum() > 0


def test_nobodys_pictures_join_no_triplet_and_evaluation_has_none():
    torch.manual_seed(0)
    head, x = TripletHead(5, 3, margin=None), torch.randn(8, 5)
    labels = torch.tensor([0, 0, 1, 1, 2, 2, -1, -1])
    head(x, labels)
    torch.testing.assert_close(head.triplet_loss, BatchHardTriplet(None)(x[:6], labels[:6]))
    head.eval()(x, labels)
    assert head.triplet_loss is None
