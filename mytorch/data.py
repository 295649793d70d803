"""Batches that are read while the network computes."""

from collections.abc import Generator, Iterable, Iterator
from queue import Full, Queue
from threading import Event, Thread
from typing import Any, Protocol, TypeVar

import numpy as np

from mytorch.device import Array

Item = TypeVar("Item")
PATIENCE = 0.05
"""Seconds after which a thread that waits for room looks whether anybody still wants its items."""


class Dataset(Protocol):
    """What a DataLoader reads: its length, and the items at an array of indices, as a batch."""

    def __len__(self) -> int: ...

    def __getitem__(self, indices: np.ndarray) -> Any: ...


class ArrayDataset:
    """Arrays of one length, such as images and labels; a batch is a tuple with the chosen rows of each."""

    def __init__(self, *arrays: Array):
        if len({len(array) for array in arrays}) != 1:
            lengths = [len(array) for array in arrays]
            raise ValueError(f"ArrayDataset got arrays of {lengths} items: expected at least one, all as long")
        self.arrays = arrays

    def __len__(self) -> int:
        return len(self.arrays[0])

    def __getitem__(self, indices: np.ndarray) -> tuple[Array, ...]:
        return tuple(array[indices] for array in self.arrays)


class DataLoader:
    """A dataset's batches, epoch by epoch: `for images, labels in loader.epoch(3)`.

    shuffle: in an order that seed and epoch decide, so that a resumed run sees what an unbroken one does. drop_last:
    leave out a last batch that is not full. ahead: how many batches a thread reads beforehand; 0 reads each when asked.
    """

    def __init__(
        self,
        dataset: Dataset,
        batch_size: int = 1,
        shuffle: bool = False,
        drop_last: bool = False,
        seed: int = 0,
        ahead: int = 2,
    ):
        if batch_size < 1 or ahead < 0:
            raise ValueError(f"batch_size={batch_size}, ahead={ahead}: expected at least 1, and at least 0")
        self.dataset, self.batch_size, self.shuffle, self.drop_last = dataset, batch_size, shuffle, drop_last
        self.seed, self.ahead = seed, ahead

    def __len__(self) -> int:
        """Batches an epoch."""
        whole, rest = divmod(len(self.dataset), self.batch_size)
        return whole + (rest > 0 and not self.drop_last)

    def epoch(self, number: int = 0) -> Iterator[Any]:
        """One epoch's batches."""
        count = len(self.dataset)
        order = np.random.default_rng((self.seed, number)).permutation(count) if self.shuffle else np.arange(count)
        starts = range(0, len(self) * self.batch_size, self.batch_size)
        batches = (self.dataset[order[start : start + self.batch_size]] for start in starts)
        return prefetch(batches, self.ahead) if self.ahead else batches


def prefetch(items: Iterable[Item], ahead: int = 2) -> Generator[Item, None, None]:
    """The items of any iterable, of which a thread makes up to `ahead` before they are asked for.

    NumPy lets go of the interpreter while it computes, and so does a read from disk, so a thread is enough, and nothing
    need be sent between processes. An exception in the thread is raised here, after the items that came before it. A
    loop that is left early closes the iterator (or call its `close`): the thread ends and is waited for, and `items`,
    if it is a generator, is closed in the thread that ran it.
    """
    if ahead < 1:
        raise ValueError(f"ahead={ahead}: expected at least 1 item to make beforehand")
    return _prefetched(items, ahead)


def _prefetched(items: Iterable[Item], ahead: int) -> Generator[Item, None, None]:
    queue: Queue[tuple[str, Any]] = Queue(ahead)
    stopped = Event()
    thread = Thread(target=_produce, args=(items, queue, stopped), name="mytorch-prefetch", daemon=True)
    thread.start()
    try:
        while True:
            what, thing = queue.get()
            if what == "error":
                raise thing
            if what == "end":
                return
            yield thing
    finally:
        stopped.set()
        thread.join()


def _produce(items: Iterable[Any], queue: Queue, stopped: Event) -> None:
    """Put every item into the queue, and then how it ended, until nobody wants them."""
    iterator = iter(items)
    try:
        for item in iterator:
            if not _put(queue, ("item", item), stopped):
                return
        _put(queue, ("end", None), stopped)
    except BaseException as error:
        _put(queue, ("error", error), stopped)
    finally:
        if hasattr(iterator, "close"):
            iterator.close()


def _put(queue: Queue, entry: tuple[str, Any], stopped: Event) -> bool:
    """True once there was room for `entry`; False if it is not wanted any more."""
    while not stopped.is_set():
        try:
            queue.put(entry, timeout=PATIENCE)
            return True
        except Full:
            continue
    return False
