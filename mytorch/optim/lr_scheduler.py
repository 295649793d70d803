"""Learning-rate schedules. Call `step()` after each epoch or, for the cosine and the cycle, after each batch."""

from bisect import bisect_right
from collections.abc import Sequence
from math import cos, inf, pi
from typing import Any, Literal

from mytorch.optim.optimizer import Optimizer


class _LRScheduler:
    """Base of the schedules that multiply each group's initial learning rate by `factor(number of steps)`."""

    def __init__(self, optimizer: Optimizer):
        self.optimizer = optimizer
        self.base_lrs = [group["lr"] for group in optimizer.param_groups]
        self.step_count = 0
        self._apply()

    def factor(self, step: int) -> float:
        """Return the learning rate after `step` steps, as a fraction of the initial one."""
        raise TypeError(f"{type(self).__name__} has no factor: define it in your subclass")

    def step(self) -> None:
        """Go to the next step."""
        self.step_count += 1
        self._apply()

    def get_last_lr(self) -> list[float]:
        """Return the current learning rate of each group."""
        return [group["lr"] for group in self.optimizer.param_groups]

    def _apply(self) -> None:
        for group, lr in zip(self.optimizer.param_groups, self.base_lrs, strict=True):
            group["lr"] = self.rate(lr, self.step_count)

    def rate(self, base_lr: float, step: int) -> float:
        """Return the learning rate after `step` steps of a group with this initial one."""
        return base_lr * self.factor(step)

    def state_dict(self) -> dict[str, Any]:
        """Return what a checkpoint needs."""
        return {"base_lrs": list(self.base_lrs), "step_count": self.step_count}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue from a state dict."""
        self.base_lrs, self.step_count = list(state_dict["base_lrs"]), state_dict["step_count"]
        self._apply()


class StepLR(_LRScheduler):
    """Multiply by gamma every step_size steps. As torch.optim.lr_scheduler.StepLR."""

    def __init__(self, optimizer: Optimizer, step_size: int, gamma: float = 0.1):
        if step_size < 1:
            raise ValueError(f"step_size={step_size}: expected at least 1 step between decreases")
        self.step_size, self.gamma = step_size, gamma
        super().__init__(optimizer)

    def factor(self, step: int) -> float:
        """Return gamma to the power of the number of decreases so far."""
        return self.gamma ** (step // self.step_size)


class CosineWithWarmup(_LRScheduler):
    """Rise linearly over `warmup_steps`, then fall along half a cosine to `min_factor` at `total_steps`.

    min_factor: a fraction of the initial learning rate. After `total_steps` the rate stays constant. Warm-up: Goyal et
    al., arXiv 1706.02677. Cosine: Loshchilov and Hutter, arXiv 1608.03983. Without warm-up it is
    torch.optim.lr_scheduler.CosineAnnealingLR.
    """

    def __init__(self, optimizer: Optimizer, total_steps: int, warmup_steps: int = 0, min_factor: float = 0.0):
        if not 0 <= warmup_steps < total_steps:
            raise ValueError(
                f"warmup_steps={warmup_steps}, total_steps={total_steps}: expected 0 <= warmup_steps < total_steps"
            )
        self.total_steps, self.warmup_steps, self.min_factor = total_steps, warmup_steps, min_factor
        super().__init__(optimizer)

    def factor(self, step: int) -> float:
        """Return (step + 1) / (warmup_steps + 1) during the warm-up, then the cosine."""
        if step < self.warmup_steps:
            return (step + 1) / (self.warmup_steps + 1)
        progress = min(1.0, (step - self.warmup_steps) / (self.total_steps - self.warmup_steps))
        return self.min_factor + (1 - self.min_factor) * (1 + cos(pi * progress)) / 2


class MultiStepLR(_LRScheduler):
    """Multiply by gamma at each of the `milestones`, numbers of steps. As torch.optim.lr_scheduler.MultiStepLR."""

    def __init__(self, optimizer: Optimizer, milestones: Sequence[int], gamma: float = 0.1):
        self.milestones, self.gamma = sorted(milestones), gamma
        super().__init__(optimizer)

    def factor(self, step: int) -> float:
        """Return gamma to the power of the number of milestones so far."""
        return self.gamma ** bisect_right(self.milestones, step)


class ExponentialLR(_LRScheduler):
    """Multiply by gamma at every step. As torch.optim.lr_scheduler.ExponentialLR."""

    def __init__(self, optimizer: Optimizer, gamma: float):
        self.gamma = gamma
        super().__init__(optimizer)

    def factor(self, step: int) -> float:
        """Return gamma to the power of the number of steps."""
        return self.gamma**step


class PolynomialLR(_LRScheduler):
    """Fall to zero over `total_iters` steps as (1 - step / total_iters)^power.

    As torch.optim.lr_scheduler.PolynomialLR.
    """

    def __init__(self, optimizer: Optimizer, total_iters: int = 5, power: float = 1.0):
        if total_iters < 1:
            raise ValueError(f"total_iters={total_iters}: expected at least 1 step")
        self.total_iters, self.power = total_iters, power
        super().__init__(optimizer)

    def factor(self, step: int) -> float:
        """Return a power of the fraction of steps that are left."""
        return (1 - min(step, self.total_iters) / self.total_iters) ** self.power


class CosineAnnealingWarmRestarts(_LRScheduler):
    """Fall along half a cosine to eta_min over T_0 steps, and start again, each time over T_mult times as many steps.

    Loshchilov and Hutter, arXiv 1608.03983. As torch.optim.lr_scheduler.CosineAnnealingWarmRestarts.
    """

    def __init__(self, optimizer: Optimizer, T_0: int, T_mult: int = 1, eta_min: float = 0.0):
        if T_0 < 1 or T_mult < 1:
            raise ValueError(f"T_0={T_0}, T_mult={T_mult}: expected whole numbers of at least 1")
        self.T_0, self.T_mult, self.eta_min = T_0, T_mult, eta_min
        super().__init__(optimizer)

    def rate(self, base_lr: float, step: int) -> float:
        """Return the learning rate at this step of its period."""
        period = self.T_0
        while step >= period:
            if self.T_mult == 1:
                step %= period
                break
            step, period = step - period, period * self.T_mult
        return self.eta_min + (base_lr - self.eta_min) * (1 + cos(pi * step / period)) / 2


class OneCycleLR(_LRScheduler):
    """Rise from max_lr / div_factor to max_lr, then fall to the initial rate / final_div_factor (arXiv 1708.07120).

    The rise takes the fraction pct_start of all `total_steps`, which may be given as epochs and steps_per_epoch. With
    three_phase the fall first mirrors the rise. cycle_momentum: the momentum, or betas[0] of Adam, moves the other way,
    from max_momentum to base_momentum and back. max_lr: a number, or one for each group of parameters. As
    torch.optim.lr_scheduler.OneCycleLR; no step beyond `total_steps` is possible.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        max_lr: float | Sequence[float],
        total_steps: int | None = None,
        epochs: int | None = None,
        steps_per_epoch: int | None = None,
        pct_start: float = 0.3,
        anneal_strategy: Literal["cos", "linear"] = "cos",
        cycle_momentum: bool = True,
        base_momentum: float = 0.85,
        max_momentum: float = 0.95,
        div_factor: float = 25.0,
        final_div_factor: float = 1e4,
        three_phase: bool = False,
    ):
        total = total_steps if total_steps is not None else (epochs or 0) * (steps_per_epoch or 0)
        if total < 1:
            raise ValueError(
                f"total_steps={total_steps}, epochs={epochs}, steps_per_epoch={steps_per_epoch}: expected total_steps, "
                "or epochs and steps_per_epoch, of at least 1"
            )
        if not 0 <= pct_start <= 1 or anneal_strategy not in ("cos", "linear"):
            raise ValueError(
                f"pct_start={pct_start}, anneal_strategy={anneal_strategy!r}: expected a fraction from 0 to 1, and "
                "'cos' or 'linear'"
            )
        groups = optimizer.param_groups
        peaks = list(max_lr) if isinstance(max_lr, Sequence) else [max_lr] * len(groups)
        if len(peaks) != len(groups):
            raise ValueError(f"max_lr has {len(peaks)} numbers: expected one, or {len(groups)}, one for each group")
        if cycle_momentum and not all({"momentum", "betas"} & set(group) for group in groups):
            raise ValueError(f"{type(optimizer).__name__} has no momentum: build OneCycleLR with cycle_momentum=False")
        self.total_steps, self.anneal_strategy, self.cycle_momentum = int(total), anneal_strategy, bool(cycle_momentum)
        self.momenta, self.div_factor, self.final_div_factor = (
            (max_momentum, base_momentum),
            div_factor,
            final_div_factor,
        )
        peak = float(pct_start * total) - 1
        valley = float(2 * pct_start * total) - 2
        self.ends = [peak, valley, total - 1.0] if three_phase else [peak, total - 1.0]
        for group, lr in zip(groups, peaks, strict=True):
            group["lr"] = lr / div_factor
        super().__init__(optimizer)

    def rate(self, base_lr: float, step: int) -> float:
        """Return the learning rate after `step` steps. base_lr: max_lr / div_factor."""
        highest, last = base_lr * self.div_factor, base_lr / self.final_div_factor
        return self._between([base_lr, highest, *([base_lr] if len(self.ends) == 3 else []), last], step)

    def _apply(self) -> None:
        if self.step_count > self.total_steps:
            raise ValueError(
                f"OneCycleLR got step {self.step_count} of {self.total_steps}: build it for more total_steps"
            )
        super()._apply()
        if self.cycle_momentum:
            high, low = self.momenta
            momentum = self._between([high, low, *[high] * (len(self.ends) - 1)], self.step_count)
            for group in self.optimizer.param_groups:
                if "betas" in group:
                    group["betas"] = (momentum, *group["betas"][1:])
                else:
                    group["momentum"] = momentum

    def _between(self, values: list[float], step: int) -> float:
        """Return the value at this step, where phase i goes from values[i] to values[i + 1] and ends at ends[i]."""
        phase = next((i for i, end in enumerate(self.ends) if step <= end), len(self.ends) - 1)
        start = self.ends[phase - 1] if phase else 0.0
        length = self.ends[phase] - start
        progress = (step - start) / length if length else 1.0
        first, last = values[phase], values[phase + 1]
        if self.anneal_strategy == "linear":
            return first + (last - first) * progress
        return last + (first - last) / 2 * (1 + cos(pi * progress))


