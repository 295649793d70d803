"""PyTorch's samples of functions: all of them agree, a planted mistake is found, every exclusion has a reason."""

import numpy as np
import pytest

from mytorch import nn
from tests.conformance import opinfo, scope
from tests.conformance.adapters import ADAPTERS

NAMES = sorted(name.removeprefix("nn.functional.") for name in ADAPTERS)


@pytest.mark.parametrize("name", NAMES)
def test_every_function_agrees(name):
    outcomes = list(opinfo.run_opinfo(0, [name], most=25))
    assert outcomes
    disagreeing = [f"{one.sample}: {one.reason}" for one in outcomes if one.status in ("differ", "unsupported")]
    assert disagreeing == []
    assert not [outcome.sample for outcome in outcomes if outcome.stale]


def test_every_adapter_is_of_a_function_in_pytorchs_table():
    assert set(ADAPTERS) <= {op.name for op in opinfo.op_infos()}


def test_every_function_of_pytorch_is_in_scope_or_has_a_reason():
    names = {op.name.removeprefix("nn.functional.") for op in opinfo.op_infos() if op.name.startswith("nn.functional.")}
    assert names - set(NAMES) - set(scope.OUTSIDE_OPS) == set()
    assert set(scope.OUTSIDE_OPS) - names == {"all others"}
    assert set(scope.OUTSIDE_OPS) & set(NAMES) == set()
    assert all(len(reason) > 20 for reason in scope.OUTSIDE_OPS.values())


def test_every_excluded_sample_has_a_reason_and_exists():
    for name, patterns in scope.EXCLUDED_OP_SAMPLES.items():
        reasons = {one.reason for one in opinfo.run_opinfo(0, [name]) if one.status == "excluded"}
        assert reasons == set(patterns.values()), name
        assert all(len(reason) > 20 for reason in reasons)


def test_a_planted_mistake_in_a_gradient_is_found(monkeypatch):
    right = nn.GroupNorm.backward

    def wrong(layer, grad):
        back = right(layer, grad)
        if layer.bias is not None:
            layer.bias.grad += 1
        return np.flip(back, 0)

    monkeypatch.setattr(nn.GroupNorm, "backward", wrong)
    reasons = [one.reason for one in opinfo.run_opinfo(0, ["group_norm"]) if one.status == "differ"]
    assert any("gradient of input" in reason for reason in reasons)
    assert any("gradient of bias" in reason for reason in reasons)
    assert not any("output" in reason for reason in reasons)


def test_a_warning_of_numpy_is_not_agreement(monkeypatch):
    right = nn.Tanh.forward
    monkeypatch.setattr(nn.Tanh, "forward", lambda layer, x: right(layer, x) + 0 * np.log(np.zeros(1)).clip(0)[0])
    (outcome,) = opinfo.run_opinfo(0, ["tanh"])
    assert outcome.status == "unsupported"
    assert "RuntimeWarning: divide by zero" in outcome.reason
