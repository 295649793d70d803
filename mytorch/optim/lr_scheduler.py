"""Learning-rate schedules: `step()` after each epoch or, for the cosine, after each batch."""

from math import cos, inf, pi
from typing import Any, Literal

from mytorch.optim.optimizer import Optimizer


class _Schedule:
    """A schedule that multiplies each group's first learning rate by `factor(steps taken)`."""

    def __init__(self, optimizer: Optimizer):
        self.optimizer = optimizer
        self.base = [group["lr"] for group in optimizer.param_groups]
        self.taken = 0
        self._apply()

    def factor(self, step: int) -> float:
        """Share of the first learning rate after `step` steps."""
        raise TypeError(f"{type(self).__name__} has no factor: define it in your subclass")

    def step(self) -> None:
        """One step on."""
        self.taken += 1
        self._apply()

    def _apply(self) -> None:
        for group, lr in zip(self.optimizer.param_groups, self.base, strict=True):
            group["lr"] = lr * self.factor(self.taken)

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint needs."""
        return {"base": list(self.base), "taken": self.taken}

    def load_state_dict(self, saved: dict[str, Any]) -> None:
        """Go on from a state_dict."""
        self.base, self.taken = list(saved["base"]), saved["taken"]
        self._apply()


class StepLR(_Schedule):
    """Multiply by gamma every step_size steps. As torch.optim.lr_scheduler.StepLR."""

    def __init__(self, optimizer: Optimizer, step_size: int, gamma: float = 0.1):
        if step_size < 1:
            raise ValueError(f"step_size={step_size}: expected at least 1 step between decreases")
        self.step_size, self.gamma = step_size, gamma
        super().__init__(optimizer)

    def factor(self, step: int) -> float:
        """gamma to the number of decreases so far."""
        return self.gamma ** (step // self.step_size)


class CosineWithWarmup(_Schedule):
    """Up in a straight line over `warmup` steps, then down half a cosine to `least` at `total` steps.

    Warm-up: Goyal et al., arXiv 1706.02677. Cosine: Loshchilov and Hutter, arXiv 1608.03983. `least` is a share of the
    first learning rate. After `total` the rate stays there.
    """

    def __init__(self, optimizer: Optimizer, total: int, warmup: int = 0, least: float = 0.0):
        if not 0 <= warmup < total:
            raise ValueError(f"warmup={warmup} of total={total} steps: expected 0 <= warmup < total")
        self.total, self.warmup, self.least = total, warmup, least
        super().__init__(optimizer)

    def factor(self, step: int) -> float:
        """(step + 1) / (warmup + 1) in the warm-up, the cosine afterwards."""
        if step < self.warmup:
            return (step + 1) / (self.warmup + 1)
        done = min(1.0, (step - self.warmup) / (self.total - self.warmup))
        return self.least + (1 - self.least) * (1 + cos(pi * done)) / 2


class ReduceLROnPlateau:
    """Multiply by `factor` once a metric has not improved for more than `patience` steps.

    As torch.optim.lr_scheduler.ReduceLROnPlateau with its relative threshold: lower is better in mode "min", higher in
    "max"; no learning rate falls below `min_lr`.
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
        self.bad_steps = 0

    def step(self, metric: float) -> None:
        """Take note of a metric, and lower the learning rates where it is due."""
        metric = float(metric)
        if self._better(metric):
            self.best, self.bad_steps = metric, 0
        else:
            self.bad_steps += 1
        if self.bad_steps > self.patience:
            self.bad_steps = 0
            for group in self.optimizer.param_groups:
                lowered = max(group["lr"] * self.factor, self.min_lr)
                if group["lr"] - lowered > 1e-8:  # as PyTorch: a smaller change is not made
                    group["lr"] = lowered

    def _better(self, metric: float) -> bool:
        if self.mode == "min":
            return metric < self.best * (1 - self.threshold)
        return metric > self.best * (1 + self.threshold)

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint needs."""
        return {"best": self.best, "bad_steps": self.bad_steps}

    def load_state_dict(self, saved: dict[str, Any]) -> None:
        """Go on from a state_dict; the learning rates are the optimiser's to remember."""
        self.best, self.bad_steps = saved["best"], saved["bad_steps"]