class ReduceLROnPlateau:
    """Multiply by `factor` when a metric has not improved for more than `patience` steps.

    As torch.optim.lr_scheduler.ReduceLROnPlateau with its relative threshold. mode: "min" if lower metrics are better,
    "max" if higher ones are. min_lr: the learning rate does not fall below it.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        mode: Literal["min", "max"] = "min",
        factor: float = 0.1,
        patience: int = 10,
        threshold: float = 1e-4,
        min_lr: float = 0.0,
    ):
        if not 0 < factor < 1:
            raise ValueError(f"factor={factor}: expected a number between 0 and 1, to lower the learning rate")
        if mode not in ("min", "max"):
            raise ValueError(f"mode={mode!r}: expected 'min' or 'max'")
        self.optimizer, self.mode, self.factor, self.patience = optimizer, mode, factor, patience
        self.threshold, self.min_lr = threshold, min_lr
        self.best = inf if mode == "min" else -inf
        self.num_bad_steps = 0

    def step(self, metric: float) -> None:
        """Record a metric, and lower the learning rates if it is time to."""
        metric = float(metric)
        if self._is_better(metric):
            self.best, self.num_bad_steps = metric, 0
        else:
            self.num_bad_steps += 1
        if self.num_bad_steps > self.patience:
            self.num_bad_steps = 0
            for group in self.optimizer.param_groups:
                lowered = max(group["lr"] * self.factor, self.min_lr)
                if group["lr"] - lowered > 1e-8:  # PyTorch skips smaller changes too
                    group["lr"] = lowered

    def _is_better(self, metric: float) -> bool:
        if self.mode == "min":
            return metric < self.best * (1 - self.threshold)
        return metric > self.best * (1 + self.threshold)

    def state_dict(self) -> dict[str, Any]:
        """Return what a checkpoint needs, without the learning rates, which the optimizer holds."""
        return {"best": self.best, "num_bad_steps": self.num_bad_steps}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue from a state dict."""
        self.best, self.num_bad_steps = state_dict["best"], state_dict["num_bad_steps"]
