"""The base of all optimizers: parameter groups, their settings, and the state of each parameter."""

from collections.abc import Iterable
from copy import deepcopy
from math import isfinite
from typing import Any

from mytorch.device import Array, device_of, to_device
from mytorch.nn.module import Parameter

Params = Iterable[Parameter] | Iterable[dict[str, Any]]


NOT_NEGATIVE = {"lr", "weight_decay", "eps", "momentum", "momentum_decay", "lr_decay", "initial_accumulator_value"}
"""Settings that are finite numbers of at least 0."""


class Optimizer:
    """Base class of the optimizers. A subclass defines `update(parameter, grad, state, group)`.

    params: Parameters, or groups with settings of their own, as in PyTorch:
    `[{"params": body.parameters(), "lr": 1e-4}, {"params": head.parameters()}]`.
    """

    def __init__(self, params: Params, **defaults: float | bool | tuple[float, float]):
        try:
            given: list[Any] = list(params)
        except TypeError as error:
            what = f"{type(self).__name__} got a {type(params).__name__}"
            raise TypeError(f"{what}: expected an iterable of Parameters: model.parameters()") from error
        if not given:
            raise ValueError(f"{type(self).__name__} got no parameters: give it model.parameters()")
        groups = given if isinstance(given[0], dict) else [{"params": given}]
        self.param_groups: list[dict[str, Any]] = []
        for group in groups:
            if "params" not in group:
                raise ValueError(f'{type(self).__name__} got a group without "params": add its parameters')
            unknown = set(group) - set(defaults) - {"params"}
            if unknown:
                raise ValueError(f"{type(self).__name__} has no {sorted(unknown)}: expected some of {sorted(defaults)}")
            members: list[Any] = list(group["params"])
            for member in members:
                if not isinstance(member, Parameter):
                    what = type(member).__name__
                    raise TypeError(f"{type(self).__name__} got a {what}: expected Parameters: model.parameters()")
            self.param_groups.append({**defaults, **group, "params": members})
            self._check(self.param_groups[-1])
        if len({id(parameter) for parameter in self._parameters()}) < len(list(self._parameters())):
            raise ValueError(f"{type(self).__name__} got a parameter twice: put each into one group, once")
        self.state: list[dict[str, Any]] = [{} for _ in self._parameters()]

    def _check(self, group: dict[str, Any]) -> None:
        """Raise ValueError for settings with which no training works."""
        for name in NOT_NEGATIVE & set(group):
            if not (isfinite(group[name]) and group[name] >= 0):
                raise ValueError(f"{type(self).__name__} got {name}={group[name]}: expected a number of at least 0")
        if not all(0 <= beta < 1 for beta in group.get("betas", ())):
            raise ValueError(f"{type(self).__name__} got betas={group['betas']}: expected numbers from 0 to below 1")

    def zero_grad(self) -> None:
        """Set all gradients to None."""
        for parameter in self._parameters():
            parameter.grad = None

    def step(self) -> None:
        """Update every parameter that has a gradient."""
        states = iter(self.state)
        for group in self.param_groups:
            for parameter in group["params"]:
                state = next(states)
                if parameter.grad is not None:
                    grad = -parameter.grad if group.get("maximize") else parameter.grad
                    self.update(parameter, grad, state, group)

    def update(self, parameter: Parameter, grad: Array, state: dict[str, Any], group: dict[str, Any]) -> None:
        """Change parameter.data in place. `state` is empty at the parameter's first step."""
        raise TypeError(f"{type(self).__name__} has no update: define it in your subclass of Optimizer")

    def state_dict(self) -> dict[str, Any]:
        """Return what a checkpoint needs.

        {"state": a dict for each parameter, "param_groups": the groups' settings without their parameters}
        """
        settings = [{key: value for key, value in group.items() if key != "params"} for group in self.param_groups]
        return {"state": self.state, "param_groups": settings}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue from the state dict of an optimizer over the same parameters.

        Raises ValueError if the number of parameters or groups differs.
        """
        counts = len(state_dict["state"]), len(state_dict["param_groups"])
        if counts != (len(self.state), len(self.param_groups)):
            raise ValueError(
                f"this state is of {counts[0]} parameters in {counts[1]} groups, the optimizer has {len(self.state)} "
                f"in {len(self.param_groups)}: build the optimizer over the same network first"
            )
        states = deepcopy(state_dict["state"])  # steps change it in place, and another optimizer may hold it
        for state, parameter in zip(states, self._parameters(), strict=True):
            for name, value in state.items():
                if hasattr(value, "dtype"):
                    state[name] = to_device(value, device_of(parameter.data))
        self.state = states
        for group, settings in zip(self.param_groups, state_dict["param_groups"], strict=True):
            group.update(deepcopy(settings))

    def _parameters(self) -> Iterable[Parameter]:
        return (parameter for group in self.param_groups for parameter in group["params"])
