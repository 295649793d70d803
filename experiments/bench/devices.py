"""Where a benchmark computes: how arrays get there, its clock, and the precision of products."""

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

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
