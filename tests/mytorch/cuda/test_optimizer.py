import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mytorch.ops.cuda import optimizer as cuda

FLOATS = st.sampled_from([np.float64, np.float32])
DECAY = st.sampled_from([0.0, 0.125])
LR = st.sampled_from([0.5, 0.0625])
"""Settings that float32 represents exactly: the test is about the arithmetic, not the rounding of 0.1."""


def steps(data, array, shape, dtype, theirs, step, count=4):
    """The weights after each step by the same gradients, ours and theirs; before the first as well.

    All steps are compared, because the error of a weight that comes near zero depends on its earlier values.
    """
    weight = array(data, shape, dtype).copy()
    tensor = torch.tensor(weight.astype(float), requires_grad=True)
    optimizer = theirs([tensor])
    passed = [(weight.copy(), tensor.detach().clone())]
    for number in range(count):
        grad = array(data, shape, dtype, stream=number + 1)
        tensor.grad = torch.tensor(np.ascontiguousarray(grad.astype(float)))
        optimizer.step()
        step(number, weight, grad)
        passed.append((weight.copy(), tensor.detach().clone()))
    ours, expected = zip(*passed, strict=True)
    return np.stack(ours), torch.stack(expected)


@pytest.mark.kernels("sgd", "sgd_momentum")
@settings(max_examples=60)
@given(data=st.data(), dtype=FLOATS, lr=LR, decay=DECAY, momentum=st.sampled_from([0.0, 0.5]), nesterov=st.booleans())
def test_sgd_is_pytorchs(grid, array, same, data, dtype, lr, decay, momentum, nesterov):
    grid(data)
    shape = tuple(data.draw(st.lists(st.integers(1, 6), min_size=1, max_size=3)))
    velocity = np.full(shape, np.nan, dtype)  # not read at the first step

    def step(number, weight, grad):
        if momentum:
            cuda.sgd_momentum(weight, grad, velocity, number == 0, lr, momentum, decay, nesterov)
        else:
            cuda.sgd(weight, grad, lr, decay)

    def theirs(parameters):
        options = {"momentum": momentum, "weight_decay": decay, "nesterov": nesterov and momentum > 0}
        return torch.optim.SGD(parameters, lr, **options)

    weights, expected = steps(data, array, shape, dtype, theirs, step)
    same("weights", weights, expected, dtype)


@pytest.mark.kernels("adam")
@pytest.mark.parametrize("name", ["Adam", "AdamW"])
@settings(max_examples=60)
@given(data=st.data(), dtype=FLOATS, lr=LR, decay=DECAY, betas=st.sampled_from([(0.875, 0.96875), (0.0, 0.5)]))
def test_adam_is_pytorchs(grid, array, same, data, name, dtype, lr, decay, betas):
    grid(data)
    shape = tuple(data.draw(st.lists(st.integers(1, 6), min_size=1, max_size=3)))
    mean, square = np.zeros(shape, dtype), np.zeros(shape, dtype)
    settings = {"lr": lr, "betas": betas, "eps": 2.0**-20}

    def step(number, weight, grad):
        shrink = 1.0 if name == "Adam" else 1 - lr * decay
        decays = {"weight_decay": decay if name == "Adam" else 0.0, "shrink": shrink}
        cuda.adam(weight, grad, mean, square, number + 1, **settings, **decays)

    def theirs(parameters):
        return getattr(torch.optim, name)(parameters, **settings, weight_decay=decay)

    weights, expected = steps(data, array, shape, dtype, theirs, step)
    same("weights", weights, expected, dtype)
