"""Adam (Kingma and Ba, arXiv 1412.6980), AdamW (Loshchilov and Hutter, arXiv 1711.05101), NAdam and LAMB.

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

    weight_decay is added to the gradient (L2), so Adam scales it too; AdamW decays the weight itself. amsgrad: divide
    by the largest mean square so far (Reddi et al., arXiv 1904.09237). maximize: step along the gradient.
    """

    def __init__(
        self,
        params: Params,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
    ):
        settings = {"eps": eps, "weight_decay": weight_decay, "amsgrad": amsgrad, "maximize": maximize}
        super().__init__(params, lr=lr, betas=betas, **settings)

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
        zeros_like = get_array_module(parameter.data).zeros_like
        if not state:
            state.update(step=0, exp_avg=zeros_like(parameter.data), exp_avg_sq=zeros_like(parameter.data))
        state["step"] += 1
        means, step = (state["exp_avg"], state["exp_avg_sq"]), state["step"]
        settings: tuple[Any, ...] = (group["lr"], group["betas"], group["eps"], weight_decay, shrink)
        if group["amsgrad"]:
            largest = state.setdefault("max_exp_avg_sq", zeros_like(parameter.data))
            ops.adam_amsgrad(parameter.data, grad, *means, largest, step, *settings)
        else:
            ops.adam(parameter.data, grad, *means, step, *settings)


class AdamW(Adam):
    """Adam with decoupled weight decay: w *= 1 - lr * weight_decay before each step. As torch.optim.AdamW."""

    def __init__(
        self,
        params: Params,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
    ):
        super().__init__(params, lr, betas, eps, weight_decay, amsgrad, maximize=maximize)

    def update(self, parameter: Parameter, grad: Array, state: dict[str, Any], group: dict[str, Any]) -> None:
        """Do one step for one parameter."""
        self._step(parameter, grad, state, group, weight_decay=0.0, shrink=1 - group["lr"] * group["weight_decay"])


class NAdam(Optimizer):
    """Adam with Nesterov's momentum, which rises towards betas[0] (Dozat 2016). As torch.optim.NAdam.

    momentum_decay: how fast it rises. decoupled_weight_decay: decay the weight itself, as AdamW does.
    """

    def __init__(
        self,
        params: Params,
        lr: float = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        momentum_decay: float = 4e-3,
        decoupled_weight_decay: bool = False,
        *,
        maximize: bool = False,
    ):
        settings = {"eps": eps, "weight_decay": weight_decay, "momentum_decay": momentum_decay, "maximize": maximize}
        super().__init__(params, lr=lr, betas=betas, decoupled_weight_decay=decoupled_weight_decay, **settings)

    def update(self, parameter: Parameter, grad: Array, state: dict[str, Any], group: dict[str, Any]) -> None:
        """Do one step for one parameter."""
        if not state:
            zeros_like = get_array_module(parameter.data).zeros_like
            state.update(step=0, mu_product=1.0)
            state.update(exp_avg=zeros_like(parameter.data), exp_avg_sq=zeros_like(parameter.data))
        state["step"] += 1
        step, lr, beta, decay = state["step"], group["lr"], group["betas"][0], group["weight_decay"]
        momentum, following = (beta * (1 - 0.5 * 0.96 ** (t * group["momentum_decay"])) for t in (step, step + 1))
        state["mu_product"] *= momentum
        factors = (1 - momentum) / (1 - state["mu_product"]), following / (1 - state["mu_product"] * following)
        decays = (0.0, 1 - lr * decay) if group["decoupled_weight_decay"] else (decay, 1.0)
        means = (state["exp_avg"], state["exp_avg_sq"])
        ops.nadam(parameter.data, grad, *means, step, lr, group["betas"], group["eps"], *decays, factors)


class LAMB(Optimizer):
    """AdamW's direction, scaled for each parameter to the length of its weights (You et al., arXiv 1904.00962).

    For large batches. direction = Adam's + weight_decay * w; w -= lr * |w| / |direction| * direction. Parameters
    without weight decay are not scaled unless always_adapt is set. As timm.optim.Lamb with max_grad_norm=None.
    """

    def __init__(
        self,
        params: Params,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-6,
        weight_decay: float = 0.01,
        *,
        always_adapt: bool = False,
        maximize: bool = False,
    ):
        settings = {"eps": eps, "weight_decay": weight_decay, "always_adapt": always_adapt, "maximize": maximize}
        super().__init__(params, lr=lr, betas=betas, **settings)

    def update(self, parameter: Parameter, grad: Array, state: dict[str, Any], group: dict[str, Any]) -> None:
        """Do one step for one parameter."""
        xp = get_array_module(parameter.data)
        if not state:
            state.update(step=0, exp_avg=xp.zeros_like(parameter.data), exp_avg_sq=xp.zeros_like(parameter.data))
        state["step"] += 1
        data, direction = parameter.data, xp.empty_like(parameter.data)
        settings = (state["step"], group["betas"], group["eps"], group["weight_decay"])
        ops.lamb_direction(direction, data, grad, state["exp_avg"], state["exp_avg_sq"], *settings)
        rate = group["lr"]
        if group["weight_decay"] or group["always_adapt"]:
            lengths = [float((array * array).sum(dtype="d")) ** 0.5 for array in (data, direction)]
            rate *= lengths[0] / lengths[1] if all(lengths) else 1.0
        data -= rate * direction
