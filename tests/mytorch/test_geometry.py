import numpy as np
import pytest
from hypothesis import assume, given
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


@given(size=st.integers(1, 20), kernel=st.integers(1, 6), stride=st.integers(1, 5), data=st.data())
def test_in_ceil_mode_a_last_window_counts_that_does_not_start_beyond_the_padding(size, kernel, stride, data):
    dilation, padding = data.draw(st.integers(1, 3)), data.draw(st.integers(0, kernel // 2))
    reach = dilation * (kernel - 1) + 1
    assume(size + 2 * padding >= reach)
    starts = [s for s in range(-padding, size + padding, stride) if s < size]
    ends_before = [s + reach < size + padding for s in starts]
    expected = 1 + sum(ends_before)  # the first that reaches the end is the last
    count = geometry.output_size(size, kernel, stride, padding, dilation, ceil_mode=True)
    assert count == min(expected, len(starts))
    ends = geometry.window_padding((size,), (count,), (kernel,), (stride,), (padding,), (dilation,))
    ((before, after),) = geometry.both_ends(ends)
    assert before == padding
    assert size + before + after >= (count - 1) * stride + reach
    assert after == padding or size + before + after == (count - 1) * stride + reach


@given(data=st.data(), include=st.booleans())
def test_the_weight_of_a_mean_is_one_over_the_ones_that_its_window_sees(data, include):
    axes = data.draw(st.integers(1, 3))
    kernel, stride, extra = (tuple(data.draw(st.integers(1, 4)) for _ in range(axes)) for _ in range(3))
    padding = tuple(data.draw(st.integers(0, k // 2)) for k in kernel)
    size = tuple(k + e for k, e in zip(kernel, extra, strict=True))
    ceil = (True,) * axes
    out = tuple(map(geometry.output_size, size, kernel, stride, padding, (1,) * axes, ceil))
    ones = np.pad(np.ones(size), [(p, p) for p in padding], constant_values=float(include))
    weight = np.broadcast_to(geometry.mean_weight(size, out, kernel, stride, padding, include), out)
    for position in np.ndindex(out):
        window = tuple(slice(o * s, o * s + k) for o, s, k in zip(position, stride, kernel, strict=True))
        assert weight[position] == pytest.approx(1 / ones[window].sum())
    assert geometry.mean_weight(size, out, kernel, stride, padding, include, 7) == 1 / 7


@given(size=SIZES, data=st.data(), value=st.sampled_from([0.0, -np.inf, 7.0]))
def test_padding_is_numpys_in_memory_channels_last(array, size, data, value):
    x = array(data, (2, 3, *size))
    amount = st.integers(0, 2)
    padding = tuple(data.draw(amount | st.tuples(amount, amount)) for _ in size)
    padded = geometry.pad(x, padding, value)
    ends = [p if isinstance(p, tuple) else (p, p) for p in padding]
    np.testing.assert_array_equal(padded, np.pad(x, [(0, 0), (0, 0), *ends], constant_values=value))
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
