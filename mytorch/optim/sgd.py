"""Stochastic gradient descent."""

from typing import Any

from mytorch.device import Array
from mytorch.nn.module import Parameter
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
        momentum = group["momentum"]
        if group["weight_decay"]:
            grad = grad + group["weight_decay"] * parameter.data
        if momentum:
            if "momentum_buffer" in state:
                state["momentum_buffer"] *= momentum
                state["momentum_buffer"] += grad
            else:
                state["momentum_buffer"] = grad.copy()
            velocity = state["momentum_buffer"]
            grad = grad + momentum * velocity if group["nesterov"] else velocity
        parameter.data -= group["lr"] * grad
