"""Where and how a benchmark is run (device, repeats, size, threads), and how backends take turns at the same work.

What disturbs the machine then disturbs all of them equally.
"""

import gc
import os
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib import import_module
from importlib.util import find_spec
from math import ceil
from types import ModuleType
from typing import Any, TypeVar

import numpy as np
import torch

from experiments.errors import FacesError
from mytorch.device import require_cuda, to_device
from mytorch.geometry import to_channels_last

PAUSE = 0.03
"""Seconds before a turn on a CPU, while the threads of the backend before still spin and wait for work.

OpenBLAS's threads do so for 2^26 clock ticks, 27 ms at 2.5 GHz.
"""


class Device(ABC):
    """A CPU or a GPU. `name` is what both libraries call it."""

    name: str

    def ours(self, array: np.ndarray) -> Any:
        """Return a NumPy array as mytorch has it between layers: on the device, with channels last in memory."""
        return to_device(to_channels_last(array) if array.ndim > 2 else array, self.name)

    def theirs(self, array: np.ndarray, backend: str) -> torch.Tensor:
        """Return a NumPy array as a tensor on the device, in the layout of a PyTorch backend."""
        tensor = torch.from_numpy(np.ascontiguousarray(array)).to(self.name)
        if backend == "torch_channels_last" and tensor.ndim == 4:
            return tensor.contiguous(memory_format=torch.channels_last)
        return tensor

    def module(self, module: torch.nn.Module, backend: str) -> torch.nn.Module:
        """Return a module on the device, in the layout of a PyTorch backend."""
        layout = torch.channels_last if backend == "torch_channels_last" else torch.preserve_format
        return module.to(self.name).to(memory_format=layout)

    @abstractmethod
    def seconds(self, backend: str, run: Callable[[], Any], calls: int) -> float:
        """Return how long a backend needs for so many calls."""


class Cpu(Device):
    """A CPU, timed by the wall clock."""

    name = "cpu"

    def seconds(self, backend: str, run: Callable[[], Any], calls: int) -> float:
        """Return the wall-clock time of the calls."""
        time.sleep(PAUSE)
        started = time.perf_counter()
        for _ in range(calls):
            run()
        return time.perf_counter() - started


class Cuda(Device):
    """An NVIDIA GPU, timed by events in the stream of the library that computes."""

    name = "cuda"

    def __init__(self) -> None:
        try:
            require_cuda()
        except RuntimeError as error:
            raise FacesError(f"--device cuda: {error}") from error
        if not torch.cuda.is_available():
            raise FacesError(
                f"--device cuda: this PyTorch ({torch.__version__}) sees no GPU: install one built for CUDA "
                "(pytorch.org/get-started), or use --device cpu"
            )

    def seconds(self, backend: str, run: Callable[[], Any], calls: int) -> float:
        """Return the time between two events, with nothing in the stream before the first."""
        if backend == "mytorch":
            import cupy

            begin, end = cupy.cuda.Event(), cupy.cuda.Event()
            cupy.cuda.get_current_stream().synchronize()
        else:
            begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
            torch.cuda.synchronize()
        begin.record()
        for _ in range(calls):
            run()
        end.record()
        end.synchronize()
        took = cupy.cuda.get_elapsed_time(begin, end) if backend == "mytorch" else begin.elapsed_time(end)
        return float(took) / 1e3


def open_device(name: str) -> Device:
    """Return the device of that name. Raises FacesError for another name, and where no GPU can be used."""
    if name not in ("cpu", "cuda"):
        raise FacesError(f"--device {name}: expected cpu or cuda")
    return Cuda() if name == "cuda" else Cpu()


@contextmanager
def tensor_float32(allowed: bool) -> Iterator[None]:
    """Allow or forbid both libraries to round the factors of float32 products to TF32's 10 bits, in a block."""
    from mytorch.ops.cuda.precision import allow_tf32, tf32_allowed

    before = tf32_allowed(), torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
    try:
        allow_tf32(allowed)
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = allowed
        yield
    finally:
        allow_tf32(before[0])
        torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = before[1:]


T = TypeVar("T")

BACKENDS = ("mytorch", "torch", "torch_channels_last")
"""Who computes: mytorch, PyTorch in its default layout, and PyTorch with channels last in memory, its fastest."""

FLOAT64_BATCH_DIVISOR = 4
"""In float64 the batch of a convolution is this many times smaller."""


