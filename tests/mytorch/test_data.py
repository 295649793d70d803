import threading
import time

import numpy as np
import pytest

from mytorch.data import ArrayDataset, DataLoader, prefetch


def threads():
    return [thread for thread in threading.enumerate() if thread.name == "mytorch-prefetch"]


@pytest.fixture(autouse=True)
def _no_thread_is_left():
    yield
    assert threads() == []


class Slow:
    """Ten items, each a while to read."""

    def __len__(self):
        return 10

    def __getitem__(self, indices):
        time.sleep(0.03)
        return indices


def test_items_come_in_order_and_all_of_them():
    assert list(prefetch(range(100), 3)) == list(range(100))
    assert list(prefetch([], 1)) == []


def test_reading_and_computing_overlap():
    start = time.perf_counter()
    for _ in DataLoader(Slow()):
        time.sleep(0.03)
    assert time.perf_counter() - start < 0.5  # 0.6 one after the other, 0.33 side by side


def test_no_more_is_made_beforehand_than_asked_for():
    made = []
    items = prefetch((made.append(n) or n for n in range(50)), 2)
    assert next(items) == 0
    time.sleep(0.2)
    assert len(made) <= 4  # the one taken, two in the queue, one in hand
    items.close()


def test_an_exception_in_the_thread_is_raised_after_what_came_before_it():
    def broken():
        yield 1
        yield 2
        raise OSError("photo.jpg: truncated")

    seen = []
    with pytest.raises(OSError, match=r"photo\.jpg: truncated"):
        seen.extend(prefetch(broken()))
    assert seen == [1, 2]


def test_a_loop_left_early_leaves_no_thread_and_closes_what_it_read_from():
    closed = []

    def endless():
        try:
            while True:
                yield 1
        finally:
            closed.append(True)

    for _ in prefetch(endless()):
        break
    assert closed == [True]
    assert threads() == []


def test_an_exception_in_the_loop_leaves_no_thread():
    def loop():
        for _ in prefetch(iter(int, 1)):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        loop()
    assert threads() == []


def test_order_is_decided_by_seed_and_epoch():
    data = ArrayDataset(np.arange(20), np.arange(20) * 10)

    def order(seed, epoch, prefetch_factor=2):
        loader = DataLoader(data, 6, shuffle=True, seed=seed, prefetch_factor=prefetch_factor)
        loader.set_epoch(epoch)
        return [tuple(map(tuple, batch)) for batch in loader]

    assert order(1, 2) == order(1, 2) == order(1, 2, prefetch_factor=0)
    assert order(1, 2) != order(1, 3)
    assert order(1, 2) != order(2, 2)
    images, labels = zip(*order(1, 2), strict=True)
    assert sorted(sum(images, ())) == list(range(20))
    assert all(label == 10 * image for image, label in zip(sum(images, ()), sum(labels, ()), strict=True))


@pytest.mark.parametrize(("drop_last", "lengths"), [(False, [4, 4, 2]), (True, [4, 4])])
def test_last_batch_is_kept_or_left_out(drop_last, lengths):
    loader = DataLoader(ArrayDataset(np.arange(10)), 4, drop_last=drop_last)
    assert [len(batch) for (batch,) in loader] == lengths
    assert len(loader) == len(lengths)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: prefetch([], 0), "buffer_size=0: expected at least 1"),
        (lambda: DataLoader(Slow(), 0), "batch_size=0"),
        (lambda: DataLoader(Slow(), prefetch_factor=-1), "prefetch_factor=-1"),
        (lambda: ArrayDataset(np.zeros(3), np.zeros(4)), r"arrays of \[3, 4\] items"),
        (lambda: ArrayDataset(), r"arrays of \[\] items"),
    ],
)
def test_impossible_settings_are_refused(build, message):
    with pytest.raises(ValueError, match=message):
        build()


def test_items_that_cannot_be_iterated_raise_their_exception():
    class Unreadable:
        def __iter__(self):
            raise FileNotFoundError("list.txt")

    with pytest.raises(FileNotFoundError, match=r"list\.txt"):
        list(prefetch(Unreadable()))
    with pytest.raises(TypeError, match="not iterable"):
        list(prefetch(5))


def test_there_is_no_empty_last_batch():
    loader = DataLoader(ArrayDataset(np.arange(8)), batch_size=4)
    assert [len(batch) for (batch,) in loader] == [4, 4]
    assert len(loader) == 2
