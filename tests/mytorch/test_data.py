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


class Indices:
    """Ten items, each its own index."""

    def __len__(self):
        return 10

    def __getitem__(self, indices):
        return indices


def test_items_come_in_order_and_all_of_them():
    assert list(prefetch(range(100), 3)) == list(range(100))
    assert list(prefetch([], 1)) == []


def test_reading_and_computing_overlap():
    """The next batch is read while one is computed on; otherwise this would wait forever."""
    reading = [threading.Event() for _ in range(6)]

    class Watched:
        def __len__(self):
            return 5

        def __getitem__(self, indices):
            reading[indices[0]].set()
            return indices[0]

    for number in DataLoader(Watched(), prefetch_factor=1):
        assert number == 4 or reading[number + 1].wait(30)


def test_no_more_is_prefetched_than_the_buffer_holds():
    made = []
    items = prefetch((made.append(n) or n for n in range(50)), 2)
    assert next(items) == 0
    deadline = time.monotonic() + 30
    while len(made) < 4 and time.monotonic() < deadline:  # the one taken, two in the queue, one in hand
        time.sleep(0.01)
    time.sleep(0.1)  # room for one too many
    assert len(made) == 4
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


def test_a_loop_left_early_stops_the_thread_and_closes_its_source():
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


def test_every_iteration_is_the_next_epoch():
    loader = DataLoader(ArrayDataset(np.arange(20)), 6, shuffle=True, seed=1)
    first, second = ([tuple(batch) for (batch,) in loader] for _ in range(2))
    assert first != second
    loader.set_epoch(1)
    assert [tuple(batch) for (batch,) in loader] == second


@pytest.mark.parametrize(("drop_last", "lengths"), [(False, [4, 4, 2]), (True, [4, 4])])
def test_last_batch_is_kept_or_left_out(drop_last, lengths):
    loader = DataLoader(ArrayDataset(np.arange(10)), 4, drop_last=drop_last)
    assert [len(batch) for (batch,) in loader] == lengths
    assert len(loader) == len(lengths)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: prefetch([], 0), "buffer_size=0: expected at least 1"),
        (lambda: DataLoader(Indices(), 0), "batch_size=0"),
        (lambda: DataLoader(Indices(), prefetch_factor=-1), "prefetch_factor=-1"),
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


def test_a_generator_that_others_hold_is_closed_when_the_loop_is_left():
    closed = []

    def endless():
        try:
            while True:
                yield 1
        finally:
            closed.append(True)

    held = endless()  # so that garbage collection does not close it
    for _ in prefetch(held):
        break
    assert closed == [True]
    assert list(held) == []
