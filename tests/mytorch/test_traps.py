"""Mistakes that other libraries and courses have made. More are tested with the layers."""

import numpy as np
import pytest
import torch

import mytorch
from mytorch import nn


def agree(layer, theirs, shape):
    x = np.random.default_rng(0).standard_normal(shape)
    tensor = torch.tensor(x, requires_grad=True)
    y, expected = layer(x), theirs(tensor)
    np.testing.assert_allclose(y, expected.detach(), rtol=1e-10, atol=1e-12)
    grad = np.random.default_rng(1).standard_normal(y.shape)
    expected.backward(torch.tensor(grad))
    np.testing.assert_allclose(layer.backward(grad), tensor.grad, rtol=1e-10, atol=1e-12)


WINDOWED = [nn.MaxPool2d((3, 2), (2, 3), 1), nn.AvgPool2d((3, 2), (2, 3), 1)]
THEIRS = [torch.nn.MaxPool2d((3, 2), (2, 3), 1), torch.nn.AvgPool2d((3, 2), (2, 3), 1)]


@pytest.mark.parametrize(("ours", "theirs"), list(zip(WINDOWED, THEIRS, strict=True)))
@pytest.mark.parametrize("size", [(5, 11), (11, 5), (8, 8)])
def test_trap_square_inputs_only(ours, theirs, size):
    agree(ours, theirs, (2, 3, *size))


def test_trap_max_pool_padded_with_zeros():
    assert (nn.MaxPool2d(3, 2, 1)(np.full((1, 1, 5, 4), -9.0)) == -9).all()
    assert (nn.MaxPool1d(3, 2, 1)(np.full((1, 1, 5), -9.0)) == -9).all()


@pytest.mark.parametrize("layer", [nn.MaxPool2d(2), nn.AdaptiveMaxPool2d((2, 1)), nn.MaxPool1d(2)])
def test_trap_ties_all_taking_the_gradient(layer):
    x = np.ones((1, 1, 4, 2)) if not isinstance(layer, nn.MaxPool1d) else np.ones((1, 1, 4))
    y = layer(x)
    assert layer.backward(np.ones_like(y)).sum() == y.size


@pytest.mark.parametrize("kernel", [2, 3])
def test_trap_border_dropped_where_a_stride_does_not_divide(kernel):
    for name in ("Conv2d", "AvgPool2d", "MaxPool2d"):
        arguments = (2, 2, kernel, 3) if name == "Conv2d" else (kernel, 3)
        layer = getattr(nn, name)(*arguments).to(float)
        for size in [(7, 9), (8, 10), (9, 11)]:
            x = np.random.default_rng(0).standard_normal((1, 2, *size))
            y = layer(x)
            assert layer.backward(np.ones_like(y)).shape == x.shape
            mytorch.gradcheck(layer, x)


def test_trap_add_at_which_is_slow():
    import inspect

    from mytorch.ops import adaptive, conv, depthwise, pool, resample

    for module in (adaptive, conv, depthwise, pool, resample):
        assert ".add.at" not in inspect.getsource(module), module.__name__


@pytest.mark.parametrize("view", [lambda x: x[:, :, ::-1, ::2], lambda x: x.transpose(0, 1, 3, 2), lambda x: x[::2]])
@pytest.mark.parametrize(
    "layer",
    [
        nn.Conv2d(4, 4, 3, stride=2, padding=1, dtype=float),
        nn.Conv2d(4, 4, 3, groups=4, dtype=float),
        nn.ConvTranspose2d(4, 2, 3, stride=2, dtype=float),
        nn.MaxPool2d(2),
        nn.AvgPool2d(2),
        nn.Upsample(scale_factor=1.5, mode="bilinear"),
    ],
)
def test_trap_strided_windows_of_an_input_that_is_not_contiguous(layer, view):
    x = view(np.random.default_rng(0).standard_normal((4, 4, 8, 8)))
    y = layer(x)
    back = layer.backward(y)
    whole = layer(np.ascontiguousarray(x))
    np.testing.assert_allclose(y, whole, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(back, layer.backward(whole), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("layer", [nn.BatchNorm2d(3, dtype=float), nn.Dropout(0.5), nn.Conv2d(3, 3, 3, dtype=float)])
def test_trap_evaluation_forward_overwriting_what_backward_needs(layer):
    x = np.random.default_rng(0).standard_normal((4, 3, 5, 6))
    mytorch.manual_seed(0)
    y = layer(x)
    expected = layer.backward(np.ones_like(y))
    mytorch.manual_seed(0)
    layer(x)
    layer.eval()(3 * x)
    np.testing.assert_array_equal(layer.train().backward(np.ones_like(y)), expected)


def test_trap_frozen_batch_norm_whose_statistics_still_move():
    network = nn.Sequential(nn.Conv2d(2, 3, 1), nn.BatchNorm2d(3), nn.ReLU())
    network.train()[1].eval()
    before = network[1].running_mean.copy(), network[1].running_var.copy()
    network(np.random.default_rng(0).standard_normal((4, 2, 5, 6)).astype("f"))
    np.testing.assert_array_equal(before, (network[1].running_mean, network[1].running_var))


@pytest.mark.parametrize("schedule", ["StepLR", "CosineWithWarmup"])
def test_trap_schedule_that_never_steps_or_has_another_period_than_the_run(schedule):
    optimizer = mytorch.optim.SGD([nn.Parameter(np.zeros(1))], lr=1.0)
    total = 10
    arguments = {"StepLR": (5,), "CosineWithWarmup": (total, 2)}[schedule]
    rate = getattr(mytorch.optim, schedule)(optimizer, *arguments)
    rates = []
    for _ in range(total):
        rates.append(optimizer.param_groups[0]["lr"])
        rate.step()
    assert len(set(rates)) > 1
    assert optimizer.param_groups[0]["lr"] == pytest.approx({"StepLR": 0.01, "CosineWithWarmup": 0}[schedule])


def test_trap_label_smoothing_applied_twice_to_soft_targets_says_what_it_does():
    logits = np.random.default_rng(0).standard_normal((3, 4))
    soft = np.full((3, 4), 0.1 / 4) + 0.9 * np.eye(4)[:3]
    once = nn.CrossEntropyLoss()(logits, soft)
    assert nn.CrossEntropyLoss(label_smoothing=0.1)(logits, np.arange(3)) == pytest.approx(once, rel=1e-12)
    assert nn.CrossEntropyLoss(label_smoothing=0.1)(logits, soft) != pytest.approx(once, rel=1e-6)
