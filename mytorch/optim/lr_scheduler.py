"""Learning-rate schedules. Call `step()` after each epoch or, for the cosine, after each batch."""

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
            group["lr"] = lr * self.factor(self.step_count)

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
