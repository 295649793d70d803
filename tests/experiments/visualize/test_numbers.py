"""The numbers that are drawn are PyTorch's: outputs, gradients, and what is between them."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from experiments.visualize import batch_norm, convolution, dropout, im2col, resampling, winograd
from experiments.visualize.film import WindowStep
from experiments.visualize.inputs import read_kernel

CLOSE = {"rtol": 1e-5, "atol": 1e-5}


@pytest.fixture
def x() -> np.ndarray:
    return np.random.default_rng(0).random((11, 9), np.float32)


def leaf(array: np.ndarray) -> torch.Tensor:
    return torch.tensor(array, requires_grad=True)


def backward(y: torch.Tensor) -> None:
    """The loss that every film has."""
    (y.square().sum() / 2).backward()


@pytest.mark.parametrize(("name", "stride", "padding"), [("edges", 1, 0), ("sharpen", 2, 1), ("1,2/3,4/5,6", 2, 0)])
def test_convolutions_numbers_are_pytorchs(x, name, stride, padding):
    weight, pixels = leaf(read_kernel(name)), leaf(x)
    around = F.pad(pixels, [padding] * 4)
    around.retain_grad()
    y = F.conv2d(around[None, None], weight[None, None], stride=stride)[0, 0]
    backward(y)
    film = convolution.make_film(x, read_kernel(name), stride, padding, frames=400)
    steps = [step for step in film.frames if isinstance(step, WindowStep)]
    forward = [step for step in steps if step.headline == "Convolution"]
    assert len(forward) == y.numel()
    np.testing.assert_allclose(forward[-1].target.values, y.detach(), **CLOSE)
    sums = [float(step.terms[2].values.sum()) for step in forward]
    np.testing.assert_allclose(sums, y.detach().flatten(), **CLOSE)
    np.testing.assert_allclose(steps[2 * len(forward) - 1].target.values, around.grad, **CLOSE)
    np.testing.assert_allclose(steps[-1].target.values, weight.grad, **CLOSE)


def test_a_step_of_convolution_shows_what_is_done_so_far_and_no_more(x):
    film = convolution.make_film(x, read_kernel("blur"), frames=400)
    fifth = film.frames[4]
    assert isinstance(fifth, WindowStep)
    assert np.isfinite(fifth.target.values).sum() == 5
    row, column, rows, columns = fifth.source.window
    np.testing.assert_array_equal(fifth.terms[0].values, x[row : row + rows, column : column + columns])


def test_the_parts_of_a_gradient_add_up_to_it(x):
    shown = convolution.ShownConvolution(x, read_kernel("lines"), 2, 1)
    parts = []
    for number in range(shown.y.size):
        row, column, rows, columns = shown.window(number)
        part = np.zeros_like(shown.around)
        part[row : row + rows, column : column + columns] = shown.y.flat[number] * shown.kernel
        parts.append(part)
    np.testing.assert_allclose(np.sum(parts, 0), shown.input_grad(shown.y.size), **CLOSE)


@pytest.mark.parametrize(("stride", "padding"), [(1, 0), (2, 1)])
def test_im2cols_rows_are_pytorchs_unfold_and_its_gradient_folds_them(x, stride, padding):
    weight = np.stack([read_kernel(name) for name in im2col.NAMES])
    shown = im2col.Columns(x, weight, stride, padding)
    around = F.pad(torch.tensor(x), [padding] * 4)
    rows = F.unfold(around[None, None], 3, stride=stride)[0].T
    np.testing.assert_array_equal(shown.rows, rows)
    y = F.conv2d(around[None, None], torch.tensor(weight)[:, None], stride=stride)[0]
    np.testing.assert_allclose(shown.y, y, **CLOSE)
    np.testing.assert_allclose(shown.rows @ shown.matrix, shown.product, **CLOSE)
    folded = F.fold(torch.tensor(shown.rows_grad).T[None], around.shape, 3, stride=stride)[0, 0]
    np.testing.assert_allclose(shown.input_grad(len(rows)), folded, **CLOSE)


@pytest.mark.parametrize("padding", [0, 1])
def test_winograds_tiles_give_the_convolution(x, padding):
    shown = winograd.Tiles(x, read_kernel("edges"), padding)
    y = F.conv2d(torch.tensor(x)[None, None], torch.tensor(read_kernel("edges"))[None, None], padding=padding)[
        0, 0
    ].numpy()
    count = shown.grid[0] * shown.grid[1]
    np.testing.assert_allclose(shown.finished(count), y, rtol=1e-4, atol=1e-4)
    for number in range(count):
        row, column, *_ = shown.window(number)
        there = y[row : row + 4, column : column + 4]
        tile = shown.outputs(number)[: there.shape[0], : there.shape[1]]
        np.testing.assert_allclose(tile, there, rtol=1e-4, atol=1e-4)
    assert (winograd.PRODUCTS, winograd.BY_DEFINITION) == (36, 144)


@pytest.mark.parametrize("mode", ["max", "average"])
@pytest.mark.parametrize(("size", "stride", "padding"), [(2, 2, 0), (3, 2, 1), (3, 1, 0)])
def test_poolings_numbers_are_pytorchs(x, mode, size, stride, padding):
    x = np.round(4 * x) / 4  # few values: several pixels win on purpose
    pixels = leaf(x)
    pool = F.max_pool2d if mode == "max" else F.avg_pool2d
    y = pool(pixels[None, None], size, stride, padding)[0, 0]
    backward(y)
    shown = resampling.Pooling(x, mode, size, stride, padding)
    np.testing.assert_allclose(shown.y, y.detach(), **CLOSE)
    np.testing.assert_allclose(shown.input_grad(0, y.numel()), pixels.grad, **CLOSE)
    for step in resampling.make_pooling_film(x, mode, size, stride, padding, frames=400).frames[y.numel() :]:
        assert isinstance(step, WindowStep)
        receives = step.terms[1].values
        if mode == "max" and receives.any():
            assert [tuple(place) for place in np.argwhere(receives)] == list(step.terms[1].marks)


@pytest.mark.parametrize(("stride", "padding"), [(2, 0), (1, 1), (3, 1)])
def test_transposed_convolutions_numbers_are_pytorchs(x, stride, padding):
    pixels, weight = leaf(x), read_kernel("1,2,3/4,5,6")
    y = F.conv_transpose2d(pixels[None, None], torch.tensor(weight)[None, None], stride=stride, padding=padding)[0, 0]
    backward(y)
    shown = convolution.Transposed(x, weight, stride, padding)
    np.testing.assert_allclose(shown.y, y.detach(), **CLOSE)
    np.testing.assert_allclose(shown.x_grad, pixels.grad, rtol=1e-5, atol=1e-3)
    back = convolution.make_transposed_film(x, weight, stride, padding, frames=800).frames[x.size :]
    sums = [float(step.terms[2].values.sum()) for step in back if isinstance(step, WindowStep)]
    np.testing.assert_allclose(sums, pixels.grad.flatten(), rtol=1e-5, atol=1e-3)


@pytest.mark.parametrize(
    ("mode", "scale", "corners"), [("nearest", 2, False), ("bilinear", 2, False), ("bilinear", 1.5, True)]
)
def test_upsamplings_numbers_are_pytorchs(x, mode, scale, corners):
    pixels = leaf(x)
    options = {} if mode == "nearest" else {"align_corners": corners}
    y = F.interpolate(pixels[None, None], scale_factor=scale, mode=mode, **options)[0, 0]
    backward(y)
    shown = resampling.Upsampling(x, mode, scale, corners)
    np.testing.assert_allclose(shown.y, y.detach(), **CLOSE)
    np.testing.assert_allclose(shown.input_grad(y.numel()), pixels.grad, **CLOSE)
    for number in range(y.numel()):
        row, column, rows, columns = shown.window(number)
        seen = x[row : row + rows, column : column + columns]
        assert (seen * shown.weights(number)).sum() == pytest.approx(float(y.detach().flatten()[number]), abs=1e-5)


def test_dropout_keeps_its_share_scales_it_and_does_nothing_in_evaluation():
    x = np.random.default_rng(0).random((40, 40), np.float32) + 0.1
    first, *_, gradient, evaluation = dropout.make_film(x, 0.3, seed=4).frames
    assert isinstance(first, dropout.Dropped)
    _, mask, y, _ = (panel.values for panel in first.panels)
    np.testing.assert_allclose(y, x * mask, rtol=1e-6)
    assert set(np.unique(mask.round(6))) == {0, round(1 / 0.7, 6)}
    assert (mask > 0).mean() == pytest.approx(0.7, abs=0.05)
    given, again, received = (panel.values for panel in gradient.panels)
    np.testing.assert_allclose(received, given * again, rtol=1e-6)
    np.testing.assert_array_equal(evaluation.panels[1].values, x)


def test_batch_norms_steps_are_pytorchs():
    faces = np.random.default_rng(0).integers(0, 256, (4, 8, 8, 3), np.uint8)
    weight, bias = [0.5, 1.0, 1.5], [0.0, 0.5, -0.5]
    _, _, normalized, scaled, gradient, evaluation = batch_norm.make_film(faces, weight, bias).frames
    x = leaf(np.moveaxis((faces / 255).astype(np.float32), -1, 1))
    layer = torch.nn.BatchNorm2d(3, momentum=None)
    np.testing.assert_allclose(normalized.batch, layer(x).detach(), rtol=1e-4, atol=1e-4)
    y = F.batch_norm(x, None, None, torch.tensor(weight), torch.tensor(bias), training=True)
    np.testing.assert_allclose(scaled.batch, y.detach(), rtol=1e-4, atol=1e-4)
    backward(y[:1])
    np.testing.assert_allclose(gradient.batch, x.grad, rtol=1e-3, atol=1e-3)
    assert np.abs(gradient.batch.sum((0, 2, 3))).max() < 1e-2
    np.testing.assert_allclose(evaluation.batch, layer.eval()(x[:1]).detach(), rtol=1e-4, atol=1e-4)
