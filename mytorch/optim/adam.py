"""Adam (Kingma and Ba, arXiv 1412.6980) and AdamW (Loshchilov and Hutter, arXiv 1711.05101)."""

from typing import Any

from mytorch.device import Array, namespace
from mytorch.nn.module import Parameter
from mytorch.ops import optimiser as ops
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
        self._move(parameter, grad, state, group, decay=group["weight_decay"], keep=1.0)

    def _move(
        self,
        parameter: Parameter,
        grad: Array,
        state: dict[str, Any],
        group: dict[str, Any],
        decay: float,
        keep: float,
    ) -> None:
        if not state:
            zeros = namespace(parameter.data).zeros_like
            state.update(step=0, exp_avg=zeros(parameter.data), exp_avg_sq=zeros(parameter.data))
        state["step"] += 1
        moments = (state["exp_avg"], state["exp_avg_sq"], state["step"])
        ops.adam(parameter.data, grad, *moments, group["lr"], group["betas"], group["eps"], decay, keep)


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
        self._move(parameter, grad, state, group, decay=0.0, keep=1 - group["lr"] * group["weight_decay"])
