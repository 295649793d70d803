"""Datasets and loaders: batches are read in a thread while the network computes."""

from collections.abc import Generator, Iterable, Iterator
from queue import Full, Queue
from threading import Event, Thread
from typing import Any, Protocol, TypeVar

import numpy as np

from mytorch.device import Array

Item = TypeVar("Item")

POLL_SECONDS = 0.05
"""How often a thread that waits for a free place in the queue checks whether its items are still wanted."""


class Dataset(Protocol):
    """What a DataLoader reads: a length, and the items at an array of indices, as one batch."""

    def __len__(self) -> int: ...

    def __getitem__(self, indices: np.ndarray) -> Any: ...


class ArrayDataset:
    """Arrays of equal length, such as images and labels. A batch is a tuple of rows from each array.

    As torch.utils.data.TensorDataset.
    """

    def __init__(self, *arrays: Array):
        if len({len(array) for array in arrays}) != 1:
            lengths = [len(array) for array in arrays]
            raise ValueError(f"ArrayDataset got arrays of {lengths} items: expected at least one, all of equal length")
        self.arrays = arrays

    def __len__(self) -> int:
        return len(self.arrays[0])

    def __getitem__(self, indices: np.ndarray) -> tuple[Array, ...]:
        return tuple(array[indices] for array in self.arrays)


class DataLoader:
    """An iterable over the batches of a dataset: `for images, labels in loader`.

    shuffle: in a new order each epoch, which depends on `seed` and the epoch's number alone. `set_epoch` sets that
    number, so a resumed run sees the batches that an uninterrupted one does. drop_last: leave out a last batch that is
    not full. prefetch_factor: how many batches a thread reads in advance; with 0 each is read when it is needed.
    """

    def __init__(
        self,
        dataset: Dataset,
        batch_size: int = 1,
        shuffle: bool = False,
        drop_last: bool = False,
        seed: int = 0,
        prefetch_factor: int = 2,
    ):
        if batch_size < 1 or prefetch_factor < 0:
            raise ValueError(
                f"batch_size={batch_size}, prefetch_factor={prefetch_factor}: expected at least 1, and at least 0"
            )
        self.dataset, self.batch_size, self.shuffle, self.drop_last = dataset, batch_size, shuffle, drop_last
        self.seed, self.prefetch_factor, self.epoch = seed, prefetch_factor, 0

    def __len__(self) -> int:
        """Return the number of batches per epoch."""
        full, rest = divmod(len(self.dataset), self.batch_size)
        return full + (rest > 0 and not self.drop_last)

    def set_epoch(self, epoch: int) -> None:
        """Set the number of the next epoch, which decides its order. Every iteration adds 1 by itself."""
        self.epoch = epoch

    def __iter__(self) -> Iterator[Any]:
        count, epoch = len(self.dataset), self.epoch
        self.epoch += 1
        order = np.random.default_rng((self.seed, epoch)).permutation(count) if self.shuffle else np.arange(count)
        starts = range(0, len(self) * self.batch_size, self.batch_size)
        batches = (self.dataset[order[start : start + self.batch_size]] for start in starts)
        return prefetch(batches, self.prefetch_factor) if self.prefetch_factor else batches


def prefetch(items: Iterable[Item], buffer_size: int = 2) -> Generator[Item, None, None]:
    """Yield the items of any iterable, computed in a thread up to `buffer_size` items in advance.

    NumPy and file reads release Python's global lock, so a thread is enough and no data is copied between processes. An
    exception in the thread is raised here, after the items that came before it. To stop early, leave the loop or call
    `close()`: the thread is stopped and joined, and `items`, if it is a generator, is closed in that thread.
    """
    if buffer_size < 1:
        raise ValueError(f"buffer_size={buffer_size}: expected at least 1 item to compute in advance")
    return _prefetch(items, buffer_size)


def _prefetch(items: Iterable[Item], buffer_size: int) -> Generator[Item, None, None]:
    queue: Queue[tuple[str, Any]] = Queue(buffer_size)
    stopped = Event()
    thread = Thread(target=_produce, args=(items, queue, stopped), name="mytorch-prefetch", daemon=True)
    thread.start()
    try:
        while True:
            kind, value = queue.get()
            if kind == "error":
                raise value
            if kind == "end":
                return
            yield value
    finally:
        stopped.set()
        thread.join()


def _produce(items: Iterable[Any], queue: Queue, stopped: Event) -> None:
    """Put every item into the queue, then the end or the exception, until `stopped` is set."""
    iterator: Any = None
    try:
        iterator = iter(items)
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
    """Return True once `entry` is in the queue, or False if `stopped` is set first."""
    while not stopped.is_set():
        try:
            queue.put(entry, timeout=POLL_SECONDS)
            return True
        except Full:
            continue
    return False
