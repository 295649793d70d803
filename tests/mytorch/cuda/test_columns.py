import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mytorch.geometry import channels_last
from mytorch.ops import conv as ops
from mytorch.ops.cuda import conv as cuda

FLOATS = st.sampled_from([np.float64, np.float32])


def convolutions(data, axes):
    def draw(low, high):
        return tuple(data.draw(st.integers(low, high)) for _ in range(axes))

    kernel, stride, padding, dilation = draw(1, 3), draw(1, 3), draw(0, 2), draw(1, 2)
    size = tuple(d * (k - 1) + 1 + e for d, k, e in zip(dilation, kernel, draw(0, 4), strict=True))
    return size, kernel, (stride, padding, dilation)


@pytest.mark.kernels("im2col", "col2im", "add_bias")
@pytest.mark.parametrize("axes", [1, 2, 3])
@settings(max_examples=60)
@given(
    data=st.data(), dtype=FLOATS, batch=st.integers(1, 3), groups=st.integers(1, 3), block=st.sampled_from([1, 1 << 26])
)
def test_convolution_and_its_gradients_are_those_of_numpy(axes, grid, array, same, data, dtype, batch, groups, block):
    grid(data)
    size, kernel, geometry = convolutions(data, axes)
    x = array(data, (batch, 2 * groups, *size), dtype)
    weight = array(data, (3 * groups, 2, *kernel), dtype, stream=1)
    bias = array(data, (3 * groups,), dtype, stream=2)
    exact = [a.astype(float) for a in (x, weight, bias)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cuda, "BLOCK", block)
        y = cuda.conv(x, weight, bias, *geometry, groups)
        same("output", y, ops.conv(*exact, *geometry, groups), dtype)
        grad = array(data, y.shape, dtype, stream=3)
        expected = ops.conv_input_grad(grad.astype(float), exact[1], size, *geometry, groups)
        same("input", cuda.conv_input_grad(grad, weight, size, *geometry, groups), expected, dtype)
        expected = ops.conv_weight_grad(grad.astype(float), exact[0], kernel, *geometry, groups)
        same("weight", cuda.conv_weight_grad(grad, x, kernel, *geometry, groups), expected, dtype)


@pytest.mark.kernels("im2col")
def test_columns_are_the_windows_one_a_row_and_taps_and_channels_in_order():
    x = np.arange(24).reshape(1, 2, 3, 4)
    geometry = ((2, 2), (1, 2), (0, 0), (1, 1), (2, 2))
    expected = [[x[0, :, i + a, 2 * j + b] for a in (0, 1) for b in (0, 1)] for i in (0, 1) for j in (0, 1)]
    for dtype in "fd":
        columns = cuda.im2col(channels_last(x.astype(dtype)), *geometry)
        np.testing.assert_array_equal(columns[0], np.reshape(expected, (4, 8)))
