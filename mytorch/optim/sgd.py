"""Stochastic gradient descent."""

from typing import Any

from mytorch.device import Array, get_array_module
from mytorch.nn.module import Parameter
from mytorch.ops import optimizer as ops
from mytorch.optim.optimizer import Optimizer, Params


class SGD(Optimizer):
    """Gradient descent with momentum (Polyak's or Nesterov's) and L2 weight decay. As torch.optim.SGD.

    velocity = momentum * velocity + (1 - dampening) * (grad + weight_decay * w), in the first step without dampening;
    w -= lr * velocity. maximize: step along the gradient instead of against it.
    """

    def __init__(
        self,
        params: Params,
        lr: float = 1e-3,
        momentum: float = 0.0,
        dampening: float = 0.0,
        weight_decay: float = 0.0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
    ):
        if nesterov and momentum <= 0:
            raise ValueError(f"nesterov=True with momentum={momentum}: Nesterov's step needs a momentum above 0")
        if nesterov and dampening:
            raise ValueError(f"nesterov=True with dampening={dampening}: Nesterov's step has none; use dampening=0")
        settings = {"momentum": momentum, "dampening": dampening, "weight_decay": weight_decay, "nesterov": nesterov}
        super().__init__(params, lr=lr, **settings, maximize=maximize)

    def update(self, parameter: Parameter, grad: Array, state: dict[str, Any], group: dict[str, Any]) -> None:
        """Do one step for one parameter."""
        lr, momentum, decay = group["lr"], group["momentum"], group["weight_decay"]
        if not momentum:
            ops.sgd(parameter.data, grad, lr, decay)
            return
        first_step = "momentum_buffer" not in state
        zeros_like = get_array_module(parameter.data).zeros_like
        velocity = state.setdefault("momentum_buffer", zeros_like(parameter.data))
        options = (group["nesterov"], group["dampening"])
        ops.sgd_momentum(parameter.data, grad, velocity, first_step, lr, momentum, decay, *options)
