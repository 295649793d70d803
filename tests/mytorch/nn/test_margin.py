import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import mytorch
from mytorch import nn

FLOATS = st.sampled_from([np.float64, np.float32])


def arc(cosine, m):
    """The formula as printed, by the angle itself, with the authors' continuation beyond pi."""
    theta = torch.arccos(cosine)
    return torch.where(theta + m < torch.pi, torch.cos(theta + m), cosine - m * np.sin(m))


def logits_of(x, weight, label, s, shifted):
    units = [v / v.norm(dim=1, keepdim=True) for v in (x, weight)]
    rows = []
    for unit, own in zip(units[0], label, strict=True):
        cosines = [unit @ direction for direction in units[1]]
        rows.append(torch.stack([shifted(c) if k == own else c for k, c in enumerate(cosines)]))
    return s * torch.stack(rows)


@settings(max_examples=150)
@given(
    data=st.data(),
    dtype=FLOATS,
    name=st.sampled_from(["ArcFace", "CosFace"]),
    n=st.integers(1, 5),
    classes=st.integers(1, 6),
    features=st.integers(2, 8),
    s=st.floats(1, 64),
    m=st.floats(0, 1),
)
def test_margin_head_is_the_papers_formula_and_its_gradient(
    array, close, data, dtype, name, n, classes, features, s, m
):
    x, grad = array(data, (n, features), dtype), array(data, (n, classes), dtype, stream=1)
    label = np.array(data.draw(st.lists(st.integers(0, classes - 1), min_size=n, max_size=n)))
    layer = getattr(nn, name)(features, classes, s, m).to(dtype)
    tensors = [torch.tensor(np.ascontiguousarray(v), requires_grad=True) for v in (x, layer.weight.data)]
    shifted = (lambda c: arc(c, m)) if name == "ArcFace" else (lambda c: c - m)
    expected = logits_of(*tensors, label, s, shifted)
    close("logits", layer(x, label), expected)
    expected.backward(torch.tensor(np.ascontiguousarray(grad)))
    # near a multiple of its class the gradient vanishes: terms of size s cancel, and each is rounded
    vanished = s * np.abs(grad).max() * (1e-3 if dtype == np.float64 else 1e-2)
    for what, ours, tensor in zip(("x", "weight"), (layer.backward(grad), layer.weight.grad), tensors, strict=True):
        scale = max(abs(tensor.grad.numpy()).max(), vanished)
        assert abs(ours - tensor.grad.numpy()).max() <= (1e-10 if dtype == np.float64 else 1e-4) * scale, what


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", ["ArcFace", "CosFace"])
@pytest.mark.parametrize("sign", [1, -1])
def test_arcface_at_cosines_of_one_and_minus_one_is_finite_and_no_nan(dtype, name, sign):
    layer = getattr(nn, name)(4, 3).to(dtype)
    x = (sign * 3 * layer.weight.data).copy()
    label = np.arange(3)
    logits = layer(x, label)
    back = layer.backward(np.ones_like(logits))
    for value in (logits, back, layer.weight.grad):
        assert np.isfinite(value).all()
    m, cosine = layer.margin, float(sign)
    expected = np.cos(np.arccos(cosine) + m) if sign > 0 else cosine - m * np.sin(m)
    expected = cosine - m if name == "CosFace" else expected
    np.testing.assert_allclose(logits[label, label] / 64, expected, atol=5e-4 if dtype == np.float32 else 1e-7)


def test_arcface_margin_is_in_radians():
    layer = nn.ArcFace(2, 1, scale=1, margin=0.5, dtype=float)
    layer.weight.data[...] = [[1, 0]]
    angle = 0.7
    logit = layer(np.array([[np.cos(angle), np.sin(angle)]]), np.array([0]))
    assert logit[0, 0] == pytest.approx(np.cos(angle + 0.5), rel=1e-12)
    with pytest.raises(ValueError, match=r"margin=28.6: ArcFace needs a scale above 0 and a margin from 0 to 1.571"):
        nn.ArcFace(2, 1, margin=28.6)  # degrees


def test_margin_falls_all_the_way_to_the_opposite_direction():
    layer = nn.ArcFace(2, 1, scale=1, margin=0.5, dtype=float)
    layer.weight.data[...] = [[1, 0]]
    angles = np.linspace(0.01, np.pi - 0.01, 500)
    logits = layer(np.stack([np.cos(angles), np.sin(angles)], 1), np.zeros(500, int))[:, 0]
    assert (np.diff(logits) < 0).all()


def test_embedding_of_zeros_gives_finite_gradients():
    layer = nn.ArcFace(3, 2)
    logits = layer(np.zeros((1, 3), "f"), np.array([1]))
    assert np.isfinite(layer.backward(np.ones_like(logits))).all()


def test_margin_head_with_cross_entropy_passes_the_numerical_check():
    class Both(nn.Module):
        def __init__(self):
            self.head, self.loss = nn.ArcFace(5, 4, scale=8, dtype=float), nn.CrossEntropyLoss()

        def forward(self, x, label):
            return np.array(self.loss(self.head(x, label), label))

        def backward(self):
            return self.head.backward(self.loss.backward())

    mytorch.gradcheck(Both(), np.random.default_rng(0).standard_normal((6, 5)), np.array([0, 1, 2, 3, 0, 1]))


@pytest.mark.parametrize("name", ["ArcFace", "CosFace"])
@pytest.mark.parametrize(
    ("x", "label", "error", "message"),
    [
        (np.zeros((2, 3), "f"), np.array([0, 4]), ValueError, "class indices from 0 to 4: expected 0 to 3"),
        (np.zeros((2, 3), "f"), np.array([0.0, 1.0]), ValueError, "expected 2 class indices"),
        (np.zeros((2, 3), "f"), [0, 1], TypeError, "a target that is a list"),
        (np.zeros((2, 4), "f"), np.array([0, 1]), ValueError, r"expected \(\*, 3\)"),
        (np.zeros(3, "f"), np.array([0]), ValueError, r"expected 2 axes, \(N, F\)"),
        (np.zeros((2, 3)), np.array([0, 1]), TypeError, "input of float64 and has parameters of float32"),
    ],
)
def test_what_does_not_fit_is_refused(name, x, label, error, message):
    with pytest.raises(error, match=f"{name} got .*{message}"):
        getattr(nn, name)(3, 4)(x, label)


@pytest.mark.parametrize("arguments", [{"scale": 0}, {"margin": -0.1}, {"num_classes": 0}])
def test_impossible_head_is_refused(arguments):
    with pytest.raises(ValueError, match=next(iter(arguments))):
        nn.CosFace(**{"in_features": 3, "num_classes": 2, **arguments})


def test_backward_before_forward_and_twice_is_refused():
    layer = nn.CosFace(3, 2)
    with pytest.raises(RuntimeError, match="call forward first"):
        layer.backward(np.zeros((1, 2), "f"))
    y = layer(np.ones((1, 3), "f"), np.array([0]))
    layer.backward(y)
    with pytest.raises(RuntimeError, match="backward once after each forward"):
        layer.backward(y)
