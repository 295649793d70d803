"""Averages of weights over the steps of training, which often predict better than the last weights."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import numpy as np

from mytorch.device import Array, side, to_device
from mytorch.nn.module import Module


class EMA:
    """An exponential moving average of a network's weights (Polyak and Juditsky 1992; Tarvainen and Valpola 2017).

    After each step, `update()`: average = decay * average + (1 - decay) * weight; the first one copies. Running
    statistics are averaged alike, or copied with use_buffers=False; whole-number buffers are copied. `applied()` lends
    the averages to the network for an evaluation. As torch.optim.swa_utils.AveragedModel with get_ema_avg_fn(decay).
    """

    def __init__(self, network: Module, decay: float = 0.999, use_buffers: bool = True):
        if not 0 <= decay <= 1:
            raise ValueError(f"decay={decay}: a share lies between 0 and 1")
        self.network, self.decay, self.use_buffers = network, float(decay), use_buffers
        self.n_averaged = 0
        self.averages: dict[str, Array] = {name: value.copy() for name, value in network.state_dict().items()}

    def update(self) -> None:
        """Take the network's present weights in."""
        parameters = {name for name, _ in self.network.named_parameters()}
        for name, value in self.network.state_dict().items():
            average = self.averages[name]
            if self.n_averaged and value.dtype.kind == "f" and (self.use_buffers or name in parameters):
                average += (1 - self.decay) * (value - average)
            else:
                average[...] = value
        self.n_averaged += 1

    @contextmanager
    def applied(self) -> Iterator[Module]:
        """Inside, the network has the averages for weights; afterwards its own again, whatever happened."""
        own = {name: value.copy() for name, value in self.network.state_dict().items()}
        self.network.load_state_dict(self.averages)
        try:
            yield self.network
        finally:
            self.network.load_state_dict(own)

    def state_dict(self) -> dict[str, Array]:
        """What a checkpoint needs: the averages (not copies), and "n_averaged", the updates so far."""
        return {"n_averaged": np.array(self.n_averaged), **self.averages}

    def load_state_dict(self, saved: Mapping[str, Array]) -> None:
        """Go on from a state_dict of an average over the same network.

        Raises ValueError, changing nothing, where names or shapes differ.
        """
        expected = {"n_averaged": (), **{name: value.shape for name, value in self.averages.items()}}
        came = {name: np.shape(value) for name, value in saved.items()}
        if came != expected:
            wrong = sorted(name for name in {*came, *expected} if came.get(name) != expected.get(name))
            raise ValueError(f"this average is of another network, differing in {wrong}: build the same network first")
        self.n_averaged = int(saved["n_averaged"])
        for name, average in self.averages.items():
            average[...] = to_device(saved[name], side(average))
