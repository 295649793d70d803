"""ONNX's node tests: the models are valid, a mistake is found, all of them agree, every exclusion has a reason."""

import sys
from types import SimpleNamespace

import numpy as np
import onnx
import pytest
from onnx.reference import ReferenceEvaluator

from tests.conformance import onnx_nodes, scope


class Reference:
    """ONNX's own evaluation of a model, in the place of mytorch's loader. factor: what it is wrong by."""

    factor = 1.0

    def __init__(self, path):
        model = onnx.load(path)
        onnx.checker.check_model(model, full_check=True)
        self.session = ReferenceEvaluator(model)

    def train(self, mode):
        """Return itself: there is one mode."""
        assert mode is False
        return self

    def __call__(self, *arrays):
        outputs = self.session.run(None, dict(zip(self.session.input_names, arrays, strict=True)))
        return tuple(np.asarray(y) * self.factor for y in outputs)


@pytest.mark.parametrize("name", sorted(scope.ONNX_OPERATORS))
def test_every_operator_agrees(name):
    outcomes = list(onnx_nodes.run_onnx(0, [name]))
    assert outcomes
    disagreeing = [f"{one.sample}: {one.reason}" for one in outcomes if one.status in ("differ", "unsupported")]
    assert disagreeing == []
    assert not [outcome.sample for outcome in outcomes if outcome.stale]


def test_every_test_is_a_valid_network_that_onnx_evaluates_as_it_expects(monkeypatch):
    monkeypatch.setitem(sys.modules, "mytorch.onnx", SimpleNamespace(load=Reference))
    wrong = [one for one in onnx_nodes.run_onnx(0) if one.status in ("differ", "unsupported")]
    cannot = "e4m3fn_float16"  # the evaluator does not add float8's offset to float16; some versions of it
    assert [f"{one.sample}: {one.reason}" for one in wrong if cannot not in one.sample] == []


def test_a_planted_mistake_is_found(monkeypatch):
    monkeypatch.setitem(sys.modules, "mytorch.onnx", SimpleNamespace(load=Reference))
    monkeypatch.setattr(Reference, "factor", 1.01)
    found = [one for one in onnx_nodes.run_onnx(0, ["Conv", "MaxPool"]) if one.status != "excluded"]
    assert {one.status for one in found} == {"differ"}
    assert all("output 0: first difference at [" in one.reason for one in found)


def test_every_excluded_test_has_a_reason_and_exists():
    excluded = {one.reason for one in onnx_nodes.run_onnx(0) if one.status == "excluded"}
    assert excluded == {reason for patterns in scope.EXCLUDED_NODES.values() for reason in patterns.values()}
    assert all(len(reason) > 20 for reason in excluded)
