"""RMSprop, Adagrad, NAdam and LAMB, and the options of Adam and SGD, step by step against PyTorch and timm."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from timm.optim import Lamb

from mytorch import optim

COMMON = {"lr": st.floats(1e-4, 0.1), "weight_decay": st.just(0.0) | st.floats(0.001, 0.1), "maximize": st.booleans()}
BETAS = st.tuples(st.floats(0.1, 0.99), st.floats(0.5, 0.9999))
EPS = st.sampled_from([1e-8, 1e-3])

OPTIONS = {
    "SGD": {"momentum": st.floats(0.1, 0.99), "dampening": st.floats(0, 0.9)},
    "Adam": {"betas": BETAS, "eps": EPS, "amsgrad": st.booleans()},
    "AdamW": {"betas": BETAS, "eps": EPS, "amsgrad": st.booleans()},
    "NAdam": {
        "betas": BETAS,
        "eps": EPS,
        "momentum_decay": st.floats(0, 0.1),
        "decoupled_weight_decay": st.booleans(),
    },
    "RMSprop": {
        "alpha": st.floats(0.5, 0.99),
        "eps": EPS,
        "momentum": st.just(0.0) | st.floats(0.1, 0.9),
        "centered": st.booleans(),
    },
    "Adagrad": {"lr_decay": st.floats(0, 0.5), "initial_accumulator_value": st.floats(0, 1), "eps": EPS},
}


@pytest.fixture(autouse=True, scope="module")
def float64_numbers():
    """PyTorch's NAdam keeps a product of momenta in the default type, float32, which costs seven digits."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def compare(twins, steps, close, ours, theirs, options):
    mine, others = twins()
    optimizer, expected = ours(mine, **options), theirs(others)
    for _ in steps(mine, others, 20):
        optimizer.step(), expected.step()
    for one, other in zip(mine, others, strict=True):
        close("parameter", one.data, other)


def always_with_gradients(steps):
    """As `steps`, but no gradient is missing: timm counts the steps of all parameters together."""

    def run(mine, others, count):
        for _ in steps(mine, others, count):
            mine[1].grad, others[1].grad = np.full(mine[1].shape, 0.7), torch.full(others[1].shape, 0.7)
            yield

    return run


@pytest.mark.parametrize("name", OPTIONS)
@settings(max_examples=40)
@given(data=st.data())
def test_twenty_steps_are_pytorchs(twins, steps, close, name, data):
    options = data.draw(st.fixed_dictionaries({**COMMON, **OPTIONS[name]}))
    theirs = getattr(torch.optim, name)
    compare(twins, steps, close, getattr(optim, name), lambda p: theirs(p, **options), options)


@settings(max_examples=40)
@given(
    options=st.fixed_dictionaries(
        {"lr": st.floats(1e-4, 0.1), "weight_decay": st.sampled_from([0.0, 0.05]), "betas": BETAS, "eps": EPS}
    ),
    always=st.booleans(),
)
def test_lamb_is_timms(twins, steps, close, options, always):
    def theirs(parameters):
        return Lamb(parameters, **options, max_grad_norm=None, always_adapt=always)

    compare(twins, always_with_gradients(steps), close, optim.LAMB, theirs, {**options, "always_adapt": always})


@pytest.mark.parametrize("name", OPTIONS)
def test_order_and_defaults_of_the_arguments_are_pytorchs(twins, name):
    import inspect

    mine, others = twins()
    group, expected = getattr(optim, name)(mine).param_groups[0], getattr(torch.optim, name)(others).param_groups[0]
    for key in group.keys() - {"params"}:
        assert group[key] == pytest.approx(expected[key]), key

    def positional(kind):
        parameters = inspect.signature(kind).parameters.values()
        return [p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD]

    ours, theirs = positional(getattr(optim, name)), positional(getattr(torch.optim, name))
    assert ours == theirs[: len(ours)]


@pytest.mark.parametrize(
    "build",
    [
        lambda p: optim.NAdam(p, 0.1, weight_decay=0.1),
        lambda p: optim.Adam(p, 0.1, amsgrad=True),
        lambda p: optim.RMSprop(p, 0.01, momentum=0.9, centered=True),
        lambda p: optim.Adagrad(p, 0.1, 0.1),
        lambda p: optim.LAMB(p, 0.1),
        lambda p: optim.SGD(p, 0.1, 0.9, 0.5),
    ],
)
def test_saved_state_continues_with_the_same_numbers(continues, build):
    continues(build)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda p: optim.SGD(p, momentum=0.9, dampening=0.1, nesterov=True), "nesterov=True with dampening=0.1"),
        (lambda p: optim.RMSprop(p, alpha=2), "alpha=2: expected a number from 0 to 1"),
        (lambda p: optim.Adagrad(p, lr_decay=-1), "lr_decay=-1: expected a number of at least 0"),
        (lambda p: optim.NAdam(p, momentum_decay=-1), "momentum_decay=-1"),
        (lambda p: optim.LAMB(p, betas=(1.0, 0.9)), "betas="),
    ],
)
def test_impossible_settings_are_refused(twins, build, message):
    with pytest.raises(ValueError, match=message):
        build(twins()[0])


@pytest.mark.parametrize("name", ["NAdam", "RMSprop", "Adagrad", "LAMB"])
def test_float32_stays_float32(twins, steps, name):
    mine, others = twins(np.float32)
    optimizer = getattr(optim, name)(mine)
    for _ in steps(mine, others, 2):
        optimizer.step()
    arrays = [value for state in optimizer.state for value in state.values() if hasattr(value, "dtype")]
    assert {array.dtype for array in [*arrays, *(p.data for p in mine)]} == {np.dtype(np.float32)}
