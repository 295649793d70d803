"""Where a benchmark computes: arrays of either library there, its clock, and what products are rounded to."""

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
"""Seconds before a turn on a processor: another side's threads spin on in wait for more work, and take its time.

OpenBLAS's do so for 2^26 ticks of the processor's clock, 27 ms at 2.5 GHz.
"""


class Device(ABC):
    """A CPU or a GPU. `name` is both libraries' word for it."""

    name: str

    def ours(self, array: np.ndarray) -> Any:
        """A NumPy array as mytorch has it between its layers: there, memory channels last."""
        return to_device(to_channels_last(array) if array.ndim > 2 else array, self.name)

    def theirs(self, array: np.ndarray, side: str) -> torch.Tensor:
        """A NumPy array as a tensor there, in the layout of a side of torch's."""
        tensor = torch.from_numpy(np.ascontiguousarray(array)).to(self.name)
        if side == "torch_channels_last" and tensor.ndim == 4:
            return tensor.contiguous(memory_format=torch.channels_last)
        return tensor

    def module(self, module: torch.nn.Module, side: str) -> torch.nn.Module:
        """A module there, in the layout of a side of torch's."""
        layout = torch.channels_last if side == "torch_channels_last" else torch.preserve_format
        return module.to(self.name).to(memory_format=layout)

    @abstractmethod
    def seconds(self, side: str, run: Callable[[], Any], calls: int) -> float:
        """How long so many calls take a side."""


class Cpu(Device):
    """The processor, by the clock on the wall."""

    name = "cpu"

    def seconds(self, side: str, run: Callable[[], Any], calls: int) -> float:
        """As the clock on the wall has it."""
        time.sleep(PAUSE)
        started = time.perf_counter()
        for _ in range(calls):
            run()
        return time.perf_counter() - started


class Cuda(Device):
    """An NVIDIA GPU, by events in the stream of the library that computes."""

    name = "cuda"

    def __init__(self) -> None:
        try:
            require_cuda()
        except RuntimeError as error:
            raise FacesError(f"--device cuda: {error}") from error
        if not torch.cuda.is_available():
            raise FacesError(
                f"--device cuda: this PyTorch ({torch.__version__}) sees no GPU: install one built for CUDA "
                "(pytorch.org/get-started), or bench the processor with --device cpu"
            )

    def seconds(self, side: str, run: Callable[[], Any], calls: int) -> float:
        """Between two events, with nothing left in the stream before the first."""
        if side == "mytorch":
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
        took = cupy.cuda.get_elapsed_time(begin, end) if side == "mytorch" else begin.elapsed_time(end)
        return float(took) / 1e3


def device_called(name: str) -> Device:
    """The device of that name. Raises FacesError for another, and where there is no GPU to use."""
    if name not in ("cpu", "cuda"):
        raise FacesError(f"--device {name}: expected cpu or cuda")
    return Cuda() if name == "cuda" else Cpu()


@contextmanager
def tensor_float32(allowed: bool) -> Iterator[None]:
    """Inside, both libraries may, or may not, round the factors of float32 products to TF32's 10 bits."""
    from mytorch.ops.cuda.precision import allow_tf32, tf32_allowed

    before = tf32_allowed(), torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
    try:
        allow_tf32(allowed)
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = allowed
        yield
    finally:
        allow_tf32(before[0])
        torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = before[1:]
