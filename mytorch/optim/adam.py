"""Adam (Kingma and Ba, arXiv 1412.6980) and AdamW (Loshchilov and Hutter, arXiv 1711.05101).

In step t, with the gradient g of a weight w, every element by itself:

    m = beta1 * m + (1 - beta1) * g                     exp_avg, the mean gradient
    v = beta2 * v + (1 - beta2) * g^2                   exp_avg_sq, the mean squared gradient
    w -= lr * (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + eps)

Adam adds weight_decay * w to g; AdamW multiplies w by 1 - lr * weight_decay before the step. `adam` in
`mytorch/ops/optimizer.py` computes it in place; `mytorch/course/optim.py` has it in the most readable form.
"""

from typing import Any

from mytorch.device import Array, get_array_module
from mytorch.nn.module import Parameter
from mytorch.ops import optimizer as ops
from mytorch.optim.optimizer import Optimizer, Params


class Adam(Optimizer):
    """A step of size lr along mean gradient / root mean square gradient. As torch.optim.Adam.

    weight_decay is added to the gradient (L2), so Adam scales it too; AdamW decays the weight itself.
    """

    def __init__(
        self,
        params: Params,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ):
        super().__init__(params, lr=lr, betas=betas, eps=eps, weight_decay=weight_decay)

    def update(self, parameter: Parameter, grad: Array, state: dict[str, Any], group: dict[str, Any]) -> None:
        """Do one step for one parameter."""
        self._step(parameter, grad, state, group, weight_decay=group["weight_decay"], shrink=1.0)

    def _step(
        self,
        parameter: Parameter,
        grad: Array,
        state: dict[str, Any],
        group: dict[str, Any],
        weight_decay: float,
        shrink: float,
    ) -> None:
        if not state:
            zeros_like = get_array_module(parameter.data).zeros_like
            state.update(step=0, exp_avg=zeros_like(parameter.data), exp_avg_sq=zeros_like(parameter.data))
        state["step"] += 1
        moments = (state["exp_avg"], state["exp_avg_sq"], state["step"])
        lr, betas, eps = group["lr"], group["betas"], group["eps"]
        ops.adam(parameter.data, grad, *moments, lr, betas, eps, weight_decay, shrink)


class AdamW(Adam):
    """Adam with decoupled weight decay: w *= 1 - lr * weight_decay before each step. As torch.optim.AdamW."""

    def __init__(
        self,
        params: Params,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
    ):
        super().__init__(params, lr, betas, eps, weight_decay)

    def update(self, parameter: Parameter, grad: Array, state: dict[str, Any], group: dict[str, Any]) -> None:
        """Do one step for one parameter."""
        self._step(parameter, grad, state, group, weight_decay=0.0, shrink=1 - group["lr"] * group["weight_decay"])
