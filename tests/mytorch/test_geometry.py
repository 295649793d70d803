import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mytorch import geometry

SIZES = st.lists(st.integers(1, 5), min_size=1, max_size=3)


@given(size=st.integers(1, 20), kernel=st.integers(1, 6), stride=st.integers(1, 5), padding=st.integers(0, 4))
def test_output_size_counts_the_windows_that_fit(size, kernel, stride, padding):
    starts = range(-padding, size + padding - kernel + 1, stride)
    if len(starts):
        assert geometry.output_size(size, kernel, stride, padding) == len(starts)
    else:
        with pytest.raises(ValueError, match="does not fit"):
            geometry.output_size(size, kernel, stride, padding)


@given(size=SIZES, data=st.data(), value=st.sampled_from([0.0, -np.inf, 7.0]))
def test_padding_is_numpys_in_memory_channels_last(array, size, data, value):
    x = array(data, (2, 3, *size))
    padding = tuple(data.draw(st.integers(0, 2)) for _ in size)
    padded = geometry.pad(x, padding, value)
    np.testing.assert_array_equal(
        padded, np.pad(x, [(0, 0), (0, 0), *((p, p) for p in padding)], constant_values=value)
    )
    assert np.moveaxis(padded, 1, -1).flags.c_contiguous
    np.testing.assert_array_equal(padded[geometry.inside_padding(padding)], x)


@given(size=SIZES, data=st.data())
def test_matrix_is_a_view_of_channels_last_memory(array, size, data):
    x = geometry.to_channels_last(array(data, (2, 3, *size)))
    assert np.shares_memory(geometry.to_matrix(x), x)
    np.testing.assert_array_equal(geometry.to_matrix(x)[:, 1].reshape(2, *size), x[:, 1])


@given(count=st.integers(0, 30), each=st.integers(0, 50), budget=st.integers(1, 200))
def test_blocks_cover_every_item_once(count, each, budget):
    parts = [list(range(count))[part] for part in geometry.split_by_budget(count, each, budget)]
    assert [item for part in parts for item in part] == list(range(count))
    assert all(len(part) == 1 or len(part) * each <= budget for part in parts)
