"""PyTorch's module inputs: all of them agree, a planted mistake is found, and every exclusion has a reason."""

import numpy as np
import pytest
import torch

from mytorch import nn
from tests.conformance import modules, scope

INFOS = {info.module_cls.__name__: info for info in modules.module_infos()}
IN_SCOPE = sorted(set(INFOS) - set(scope.OUTSIDE_MODULES))


@pytest.mark.parametrize("name", IN_SCOPE)
def test_every_module_agrees(name):
    outcomes = list(modules.run_modules(0, [name]))
    disagreeing = [f"{one.sample}: {one.reason}" for one in outcomes if one.status in ("differ", "unsupported")]
    assert disagreeing == []
    assert not [outcome.sample for outcome in outcomes if outcome.stale]


def test_every_module_outside_has_a_reason_and_exists():
    assert set(scope.OUTSIDE_MODULES) <= set(INFOS)
    assert all(len(reason) > 20 for reason in scope.OUTSIDE_MODULES.values())
    assert all(len(why) > 20 for samples in scope.EXCLUDED_MODULE_SAMPLES.values() for why in samples.values())


def test_no_module_that_mytorch_has_is_outside():
    assert [name for name in scope.OUTSIDE_MODULES if hasattr(nn, name)] == []


@pytest.mark.parametrize(
    ("plant", "reason"),
    [
        (lambda layer, x: nn.Tanh.right(layer, x) * 1.001, "output"),
        (lambda layer, x: nn.Tanh.right(layer, x)[..., None], "shape"),
        (lambda layer, x: nn.Tanh.right(layer, x) + np.where(x == x.max(), np.nan, 0), "NaN"),
    ],
)
def test_a_planted_mistake_in_the_output_is_found(monkeypatch, plant, reason):
    monkeypatch.setattr(nn.Tanh, "right", nn.Tanh.forward, raising=False)
    monkeypatch.setattr(nn.Tanh, "forward", plant)
    outcomes = list(modules.run_modules(0, ["Tanh"]))
    assert {outcome.status for outcome in outcomes} == {"differ"}
    assert reason in outcomes[-1].reason


def test_planted_mistakes_in_the_gradients_are_found(monkeypatch):
    right = nn.Linear.backward

    def wrong(layer, grad):
        back = right(layer, grad)
        layer.weight.grad *= 2
        return -back

    monkeypatch.setattr(nn.Linear, "backward", wrong)
    sample = next(one for one in modules.inputs_of(INFOS["Linear"], 0, True) if one.forward_input.args)
    status, reason = modules.compare(torch.nn.Linear, sample, 0, True, "float64")
    assert status == "differ", reason
    assert "gradient of input: first difference" in reason
    assert "the wrong sign" in reason
    assert "gradient of weight" in reason
    assert "twice the right values" in reason


def test_planted_mistake_in_a_buffer_is_found(monkeypatch):
    right = nn.BatchNorm2d.forward

    def wrong(layer, x):
        y = right(layer, x)
        if layer.training:
            layer.running_var *= 1.01
        return y

    monkeypatch.setattr(nn.BatchNorm2d, "forward", wrong)
    reasons = [outcome.reason for outcome in modules.run_modules(0, ["BatchNorm2d"]) if outcome.status == "differ"]
    assert reasons
    assert all("buffer running_var" in reason for reason in reasons)


def test_a_missing_import_names_the_remedy(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "torch.testing._internal.common_modules", None)
    with pytest.raises(RuntimeError, match="install expecttest"):
        modules.module_infos()
