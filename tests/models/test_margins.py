"""Margin heads against pytorch-metric-learning, value and gradient, and in half precision."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pytorch_metric_learning.losses import ArcFaceLoss, CosFaceLoss, SubCenterArcFaceLoss
from torch.nn import functional as F

from models.margins import ArcFace, CosFace, Cosine, SubCenterArcFace

HEADS = {
    "arcface": (ArcFace, {}, ArcFaceLoss, {}),
    "cosface": (CosFace, {}, CosFaceLoss, {}),
    "subcenter": (SubCenterArcFace, {"centers": 3}, SubCenterArcFaceLoss, {"sub_centers": 3}),
}


@pytest.mark.parametrize("name", HEADS)
@given(data=st.data())
def test_loss_and_gradients_are_pytorch_metric_learnings(name, data):
    kind, mine, oracle, their_settings = HEADS[name]
    seed = data.draw(st.integers(0, 2**32 - 1))
    n, features, classes = data.draw(st.tuples(st.integers(1, 9), st.integers(2, 8), st.integers(2, 6)))
    scale = data.draw(st.floats(1, 64))
    margin = data.draw(st.floats(0.05, 0.9))
    torch.manual_seed(seed)
    x = torch.randn(n, features, dtype=torch.float64, requires_grad=True)
    labels = torch.randint(classes, (n,))
    ours = kind(features, classes, scale=scale, margin=margin, **mine).double()
    theirs = oracle(
        num_classes=classes,
        embedding_size=features,
        margin=margin if name == "cosface" else math.degrees(margin),
        scale=scale,
        **their_settings,
    )
    theirs.W.data = ours.weight.detach().T.clone()
    expected = theirs(x, labels)
    grad, weight_grad = torch.autograd.grad(expected, [x, theirs.W])
    loss = F.cross_entropy(ours(x, labels), labels)
    our_grad, our_weight_grad = torch.autograd.grad(loss, [x, ours.weight])
    torch.testing.assert_close(loss, expected, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(our_grad, grad, rtol=1e-7, atol=1e-9)
    torch.testing.assert_close(our_weight_grad, weight_grad.T, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("kind", [Cosine, CosFace, ArcFace, SubCenterArcFace])
@pytest.mark.parametrize("form", ["float32", "autocast bfloat16", "autocast float16", "bfloat16", "float16"])
def test_embeddings_on_their_centre_and_opposite_it_have_finite_gradients(kind, form):
    torch.manual_seed(0)
    head = kind(16, 4)
    centers = head.weight.detach()[:: len(head.weight) // 4]
    x = torch.cat([centers, -centers, 1e-3 * centers, 100 * centers, torch.zeros(1, 16)])
    labels = torch.tensor([0, 1, 2, 3] * 4 + [0])
    name = form.split()[-1]
    dtype = getattr(torch, name)
    if "autocast" not in form:
        head = head.to(dtype)
    x = x.to(dtype).requires_grad_()
    with torch.autocast("cpu", dtype=dtype, enabled="autocast" in form):
        logits = head(x, labels)
        loss = F.cross_entropy(logits, labels)
    loss.backward()
    assert logits.dtype == torch.float32
    for tensor in (logits, loss, x.grad, head.weight.grad):
        assert tensor.isfinite().all()
    assert head.weight.grad.abs().max() > 0


def test_half_precision_gives_the_logits_of_single():
    torch.manual_seed(0)
    head, x, labels = ArcFace(32, 10), torch.randn(20, 32), torch.randint(10, (20,))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = head(x, labels)
    assert torch.equal(inside, head(x, labels))


@pytest.mark.parametrize("kind", [CosFace, ArcFace, SubCenterArcFace])
def test_margin_counts_in_training_with_labels_alone(kind):
    torch.manual_seed(0)
    head, x, labels = kind(8, 5), torch.randn(6, 8), torch.randint(5, (6,))
    plain = head(x)
    own = F.one_hot(labels, 5).bool()
    assert torch.equal(plain[~own], head(x, labels)[~own])
    assert (head(x, labels)[own] < plain[own]).all()
    assert torch.equal(head.eval()(x, labels), plain)
    assert plain.abs().max() <= head.scale


@pytest.mark.parametrize("easy", [False, True])
def test_arcface_is_the_angle_plus_the_margin_and_goes_on_falling(easy):
    head = ArcFace(2, 2, margin=0.5, easy_margin=easy)
    angle = torch.linspace(0, math.pi, 2001, dtype=torch.float64)
    found = head.with_margin(angle.cos())
    inside = angle < (math.pi / 2 if easy else math.pi - 0.5) - 1e-9
    torch.testing.assert_close(found[inside][1:], (angle + 0.5).cos()[inside][1:], rtol=1e-9, atol=1e-9)
    if easy:
        assert torch.equal(found[angle.cos() < 0], angle.cos()[angle.cos() < 0])
    else:
        assert (found.diff() < 0).all()


@pytest.mark.parametrize(
    ("kind", "settings", "message"),
    [
        (ArcFace, {"margin": 28.6}, "radians, from 0 to below pi / 2: 0.5 in the paper, 0.499 if degrees were meant"),
        (ArcFace, {"margin": -0.1}, "radians"),
        (CosFace, {"margin": 1.0}, "from 0 to below 1"),
        (Cosine, {"scale": 0.0}, "scale 0.0: expected a number above 0"),
        (SubCenterArcFace, {"centers": 0}, "centers 0: expected 1 or more"),
    ],
)
def test_bad_setting_is_refused(kind, settings, message):
    with pytest.raises(ValueError, match=message.replace(".", r"\.")):
        kind(4, 3, **settings)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("kind", [CosFace, ArcFace, SubCenterArcFace])
def test_gradients_are_finite_at_cosines_of_exactly_one(kind, dtype):
    cosine = torch.tensor([1.0, -1.0, 0.0], dtype=dtype, requires_grad=True)
    shifted = kind(4, 3).with_margin(cosine)
    shifted.sum().backward()
    assert shifted.isfinite().all()
    assert cosine.grad is not None
    assert cosine.grad.isfinite().all()


def test_an_embedding_with_some_zeros_keeps_its_direction_and_one_of_zeros_has_none():
    torch.manual_seed(0)
    head, x = Cosine(4, 3, scale=2.0).double(), torch.randn(5, 4, dtype=torch.float64)
    x[0, 1:] = 0
    x[1, 2] = 0
    x[2] = 0
    logits = head(x.requires_grad_())
    expected = 2 * F.cosine_similarity(x[:, None], head.weight[None], dim=2)
    torch.testing.assert_close(logits, expected, rtol=1e-12, atol=1e-12)
    logits.square().sum().backward()
    assert (x.grad.abs().sum(1) > 0).tolist() == [True, True, False, True, True]
