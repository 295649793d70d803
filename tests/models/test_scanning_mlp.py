"""An MLP that scans its input answers as its CNN does, at every stop, in one dimension and two, sharing or not."""

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from models.scratch import CNN_DistributedScanningMLP, CNN_SimpleScanningMLP
from models.scratch.scanning_mlp import ScanningCNN, block_to_kernel, mlp_to_cnn, scan_mlp
from models.scratch.shared_blocks import expand_blocks, positions, shared_blocks
from mytorch import course

TORCH = {course.ReLU: torch.relu, course.Tanh: torch.tanh}
drawn = settings(max_examples=50, deadline=None)
layer = st.tuples(st.integers(1, 3), st.integers(1, 3), st.integers(1, 3))  # kernel, stride, channels


def random_blocks(rng, C, kernels, channels, dims):
    widths = [C, *channels]
    blocks = [rng.standard_normal((k**dims * widths[n], widths[n + 1])) for n, k in enumerate(kernels)]
    return blocks, [rng.standard_normal(out) for out in channels]


def in_torch(network, x, gradient):
    """The network's answer and the gradient at x, by PyTorch."""
    tx = torch.tensor(x, requires_grad=True)
    z, convolve = tx, F.conv1d if network.dims == 1 else F.conv2d
    activation = TORCH[type(network.layers[1])] if len(network.convolutions) > 1 else None
    for n, (conv, stride) in enumerate(zip(network.convolutions, network.strides, strict=True)):
        z = activation(z) if n else z
        z = convolve(z, torch.tensor(conv.W), torch.tensor(conv.b), stride)
    z.flatten(1).backward(torch.tensor(gradient))
    return z.detach().flatten(1), tx.grad


@pytest.mark.parametrize("dims", [1, 2])
@drawn
@given(st.integers(1, 2), st.integers(1, 3), st.lists(layer, min_size=1, max_size=3), st.data())
def test_a_sharing_mlp_scanned_stop_by_stop_is_the_cnn(dims, N, C, layers, data):
    kernels, strides, channels = map(list, zip(*layers, strict=True))
    window, step = positions(kernels, strides)[0], math.prod(strides)
    size = [window + data.draw(st.integers(0, 2 * step)) for _ in range(dims)]  # not square; need not divide
    activation = data.draw(st.sampled_from(list(TORCH)))
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    blocks, biases = random_blocks(rng, C, kernels, channels, dims)
    matrices, full_biases = expand_blocks(blocks, kernels, strides, biases, dims)

    network = mlp_to_cnn(matrices, kernels, strides, full_biases, dims, activation)
    x = rng.standard_normal((N, C, *size))
    answer = network(x)
    scanned = scan_mlp(x, matrices, window, step, full_biases, activation)
    np.testing.assert_allclose(answer, scanned.reshape(N, -1), rtol=1e-12, atol=1e-10)

    gradient = rng.standard_normal(answer.shape)
    right, right_gradient = in_torch(network, x, gradient)
    np.testing.assert_allclose(answer, right, rtol=1e-12, atol=1e-10)
    np.testing.assert_allclose(network.backward(gradient), right_gradient, rtol=1e-12, atol=1e-10)


@pytest.mark.parametrize("dims", [1, 2])
@drawn
@given(
    st.integers(1, 4),
    st.integers(1, 3),
    st.integers(1, 3),
    st.lists(st.integers(1, 4), min_size=1, max_size=3),
    st.integers(0, 99),
)
def test_an_mlp_that_shares_nothing_needs_only_its_window_and_step(dims, window, step, C, widths, seed):
    rng, ones = np.random.default_rng(seed), [1] * (len(widths) - 1)
    matrices = [rng.standard_normal(shape) for shape in pairwise([window**dims * C, *widths])]
    x = rng.standard_normal((2, C, *[window + 5, window + 2][:dims]))
    network = mlp_to_cnn(matrices, [window, *ones], [step, *ones], dims=dims, flatten=False)
    np.testing.assert_allclose(network(x), scan_mlp(x, matrices, window, step), rtol=1e-12, atol=1e-10)


