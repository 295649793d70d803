import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mytorch import memory

LARGE = memory.MIN_POOLED_BYTES // 4


@pytest.fixture(autouse=True)
def _nothing_waits():
    memory.set_cache_limit(0)
    memory.set_cache_limit(1 << 30)


def test_memory_is_reused_once_the_array_is_gone():
    first = memory.empty((LARGE,), np.float32)
    place = first.ctypes.data
    del first
    assert memory.cached_bytes() > 0
    assert memory.empty((LARGE,), np.float32).ctypes.data == place


@pytest.mark.parametrize("view", [lambda a: a[5:9], lambda a: a.reshape(2, -1).T, lambda a: a.view(np.int32)[::2]])
def test_a_view_keeps_its_memory(view):
    array = memory.empty((LARGE,), np.float32)
    array[...] = 1
    kept = view(array)
    before = kept.copy()
    del array
    for _ in range(3):
        memory.empty((LARGE,), np.float32)[...] = 2
    np.testing.assert_array_equal(kept, before)


@given(steps=st.lists(st.tuples(st.integers(0, 5), st.integers(1, 3 * LARGE)), max_size=40))
def test_arrays_that_are_held_are_never_written_to(steps):
    held = {}
    for number, (slot, size) in enumerate(steps):
        held.pop(slot, None)
        array = memory.empty((size,), np.float32)
        array[...] = number
        held[slot] = array, number
        assert all((array == value).all() for array, value in held.values())


@pytest.mark.parametrize("shape", [(), (0,), (3, 0, 5), (7,), (3, LARGE, 2)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, bool])
def test_arrays_have_the_requested_shape_and_dtype(shape, dtype):
    array = memory.empty(shape, dtype)
    assert array.shape == shape
    assert array.dtype == dtype
    assert array.flags.c_contiguous
    assert array.flags.writeable


def test_large_arrays_are_aligned_to_cache_lines():
    assert all(memory.empty((LARGE + i,), np.float32).ctypes.data % memory.CACHE_LINE_BYTES == 0 for i in range(20))


def test_the_limit_bounds_the_cache_and_the_oldest_size_is_freed_first():
    sizes = [LARGE * (2**i) for i in range(4)]
    for size in sizes:
        memory.empty((size,), np.float32)
    newest = memory.empty((sizes[-1],), np.float32).ctypes.data
    memory.set_cache_limit(8 * sizes[-1])
    assert memory.cached_bytes() <= 8 * sizes[-1]
    assert memory.empty((sizes[-1],), np.float32).ctypes.data == newest
    memory.set_cache_limit(0)
    assert memory.cached_bytes() == 0


def test_a_negative_cache_limit_is_refused():
    with pytest.raises(ValueError, match=r"set_cache_limit\(-1\)"):
        memory.set_cache_limit(-1)


def test_threads_share_it():
    wrong = []

    def use(number):
        for i in range(200):
            a, b = memory.empty((LARGE,), np.int64), memory.empty((LARGE,), np.int64)
            a[...], b[...] = number, -number
            if i % 50 == 0 and not ((a == number).all() and (b == -number).all()):
                wrong.append(number)

    users = [threading.Thread(target=use, args=(n,)) for n in range(1, 4)]
    for user in users:
        user.start()
    for user in users:
        user.join()
    assert not wrong


def test_zeros_are_zeros_in_reused_memory():
    memory.empty((LARGE,), np.float32)[...] = 7
    assert not memory.zeros((LARGE,), np.float32).any()


def test_a_size_that_was_returned_again_is_trimmed_last():
    old, new = LARGE, 2 * LARGE
    for size in (old, new, old):  # the older size is returned once more after the newer one
        memory.empty((size,), np.float32)
    memory.set_cache_limit(5 * old)  # room for the smaller block, of 4 * old bytes, alone
    assert 4 * old <= memory.cached_bytes() <= 5 * old
