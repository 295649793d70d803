"""Stochastic gradient descent."""

from typing import Any

from mytorch.device import Array, namespace
from mytorch.nn.module import Parameter
from mytorch.ops import optimiser as ops
from mytorch.optim.optimizer import Optimizer, Parameters


class SGD(Optimizer):
    """Gradient descent with momentum (Polyak's or Nesterov's) and L2 weight decay. As torch.optim.SGD.

    velocity = momentum * velocity + (grad + weight_decay * w); w -= lr * velocity.
    """

    def __init__(
        self,
        parameters: Parameters,
        lr: float = 1e-3,
        momentum: float = 0.0,
        weight_decay: float = 0.0,
        nesterov: bool = False,
    ):
        if nesterov and momentum <= 0:
            raise ValueError(f"nesterov=True with momentum={momentum}: Nesterov's step needs a momentum above 0")
        super().__init__(parameters, lr=lr, momentum=momentum, weight_decay=weight_decay, nesterov=nesterov)

    def update(self, parameter: Parameter, grad: Array, state: dict[str, Any], group: dict[str, Any]) -> None:
        """One step."""
        lr, momentum, decay = group["lr"], group["momentum"], group["weight_decay"]
        if not momentum:
            ops.sgd(parameter.data, grad, lr, decay)
            return
        first = "momentum_buffer" not in state
        velocity = state.setdefault("momentum_buffer", namespace(parameter.data).zeros_like(parameter.data))
        ops.sgd_momentum(parameter.data, grad, velocity, first, lr, momentum, decay, group["nesterov"])
