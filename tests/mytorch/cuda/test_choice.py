"""Which method a convolution uses on the GPU, and that all methods give the same numbers."""

import numpy as np
import pytest
import torch

from mytorch import modes
from mytorch.ops.cuda import conv as cuda
from mytorch.ops.cuda import precision
from mytorch.ops.cuda.loader import set_host_launcher

from ..launchers import HOST_AND_GPU, launcher_for

TILES = {"input_transform", "kernel_transform", "output_transform"}
UNIT = ((1, 1), (1, 1), (1, 1), 1)


@pytest.fixture(scope="module", params=HOST_AND_GPU)
def launcher(request, tmp_path_factory):
    return launcher_for(request.param, tmp_path_factory)


@pytest.fixture
def ran(launcher):
    """ran(x, weight, *geometry): y, and the names of the kernels that computed it."""

    def run(x, weight, *geometry):
        launcher.launched.clear()
        before = set_host_launcher(launcher)
        y = cuda.conv(x, weight, None, *geometry)
        set_host_launcher(before)
        return y, {kernel for kernel, _ in launcher.launched}

    return run


def drawn(filters, channels, kernel, dtype=np.float32, groups=1):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((2, channels * groups, 6, 5)).astype(dtype)
    return x, rng.standard_normal((filters, channels, kernel, kernel)).astype(dtype)


@pytest.mark.parametrize(
    ("arrays", "geometry", "kernels"),
    [
        (drawn(16, 16, 3), UNIT, TILES),
        (drawn(16, 8, 3), UNIT, {"im2col_by_fours"}),
        (drawn(16, 3, 3), UNIT, {"im2col"}),
        (drawn(16, 16, 3, np.float64), UNIT, {"im2col_by_fours"}),
        (drawn(16, 16, 3), ((2, 1), *UNIT[1:]), {"im2col_by_fours"}),
        (drawn(16, 16, 3), (*UNIT[:2], (1, 2), 1), {"im2col_by_fours"}),
        (drawn(32, 16, 3, groups=2), (*UNIT[:3], 2), {"im2col_by_fours"}),
        (drawn(16, 16, 5), UNIT, {"im2col_by_fours"}),
        (drawn(16, 1, 3, groups=16), (*UNIT[:3], 16), {"depthwise_conv"}),
        (drawn(16, 16, 1), (UNIT[0], (0, 0), *UNIT[2:]), set()),
        (drawn(16, 16, 1), ((2, 2), (0, 0), *UNIT[2:]), {"im2col_by_fours"}),
    ],
)
def test_convolution_chooses_the_method_for_its_shape(ran, arrays, geometry, kernels):
    y, launched = ran(*arrays, *geometry)
    assert launched == kernels
    expected = torch.nn.functional.conv2d(*(torch.tensor(a.astype(float)) for a in arrays), None, *geometry).numpy()
    assert y.dtype == arrays[0].dtype
    assert np.abs(y - expected).max() < 1e-5 * np.abs(expected).max()


def test_unaligned_memory_is_read_one_channel_at_a_time(ran):
    x, weight = drawn(4, 8, 3)
    memory = np.zeros(x.size + 8, np.float32)
    start = next(n for n in range(8) if memory[n:].ctypes.data % 16 == 4)
    shifted = np.moveaxis(memory[start : start + x.size].reshape(2, 6, 5, 8), -1, 1)
    shifted[...] = x
    y, launched = ran(shifted, weight, *UNIT)
    assert launched == {"im2col"}
    np.testing.assert_array_equal(y, ran(x, weight, *UNIT)[0])


def test_winograd_can_be_forbidden(ran):
    modes.allow_winograd(False)
    try:
        assert ran(*drawn(16, 16, 3), *UNIT)[1] == {"im2col_by_fours"}
    finally:
        modes.allow_winograd(True)


def test_winograd_is_not_used_with_tf32(ran, monkeypatch):
    monkeypatch.setattr(precision, "_allowed", True)
    assert ran(*drawn(16, 16, 3), *UNIT)[1] == {"im2col_by_fours"}


def test_tf32_is_off_at_first_and_reaches_cupy():
    products = pytest.importorskip("cupy._core._routines_linalg", reason="no CuPy")
    assert not precision.tf32_allowed()
    precision.allow_tf32(False)
    assert products.get_compute_type(np.float32) == products.COMPUTE_TYPE_DEFAULT
    assert not precision.tf32_allowed()