@pytest.mark.parametrize("dims", [1, 2])
@drawn
@given(st.integers(1, 3), st.lists(layer, min_size=1, max_size=3), st.integers(0, 99))
def test_expanding_and_sharing_undo_each_other(dims, C, layers, seed):
    kernels, strides, channels = map(list, zip(*layers, strict=True))
    blocks, biases = random_blocks(np.random.default_rng(seed), C, kernels, channels, dims)
    matrices, full_biases = expand_blocks(blocks, kernels, strides, biases, dims)
    back, back_biases = shared_blocks(matrices, kernels, strides, full_biases, dims)
    for answer, right in zip([*back, *back_biases], [*blocks, *biases], strict=True):
        np.testing.assert_array_equal(answer, right)


@pytest.mark.parametrize("dims", [1, 2])
def test_the_gradient_at_the_input_is_the_scanned_mlps_slope(dims):
    rng = np.random.default_rng(0)
    kernels, strides = [3, 2], [2, 1]
    blocks, biases = random_blocks(rng, 2, kernels, [3, 2], dims)
    matrices, full_biases = expand_blocks(blocks, kernels, strides, biases, dims)
    x, direction = rng.standard_normal((2, 1, 2, *[9, 8][:dims]))
    network = mlp_to_cnn(matrices, kernels, strides, full_biases, dims, course.Tanh, flatten=False)
    gradient = rng.standard_normal(network(x).shape)

    def loss(step):
        return np.vdot(scan_mlp(x + step * direction, matrices, 5, 2, full_biases, course.Tanh), gradient)

    slope = (loss(1e-5) - loss(-1e-5)) / 2e-5
    np.testing.assert_allclose(np.vdot(network.backward(gradient), direction), slope, rtol=1e-7)


def test_a_blocks_rows_run_frame_by_frame():
    M = np.arange(12).reshape(6, 2)  # 3 frames of 2 channels
    W = block_to_kernel(M, 3)
    for o in range(2):
        for c in range(2):
            for k in range(3):
                assert W[o, c, k] == M[2 * k + c, o]


def test_a_first_layer_without_overlap_is_block_diagonal():
    block = np.arange(1.0, 9).reshape(4, 2)
    matrices, _ = expand_blocks([block, np.ones((6, 1))], [2, 3], [2, 1])
    np.testing.assert_array_equal(matrices[0], np.kron(np.eye(3), block))


def mlp(seed=0):
    rng = np.random.default_rng(seed)
    return tuple(rng.standard_normal(shape) for shape in [(192, 8), (8, 16), (16, 4)])


@pytest.mark.parametrize("N", [1, 3])
def test_the_simple_contract_model_scans_its_mlp(N):
    weights, x = mlp(), np.random.default_rng(1).standard_normal((N, 24, 128))
    network = CNN_SimpleScanningMLP()
    network.init_weights(weights)
    assert [conv.W.shape for conv in network.convolutions] == [(8, 24, 8), (16, 8, 1), (4, 16, 1)]
    answer = network(x)
    assert answer.shape == (N, 124)
    np.testing.assert_allclose(answer, scan_mlp(x, weights, 8, 4).reshape(N, -1), rtol=0, atol=1e-10)
    gradient = np.random.default_rng(2).standard_normal(answer.shape)
    np.testing.assert_allclose(network.backward(gradient), in_torch(network, x, gradient)[1], rtol=0, atol=1e-10)


@pytest.mark.parametrize("N", [1, 3])
def test_the_distributed_contract_model_scans_its_mlp(N):
    first, second, third = mlp()
    weights = np.zeros((192, 8)), np.zeros((8, 16)), third
    for n in range(4):  # by hand: frames 2n and 2n + 1 to position n
        weights[0][48 * n : 48 * (n + 1), 2 * n : 2 * (n + 1)] = first[:48, :2]
    for n in range(2):
        weights[1][4 * n : 4 * (n + 1), 8 * n : 8 * (n + 1)] = second[:4, :8]
    x = np.random.default_rng(1).standard_normal((N, 24, 128))
    network = CNN_DistributedScanningMLP()
    network.init_weights(weights)
    assert [conv.W.shape for conv in network.convolutions] == [(2, 24, 2), (8, 2, 2), (4, 8, 2)]
    answer = network.forward(x)
    assert answer.shape == (N, 124)
    np.testing.assert_allclose(answer, scan_mlp(x, weights, 8, 4).reshape(N, -1), rtol=0, atol=1e-10)
    gradient = np.random.default_rng(2).standard_normal(answer.shape)
    np.testing.assert_allclose(network.backward(gradient), in_torch(network, x, gradient)[1], rtol=0, atol=1e-10)
    checked = mlp_to_cnn(weights, (2, 2, 2), (2, 2, 1))
    np.testing.assert_array_equal(checked(x), answer)


