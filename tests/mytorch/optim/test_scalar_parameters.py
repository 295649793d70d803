"""Learned numbers, such as a temperature: parameters without dimensions."""

import numpy as np
import pytest
import torch

from mytorch import optim
from mytorch.nn import Parameter

OPTIMIZERS = {
    "SGD": (optim.SGD, torch.optim.SGD, {"lr": 0.1}),
    "SGD with decay": (optim.SGD, torch.optim.SGD, {"lr": 0.1, "weight_decay": 0.01}),
    "momentum": (optim.SGD, torch.optim.SGD, {"lr": 0.1, "momentum": 0.9, "nesterov": True}),
    "Adam": (optim.Adam, torch.optim.Adam, {"lr": 0.1, "weight_decay": 0.01}),
    "AdamW": (optim.AdamW, torch.optim.AdamW, {"lr": 0.1}),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_number_is_learned_as_by_pytorch_and_its_gradient_is_unchanged(name):
    ours, theirs, settings = OPTIMIZERS[name]
    parameter, tensor = Parameter(np.array(2.0)), torch.tensor(2.0, dtype=torch.float64, requires_grad=True)
    optimizer, other = ours([parameter], **settings), theirs([tensor], **settings)
    for gradient in (1.0, -0.3, 0.7):
        parameter.grad, tensor.grad = np.float64(gradient), torch.tensor(gradient, dtype=torch.float64)
        optimizer.step()
        other.step()
        assert parameter.data == pytest.approx(tensor.item(), rel=1e-12)
        assert parameter.grad == gradient


def test_clipping_reaches_a_number():
    parameter = Parameter(np.array(1.0))
    parameter.grad = np.float64(3.0)
    assert optim.clip_grad_norm_([parameter], 1.5) == pytest.approx(3)
    assert parameter.grad == pytest.approx(1.5, rel=1e-5)
    optim.clip_grad_value_([parameter], 0.5)
    assert parameter.grad == 0.5


def test_large_gradients_do_not_overflow():
    parameter = Parameter(np.zeros(4, "f"))
    parameter.grad = np.full(4, 1e30, "f")
    assert optim.clip_grad_norm_([parameter], 1.0) == pytest.approx(2e30, rel=1e-6)
    np.testing.assert_allclose(parameter.grad, 0.5, rtol=1e-5)
