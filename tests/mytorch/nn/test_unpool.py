import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mytorch import nn

FLOATS = st.sampled_from([np.float64, np.float32])


@pytest.mark.parametrize("axes", [1, 2, 3])
@settings(max_examples=60)
@given(data=st.data(), dtype=FLOATS, unbatched=st.booleans())
def test_unpooling_of_pooled_images_is_pytorchs(axes, array, close, data, dtype, unbatched):
    def some(low, high):
        return tuple(data.draw(st.integers(low, high)) for _ in range(axes))

    kernel = some(1, 3)
    stride = tuple(k + data.draw(st.integers(0, 1)) for k in kernel)  # windows apart, so no index occurs twice
    padding = tuple(data.draw(st.integers(0, k // 2)) for k in kernel)
    size = tuple(k + e for k, e in zip(kernel, some(0, 4), strict=True))
    x = array(data, (2, 3, *size), dtype)
    pool = getattr(torch.nn, f"MaxPool{axes}d")(kernel, stride, padding, return_indices=True)
    values, indices = pool(torch.tensor(np.ascontiguousarray(x[0] if unbatched else x)))
    values.requires_grad_()
    ours, theirs = (getattr(library, f"MaxUnpool{axes}d")(kernel, stride, padding) for library in (nn, torch.nn))
    expected = theirs(values, indices, size)
    y = ours(values.detach().numpy(), indices.numpy(), output_size=size)
    close("output", y, expected)
    grad = array(data, y.shape, dtype, stream=1)
    expected.backward(torch.tensor(np.ascontiguousarray(grad)))
    close("gradient", ours.backward(grad), values.grad)
    assert ours.extra_repr() == theirs.extra_repr()


def test_without_an_output_size_the_smallest_image_is_returned():
    x = np.arange(4.0).reshape(1, 1, 4) + 1
    _, indices = nn.MaxPool1d(2, return_indices=True)(np.arange(9.0).reshape(1, 1, 9))
    np.testing.assert_array_equal(nn.MaxUnpool1d(2)(x, indices), [[[0, 1, 0, 2, 0, 3, 0, 4]]])


X = np.ones((1, 2, 2, 2))
INDICES = np.array([0, 2, 8, 10]).reshape(1, 1, 2, 2).repeat(2, 1)


@pytest.mark.parametrize(
    ("indices", "size", "message"),
    [
        (INDICES[:, :1], None, r"an input of shape \(1, 2, 2, 2\) and indices \(1, 1, 2, 2\): expected whole numbers"),
        (INDICES.astype(float), None, "expected whole numbers of the same shape, as max pooling with return_indices"),
        ([[0]], None, "indices list: expected whole numbers"),
        (INDICES + 6, None, r"indices from 6 to 16: expected 0 to 15, for an output of \(4, 4\); give the size"),
        (INDICES - 1, None, "indices from -1 to 9"),
        (INDICES, (4, 6), r"output_size=\(4, 6\): expected \(4, 4\), or a size less than a stride away from it"),
        (INDICES, (4,), r"output_size=\(4,\): expected \(4, 4\)"),
    ],
)
def test_indices_and_sizes_that_do_not_fit_are_refused(indices, size, message):
    with pytest.raises(ValueError, match=message):
        nn.MaxUnpool2d(2)(X, indices, size)
