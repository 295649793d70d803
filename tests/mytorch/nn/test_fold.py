import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mytorch import nn

FLOATS = st.sampled_from([np.float64, np.float32])


def pairs(low, high):
    return st.tuples(st.integers(low, high), st.integers(low, high))


@settings(max_examples=100)
@given(
    data=st.data(),
    dtype=FLOATS,
    lead=st.sampled_from([(3,), (2, 1), (1, 3)]),
    kernel=pairs(1, 3),
    dilation=pairs(1, 2),
    padding=pairs(0, 2),
    stride=pairs(1, 3),
    extra=pairs(0, 4),
)
def test_windows_as_columns_and_back_are_pytorchs(agree, data, dtype, lead, kernel, dilation, padding, stride, extra):
    size = tuple(d * (k - 1) + 1 + e for k, d, e in zip(kernel, dilation, extra, strict=True))
    geometry = (kernel, dilation, padding, stride)
    ours, theirs = (library.Unfold(*geometry) for library in (nn, torch.nn))
    assert ours.extra_repr() == theirs.extra_repr()
    agree(data, ours, theirs, (*lead, *size), dtype)
    columns = ours(np.zeros((*lead, *size), dtype)).shape
    ours, theirs = (library.Fold(size, *geometry) for library in (nn, torch.nn))
    assert ours.extra_repr() == theirs.extra_repr()
    agree(data, ours, theirs, columns, dtype)


def test_a_convolution_is_a_product_with_the_columns():
    x = np.random.default_rng(0).standard_normal((2, 3, 7, 6))
    layer = nn.Conv2d(3, 4, (3, 2), stride=(2, 1), padding=(1, 0), bias=False, dtype=float)
    product = layer.weight.data.reshape(4, -1) @ nn.Unfold((3, 2), padding=(1, 0), stride=(2, 1))(x)
    np.testing.assert_allclose(layer(x), product.reshape(2, 4, 4, 5), rtol=1e-10)


def test_columns_that_are_not_those_of_the_image_are_refused():
    for shape in [(1, 8, 5), (1, 7, 6), (8, 5)]:
        with pytest.raises(
            ValueError, match=r"expected \(N, C x 4, 6\), a column for each window of \(2, 2\) in an im"
        ):
            nn.Fold((4, 6), 2, stride=2)(np.zeros(shape))
