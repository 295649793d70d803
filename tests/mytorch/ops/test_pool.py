import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mytorch.ops import pool as ops


@pytest.mark.parametrize("axes", [1, 2, 3])
@given(data=st.data())
def test_pooling_over_any_number_of_axes_is_pytorchs(close, array, axes, data):
    def draw(low, high):
        return tuple(data.draw(st.integers(low, high)) for _ in range(axes))

    kernel, stride = draw(1, 4), draw(1, 4)
    padding = tuple(data.draw(st.integers(0, k // 2)) for k in kernel)
    size = tuple(k + e for k, e in zip(kernel, draw(0, 5), strict=True))
    window = (kernel, stride, padding)
    x = array(data, (2, 2, *size), whole=True)
    for name in ("max", "avg"):
        tensor = torch.tensor(np.ascontiguousarray(x), requires_grad=True)
        expected = getattr(torch.nn.functional, f"{name}_pool{axes}d")(tensor, *window)
        y = ops.max_pool(x, *window) if name == "max" else ops.avg_pool(x, *window)
        close(name, y, expected)
        grad = array(data, y.shape, stream=1)
        expected.backward(torch.tensor(np.ascontiguousarray(grad)))
        if name == "max":
            close("gradient of max", ops.max_pool_grad(grad, x, y, *window), tensor.grad)
        else:
            close("gradient of average", ops.avg_pool_grad(grad, size, *window), tensor.grad)


@pytest.mark.parametrize("axes", [1, 2, 3])
@pytest.mark.parametrize("whole", [True, False])
@given(data=st.data())
def test_of_windows_that_tile_the_image_the_first_winner_has_the_gradient(array, axes, whole, data):
    kernel, out = (tuple(data.draw(st.integers(1, 3)) for _ in range(axes)) for _ in range(2))
    x = array(data, (2, 3, *(k * n for k, n in zip(kernel, out, strict=True))), whole=whole)  # whole numbers: ties
    if data.draw(st.booleans()):
        x[0, 0].flat[0] = np.nan
    tensor = torch.tensor(np.ascontiguousarray(x), requires_grad=True)
    expected = getattr(torch.nn.functional, f"max_pool{axes}d")(tensor, kernel)
    y = ops.max_pool(x, kernel, kernel, (0,) * axes)
    grad = array(data, y.shape, stream=1)
    expected.backward(torch.tensor(np.ascontiguousarray(grad)))
    ours, theirs = ops.max_pool_grad(grad, x, y, kernel, kernel, (0,) * axes), tensor.grad.numpy()
    if np.isnan(x).any():
        ours, theirs = ours[1], theirs[1]  # no pixel wins against NaN
    np.testing.assert_array_equal(ours, theirs)
