"""Averages of the weights over training, which often predict better than the final weights."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import numpy as np

from mytorch.device import Array, device_of, to_device
from mytorch.nn.module import Module


class EMA:
    """An exponential moving average of a network's weights (Polyak and Juditsky 1992; Tarvainen and Valpola 2017).

    Call `update()` after each step: average = decay * average + (1 - decay) * weight; the first call copies. Running
    statistics are averaged too, or copied with use_buffers=False; integer buffers are copied. Evaluate inside
    `average_parameters()`. As torch.optim.swa_utils.AveragedModel with get_ema_avg_fn(decay).
    """

    def __init__(self, network: Module, decay: float = 0.999, use_buffers: bool = True):
        if not 0 <= decay <= 1:
            raise ValueError(f"decay={decay}: expected a number from 0 to 1")
        self.network, self.decay, self.use_buffers = network, float(decay), use_buffers
        self.n_averaged = 0
        self.averages: dict[str, Array] = {name: value.copy() for name, value in network.state_dict().items()}

    def update(self) -> None:
        """Add the network's current weights to the average."""
        parameters = {name for name, _ in self.network.named_parameters()}
        for name, value in self.network.state_dict().items():
            average = self.averages[name]
            if self.n_averaged and value.dtype.kind == "f" and (self.use_buffers or name in parameters):
                average += (1 - self.decay) * (value - average)
            else:
                average[...] = value
        self.n_averaged += 1

    @contextmanager
    def average_parameters(self) -> Iterator[Module]:
        """Give the network the averages as its weights inside the `with` block, and restore its own afterwards."""
        own = {name: value.copy() for name, value in self.network.state_dict().items()}
        self.network.load_state_dict(self.averages)
        try:
            yield self.network
        finally:
            self.network.load_state_dict(own)

    def state_dict(self) -> dict[str, Array]:
        """Return what a checkpoint needs: the averages (not copies), and "n_averaged", the number of updates."""
        return {"n_averaged": np.array(self.n_averaged), **self.averages}

    def load_state_dict(self, state_dict: Mapping[str, Array]) -> None:
        """Continue from the state dict of an average over the same network.

        Raises ValueError, changing nothing, if names or shapes differ.
        """
        expected = {"n_averaged": (), **{name: value.shape for name, value in self.averages.items()}}
        shapes = {name: np.shape(value) for name, value in state_dict.items()}
        if shapes != expected:
            wrong = sorted(name for name in {*shapes, *expected} if shapes.get(name) != expected.get(name))
            raise ValueError(f"this average is of another network, differing in {wrong}: build the same network first")
        self.n_averaged = int(state_dict["n_averaged"])
        for name, average in self.averages.items():
            average[...] = to_device(state_dict[name], device_of(average))
