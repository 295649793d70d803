import numpy as np
import pytest

import mytorch
from mytorch import nn


@pytest.fixture
def x():
    return np.random.default_rng(0).standard_normal((300, 400)) + 10


@pytest.mark.parametrize("p", [0.1, 0.5, 0.8])
def test_dropped_fraction_is_p_and_the_mean_stays(x, p):
    mytorch.manual_seed(0)
    y = nn.Dropout(p)(x)
    assert abs((y == 0).mean() - p) < 5 * np.sqrt(p * (1 - p) / x.size)
    assert abs(y.mean() / x.mean() - 1) < 0.02
    np.testing.assert_allclose(y[y != 0], x[y != 0] / (1 - p))


def test_gradient_passes_where_the_forward_passed(x):
    layer = nn.Dropout(0.3)
    y = layer(x)
    np.testing.assert_allclose(layer.backward(np.ones_like(x)), y / x)


def test_same_seed_same_mask(x):
    layer = nn.Dropout()
    mytorch.manual_seed(3)
    first, second = layer(x), layer(x)
    mytorch.manual_seed(3)
    assert np.array_equal(layer(x), first)
    assert not np.array_equal(first, second)


def test_nothing_is_dropped_in_evaluation_or_at_zero(x):
    for layer in (nn.Dropout(0.5).eval(), nn.Dropout(0)):
        assert np.array_equal(layer(x), x)
        assert np.array_equal(layer.backward(x), x)


def test_all_is_dropped_at_one(x):
    layer = nn.Dropout(1)
    assert not layer(x).any()
    assert not layer.backward(x).any()


@pytest.mark.parametrize("p", [-0.1, 1.1])
def test_probability_outside_of_zero_to_one_is_refused(p):
    with pytest.raises(ValueError, match=f"p={p}: expected the probability"):
        nn.Dropout(p)


@pytest.mark.parametrize(
    ("layer", "shape", "free"),
    [
        (nn.Dropout1d(0.4), (50, 40, 3), 2),
        (nn.Dropout1d(0.4), (500, 3), 1),
        (nn.Dropout2d(0.4), (50, 40, 2, 3), 2),
        (nn.Dropout2d(0.4), (50, 40, 3), 2),  # as PyTorch, which takes it for a batch of sequences
        (nn.Dropout3d(0.4), (50, 40, 2, 2, 2), 2),
        (nn.Dropout3d(0.4), (500, 2, 2, 2), 1),
        (nn.FeatureAlphaDropout(0.4), (50, 40, 2, 3), 2),
        (nn.StochasticDepth(0.4, "row"), (600, 3, 2), 1),
        (nn.StochasticDepth(0.4, "row"), (600,), 1),
    ],
)
def test_whole_channels_or_images_are_dropped(layer, shape, free):
    mytorch.manual_seed(0)
    y = layer(np.ones(shape))
    flat = y.reshape(*shape[:free], -1)
    assert (flat == flat[..., :1]).all()
    dropped = (flat[..., 0] == flat.min()).mean()
    assert abs(dropped - 0.4) < 5 * np.sqrt(0.24 / flat[..., 0].size)
    np.testing.assert_allclose(layer.backward(np.ones(shape)) > 0, y == y.max())


@pytest.mark.parametrize("shape", [(7, 3, 2, 2), (7, 3), (7,), ()])
def test_stochastic_depth_of_a_batch_drops_all_or_nothing(shape):
    layer, x = nn.StochasticDepth(0.5, "batch"), np.ones(shape)
    seen = {float(y.min()) for y in (layer(x) for _ in range(40)) if y.min() == y.max()}
    assert seen == {0.0, 2.0}


@pytest.mark.parametrize("p", [0.1, 0.5, 1.0])
@pytest.mark.parametrize("kind", [nn.AlphaDropout, nn.FeatureAlphaDropout])
def test_alpha_dropout_keeps_mean_and_variance_and_takes_pytorchs_two_values(kind, p):
    import torch

    mytorch.manual_seed(0)
    layer, x = kind(p), np.ones((400, 500))
    theirs = torch.nn.AlphaDropout(p)(torch.ones(400, 500, dtype=torch.float64)).numpy()
    np.testing.assert_allclose(np.unique(layer(x)), np.unique(theirs), rtol=1e-12)
    if p < 1:
        y = layer(np.random.default_rng(0).standard_normal(x.shape))
        assert abs(y.mean()) < 0.02
        assert abs(y.var() - 1) < 0.02
    np.testing.assert_array_equal(layer.eval()(x), x)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: nn.StochasticDepth(0.5, "all"), "mode='all': expected 'batch' or 'row'"),
        (lambda: nn.Dropout1d()(np.zeros((2, 3, 4, 5))), r"Dropout1d got .* expected 3 axes, \(N, C, L\)"),
        (lambda: nn.Dropout3d()(np.zeros((2, 3))), r"Dropout3d got .* expected 5 axes, \(N, C, D, H, W\)"),
        (lambda: nn.FeatureAlphaDropout()(np.zeros(3)), r"FeatureAlphaDropout got .* expected \(N, C, \*\)"),
    ],
)
def test_what_does_not_fit_is_refused(build, message):
    with pytest.raises(ValueError, match=message):
        build()