def test_the_distributed_contract_model_reads_the_first_blocks_alone():
    noisy, network, other = mlp(), CNN_DistributedScanningMLP(), CNN_DistributedScanningMLP()
    network.init_weights(noisy)
    blocks, _ = shared_blocks(noisy, (2, 2, 2), (2, 2, 1), check=False)
    other.init_weights(expand_blocks(blocks, (2, 2, 2), (2, 2, 1))[0])
    x = np.random.default_rng(1).standard_normal((1, 24, 128))
    np.testing.assert_array_equal(network(x), other(x))


def test_the_network_does_not_share_memory_with_the_mlp():
    weights = mlp()
    network = CNN_SimpleScanningMLP()
    network.init_weights(weights)
    network.convolutions[0].W[:] = 0
    assert weights[0].all()


def test_conversion_draws_nothing_and_keeps_float32():
    np.random.seed(0)
    weights = tuple(w.astype(np.float32) for w in mlp())
    network = mlp_to_cnn(weights, (8, 1, 1), (4, 1, 1))
    assert network(np.zeros((1, 24, 128), np.float32)).dtype == np.float32
    after = np.random.random()
    np.random.seed(0)
    assert after == np.random.random()


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"kernels": (2, 2, 2), "strides": (2, 2, 1)}, r"matrix 0 is not its first block repeated.*\[8, 1, 1\].*\[4"),
        ({"matrices": (np.zeros(192), *mlp()[1:])}, r"matrix 0 has shape \(192,\)"),
        ({"kernels": (8, 1)}, "2 kernels and 3 strides"),
        ({"kernels": (8, 1), "strides": (4, 1)}, "3 matrices and 3 biases for 2 kernels"),
        ({"kernels": (8, 1, 0)}, "1 or more"),
        ({"kernels": (7, 1, 1)}, r"matrix 0 is \(192, 8\), expected a multiple of 7 rows"),
        ({"matrices": (mlp()[0], mlp()[2], mlp()[1])}, r"as many as matrix 0 has columns \(8\)"),
        ({"biases": [np.zeros(8), np.zeros(16), np.zeros(5)]}, "bias 2 has 5 entries, expected 4"),
        ({"dims": 3}, "multiple of 512 rows"),
    ],
)
def test_an_mlp_that_does_not_fit_is_refused(changes, says):
    with pytest.raises(ValueError, match=says):
        mlp_to_cnn(**{"matrices": mlp(), "kernels": (8, 1, 1), "strides": (4, 1, 1)} | changes)


def test_weights_of_another_network_are_refused_and_leave_this_one_as_it_is():
    network = CNN_SimpleScanningMLP()
    before = [conv.W for conv in network.convolutions]
    with pytest.raises(ValueError, match=r"matrix 1, \(8, 12\), makes a weight of \(12, 8, 1\), expected \(16, 8, 1\)"):
        network.init_weights((np.zeros((192, 8)), np.zeros((8, 12)), np.zeros((12, 4))))
    for conv, W in zip(network.convolutions, before, strict=True):
        assert conv.W is W


def test_shapes_that_cannot_be_are_refused():
    with pytest.raises(ValueError, match="one more than kernels"):
        ScanningCNN((3, 4), (2, 2), (1, 1))
    with pytest.raises(ValueError, match="dims is 1"):
        ScanningCNN((3, 4), (2,), (1,), dims=3)
    with pytest.raises(ValueError, match="does not fit"):
        scan_mlp(np.zeros((1, 2, 3)), [np.zeros((8, 1))], 4, 1)
    with pytest.raises(ValueError, match="block 1 has 5 rows, expected 2 channels for each of the 2 positions"):
        expand_blocks([np.zeros((4, 2)), np.zeros((5, 1))], [2, 2], [1, 1])
