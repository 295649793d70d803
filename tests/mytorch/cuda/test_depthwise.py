import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mytorch.ops.cuda import conv as cuda
from mytorch.ops.cuda import reduce

FLOATS = st.sampled_from([np.float64, np.float32])


@pytest.mark.kernels(
    "depthwise_conv", "depthwise_conv_input_grad", "depthwise_conv_weight_sums", "combine_weight_sums", "add_bias"
)
@pytest.mark.parametrize("axes", [1, 2, 3])
@settings(max_examples=60)
@given(data=st.data(), dtype=FLOATS, batch=st.integers(1, 3), channels=st.integers(2, 9))
def test_depthwise_convolution_and_its_gradients_are_pytorchs(axes, grid, array, same, data, dtype, batch, channels):
    def draw(low, high):
        return tuple(data.draw(st.integers(low, high)) for _ in range(axes))

    grid(data)
    kernel, stride, padding, dilation = draw(1, 3), draw(1, 3), draw(0, 2), draw(1, 2)
    size = tuple(d * (k - 1) + 1 + e for d, k, e in zip(dilation, kernel, draw(0, 4), strict=True))
    geometry = (stride, padding, dilation, channels)
    x = array(data, (batch, channels, *size), dtype)
    weight = array(data, (channels, 1, *kernel), dtype, stream=1)
    bias = array(data, (channels,), dtype, stream=2)
    tensors = [torch.tensor(a.astype(float), requires_grad=True) for a in (x, weight, bias)]
    expected = getattr(torch.nn.functional, f"conv{axes}d")(*tensors, *geometry)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reduce, "MIN_CHUNK_ELEMENTS", data.draw(st.sampled_from([1, 100, 1 << 12])))
        y = cuda.conv(x, weight, bias, *geometry)
        same("output", y, expected, dtype)
        grad = array(data, y.shape, dtype, stream=3)
        expected.backward(torch.tensor(grad.astype(float)))
        same("input", cuda.conv_input_grad(grad, weight, size, *geometry), tensors[0].grad, dtype)
        same("weight", cuda.conv_weight_grad(grad, x, kernel, *geometry), tensors[1].grad, dtype)
