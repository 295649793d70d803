import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mytorch.ops import conv as ops


@pytest.mark.parametrize("axes", [1, 2, 3])
@given(data=st.data(), groups=st.integers(1, 2))
def test_convolution_over_any_number_of_axes_is_pytorchs(close, array, axes, data, groups):
    def draw(low, high):
        return tuple(data.draw(st.integers(low, high)) for _ in range(axes))

    kernel, stride, padding, dilation = draw(1, 3), draw(1, 3), draw(0, 2), draw(1, 2)
    size = tuple(d * (k - 1) + 1 + e for d, k, e in zip(dilation, kernel, draw(0, 4), strict=True))
    x = array(data, (2, 2 * groups, *size))
    weight = array(data, (3 * groups, 2, *kernel), stream=1)
    bias = array(data, (3 * groups,), stream=2)
    tensors = [torch.tensor(np.ascontiguousarray(a), requires_grad=True) for a in (x, weight, bias)]
    expected = getattr(torch.nn.functional, f"conv{axes}d")(*tensors, stride, padding, dilation, groups)
    geometry = (stride, padding, dilation, groups)
    y = ops.conv(x, weight, bias, *geometry)
    close("output", y, expected)
    grad = array(data, y.shape, stream=3)
    expected.backward(torch.tensor(np.ascontiguousarray(grad)))
    close("input", ops.conv_input_grad(grad, weight, size, *geometry), tensors[0].grad)
    close("weight", ops.conv_weight_grad(grad, x, kernel, *geometry), tensors[1].grad)
    close("bias", ops.conv_bias_grad(grad), tensors[2].grad)
