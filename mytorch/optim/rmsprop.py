"""Optimizers that divide by the root of the squared gradients, without Adam's mean gradient: RMSprop and Adagrad."""

from typing import Any

from mytorch.device import Array, get_array_module
from mytorch.nn.module import Parameter
from mytorch.ops import optimizer as ops
from mytorch.optim.optimizer import Optimizer, Params


class RMSprop(Optimizer):
    """A step along gradient / root mean square gradient (Tieleman and Hinton 2012). As torch.optim.RMSprop.

    alpha: how much of the mean square is kept. centered: subtract the mean gradient before squaring (Graves, arXiv
    1308.0850). momentum: of the steps.
    """

    def __init__(
        self,
        params: Params,
        lr: float = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        momentum: float = 0.0,
        centered: bool = False,
        *,
        maximize: bool = False,
    ):
        if not 0 <= alpha <= 1:
            raise ValueError(f"RMSprop got alpha={alpha}: expected a number from 0 to 1")
        settings = {"alpha": alpha, "eps": eps, "weight_decay": weight_decay, "momentum": momentum}
        super().__init__(params, lr=lr, **settings, centered=centered, maximize=maximize)

    def update(self, parameter: Parameter, grad: Array, state: dict[str, Any], group: dict[str, Any]) -> None:
        """Do one step for one parameter."""
        used = {"square_avg": True, "grad_avg": group["centered"], "momentum_buffer": group["momentum"] > 0}
        zeros_like = get_array_module(parameter.data).zeros_like
        for name, is_used in used.items():
            if is_used and name not in state:
                state[name] = zeros_like(parameter.data)
        square, mean, velocity = (state[name] if is_used else None for name, is_used in used.items())
        settings = (group["lr"], group["alpha"], group["eps"], group["weight_decay"], group["momentum"])
        ops.rmsprop(parameter.data, grad, square, mean, velocity, *settings)


class Adagrad(Optimizer):
    """A step along gradient / root of the sum of squared gradients. As torch.optim.Adagrad.

    Duchi, Hazan and Singer 2011. lr_decay: the learning rate is divided by 1 + lr_decay * number of steps before.
    """

    def __init__(
        self,
        params: Params,
        lr: float = 1e-2,
        lr_decay: float = 0.0,
        weight_decay: float = 0.0,
        initial_accumulator_value: float = 0.0,
        eps: float = 1e-10,
        *,
        maximize: bool = False,
    ):
        settings = {"lr_decay": lr_decay, "weight_decay": weight_decay, "eps": eps}
        super().__init__(
            params, lr=lr, **settings, initial_accumulator_value=initial_accumulator_value, maximize=maximize
        )

    def update(self, parameter: Parameter, grad: Array, state: dict[str, Any], group: dict[str, Any]) -> None:
        """Do one step for one parameter."""
        if not state:
            full_like = get_array_module(parameter.data).full_like
            state.update(step=0, sum=full_like(parameter.data, group["initial_accumulator_value"]))
        state["step"] += 1
        lr = group["lr"] / (1 + (state["step"] - 1) * group["lr_decay"])
        ops.adagrad(parameter.data, grad, state["sum"], lr, group["eps"], group["weight_decay"])