@dataclass(frozen=True)
class Plan:
    """The settings of a benchmark.

    threads: of each backend. repeats: minimum number of rounds, in each of which every backend has its turn. seconds:
    minimum time that each backend computes. quick: batches of 2 and a few of each kind, to check that everything runs.
    memory_steps: over which memory is observed.
    """

    device: str = "cpu"
    threads: int = 1
    repeats: int = 4
    seconds: float = 0.1
    quick: bool = False
    seed: int = 0
    memory_steps: int = 1000

    def shorter(self) -> "Plan":
        """Return the same with half the rounds, for measurements that are not in the summary by themselves."""
        return replace(self, repeats=-(-self.repeats // 2))

    def batch(self, full: int) -> int:
        """Return the batch to use for `full`."""
        return min(full, 2) if self.quick else full

    def some(self, items: Iterable[T]) -> list[T]:
        """Return all of them, or every fifth if quick."""
        return list(items)[:: 5 if self.quick else 1]


MAX_ROUNDS = 7

LONG_CALL = 0.2
"""Seconds of a first call that is enough of a warm-up."""


def race(runners: Mapping[str, Callable[[], Any]], plan: Plan, device: Device) -> dict[str, dict[str, Any]]:
    """Time what each backend runs: {backend: {"ms": median, "low" and "high": quartiles, "rounds", "calls" per round}}.

    After two calls to warm up, or a long one, the backends take turns, and each round begins with another one. Short
    work is called many times in a round, so that no clock is too coarse and every backend runs `plan.seconds` in all.
    """
    each = {}
    for backend, run in runners.items():
        took = device.seconds(backend, run, 1)  # the first call compiles and allocates
        each[backend] = took if took > LONG_CALL else max(device.seconds(backend, run, 1), 1e-7)
    rounds = min(max(plan.repeats, ceil(plan.seconds / max(each.values()))), max(plan.repeats, MAX_ROUNDS))
    calls = {backend: max(1, ceil(plan.seconds / rounds / took)) for backend, took in each.items()}
    samples: dict[str, list[float]] = {backend: [] for backend in runners}
    order = list(runners)
    with _paused_collector():
        for _ in range(rounds):
            for backend in order:
                samples[backend].append(
                    1e3 * device.seconds(backend, runners[backend], calls[backend]) / calls[backend]
                )
            order.append(order.pop(0))
    return {backend: {**spread(samples[backend]), "rounds": rounds, "calls": calls[backend]} for backend in runners}


def spread(samples: list[float]) -> dict[str, float]:
    """Return the median and the quartiles of times in milliseconds."""
    low, median, high = np.percentile(samples, [25, 50, 75])
    return {"ms": float(median), "low": float(low), "high": float(high)}


def ratios(times: Mapping[str, Mapping[str, Any]]) -> dict[str, float]:
    """Return the median of mytorch over that of torch in its default layout, and over torch with channels_last.

    Work without channels_last has one layout in torch, whose time counts for both.
    """
    ours, default = times["mytorch"]["ms"], times["torch"]["ms"]
    best = times.get("torch_channels_last", times["torch"])["ms"]
    return {"ratio": ours / default, "ratio_channels_last": ours / best}


def geometric_mean(values: list[float]) -> float:
    """Return the geometric mean, which treats a ratio and its inverse the same way."""
    return float(np.exp(np.mean(np.log(values))))


@contextmanager
def _paused_collector() -> Iterator[None]:
    """Pause Python's garbage collector, which would run during one backend's turn."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def available_processors() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def limited(threads: int) -> Iterator[None]:
    """Limit torch, NumPy's BLAS and mytorch to so many threads each, in a block."""
    import torch
    from threadpoolctl import threadpool_limits

    ours, before = _threads_module(), torch.get_num_threads()
    mine = ours.get_num_threads() if ours else None
    with threadpool_limits(threads, user_api="blas"):
        torch.set_num_threads(threads)
        limit_mytorch(threads)
        try:
            yield
        finally:
            torch.set_num_threads(before)
            if ours:
                ours.set_num_threads(mine)


def limit_mytorch(threads: int) -> None:
    """Limit the threads of mytorch."""
    ours = _threads_module()
    if ours:
        ours.set_num_threads(threads)


def _threads_module() -> ModuleType | None:
    return import_module("mytorch.threads") if find_spec("mytorch.threads") else None
