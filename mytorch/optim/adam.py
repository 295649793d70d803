"""Adam (Kingma and Ba, arXiv 1412.6980) and AdamW (Loshchilov and Hutter, arXiv 1711.05101)."""

from math import sqrt
from typing import Any

from mytorch.device import Array, namespace
from mytorch.nn.module import Parameter
from mytorch.optim.optimizer import Optimizer, Parameters


class Adam(Optimizer):
    """A step of size lr along mean gradient / root mean square gradient. As torch.optim.Adam.

    weight_decay is added to the gradient (L2), and so is scaled by Adam's step; AdamW decays the weight itself.
    """

    def __init__(
        self,
        parameters: Parameters,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ):
        super().__init__(parameters, lr=lr, betas=betas, eps=eps, weight_decay=weight_decay)

    def update(self, parameter: Parameter, grad: Array, state: dict[str, Any], group: dict[str, Any]) -> None:
        """One step."""
        if group["weight_decay"]:
            grad = grad + group["weight_decay"] * parameter.data
        self._move(parameter, grad, state, group)

    def _move(self, parameter: Parameter, grad: Array, state: dict[str, Any], group: dict[str, Any]) -> None:
        beta1, beta2 = group["betas"]
        if not state:
            zeros = namespace(grad).zeros_like
            state.update(step=0, exp_avg=zeros(grad), exp_avg_sq=zeros(grad))
        state["step"] += 1
        mean, square = state["exp_avg"], state["exp_avg_sq"]
        mean *= beta1
        mean += (1 - beta1) * grad
        square *= beta2
        square += (1 - beta2) * grad * grad
        deviation = square**0.5
        deviation /= sqrt(1 - beta2 ** state["step"])
        deviation += group["eps"]
        parameter.data -= group["lr"] / (1 - beta1 ** state["step"]) * (mean / deviation)


class AdamW(Adam):
    """Adam with decoupled weight decay: w *= 1 - lr * weight_decay before each step. As torch.optim.AdamW."""

    def __init__(
        self,
        parameters: Parameters,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
    ):
        super().__init__(parameters, lr, betas, eps, weight_decay)

    def update(self, parameter: Parameter, grad: Array, state: dict[str, Any], group: dict[str, Any]) -> None:
        """One step."""
        parameter.data *= 1 - group["lr"] * group["weight_decay"]
        self._move(parameter, grad, state, group)
