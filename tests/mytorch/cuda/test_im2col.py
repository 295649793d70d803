import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mytorch.geometry import to_channels_last
from mytorch.ops.cuda import conv as cuda

FLOATS = st.sampled_from([np.float64, np.float32])


def convolutions(data, axes):
    def draw(low, high):
        return tuple(data.draw(st.integers(low, high)) for _ in range(axes))

    kernel, stride, padding, dilation = draw(1, 3), draw(1, 3), draw(0, 2), draw(1, 2)
    size = tuple(d * (k - 1) + 1 + e for d, k, e in zip(dilation, kernel, draw(0, 4), strict=True))
    return size, kernel, (stride, padding, dilation)


@pytest.mark.kernels("im2col", "col2im", "im2col_by_fours", "col2im_by_fours", "add_bias")
@pytest.mark.parametrize("axes", [1, 2, 3])
@settings(max_examples=60)
@given(
    data=st.data(), dtype=FLOATS, batch=st.integers(1, 3), groups=st.integers(1, 3),
    width=st.sampled_from([2, 3, 4, 8]), block=st.sampled_from([1, 1 << 26]),
)  # fmt: skip
def test_convolution_and_its_gradients_are_pytorchs(axes, grid, array, same, data, dtype, batch, groups, width, block):
    grid(data)
    size, kernel, geometry = convolutions(data, axes)
    x = array(data, (batch, width * groups, *size), dtype)
    weight = array(data, (3 * groups, width, *kernel), dtype, stream=1)
    bias = array(data, (3 * groups,), dtype, stream=2)
    tensors = [torch.tensor(a.astype(float), requires_grad=True) for a in (x, weight, bias)]
    expected = getattr(torch.nn.functional, f"conv{axes}d")(*tensors, *geometry, groups)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cuda, "MAX_COLUMN_ELEMENTS", block)
        y = cuda.conv(x, weight, bias, *geometry, groups)
        same("output", y, expected, dtype)
        grad = array(data, y.shape, dtype, stream=3)
        expected.backward(torch.tensor(grad.astype(float)))
        same("input", cuda.conv_input_grad(grad, weight, size, *geometry, groups), tensors[0].grad, dtype)
        same("weight", cuda.conv_weight_grad(grad, x, kernel, *geometry, groups), tensors[1].grad, dtype)


@pytest.mark.kernels("im2col")
def test_columns_are_the_windows_one_a_row_and_taps_and_channels_in_order():
    x = np.arange(24).reshape(1, 2, 3, 4)
    geometry = ((2, 2), (1, 2), (0, 0), (1, 1), (2, 2))
    expected = [[x[0, :, i + a, 2 * j + b] for a in (0, 1) for b in (0, 1)] for i in (0, 1) for j in (0, 1)]
    for dtype in "fd":
        columns = cuda.im2col(to_channels_last(x.astype(dtype)), *geometry)
        np.testing.assert_array_equal(columns[0], np.reshape(expected, (4, 8)))
