import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mytorch import optim

OPTIONS = st.fixed_dictionaries(
    {
        "lr": st.floats(1e-4, 0.1),
        "betas": st.tuples(st.floats(0, 0.99), st.floats(0.5, 0.9999)),
        "eps": st.sampled_from([1e-8, 1e-3]),
        "weight_decay": st.just(0.0) | st.floats(0, 0.5),
    }
)
NAMES = ["Adam", "AdamW"]


@pytest.mark.parametrize("name", NAMES)
@given(options=OPTIONS)
def test_thirty_steps_are_pytorchs(twins, steps, close, name, options):
    ours, theirs = twins()
    optimizer, expected = getattr(optim, name)(ours, **options), getattr(torch.optim, name)(theirs, **options)
    for _ in steps(ours, theirs, 30):
        optimizer.step(), expected.step()
    for mine, other in zip(ours, theirs, strict=True):
        close("parameter", mine.data, other)


@pytest.mark.parametrize("name", NAMES)
def test_defaults_are_pytorchs(twins, name):
    ours, theirs = twins()
    group = getattr(optim, name)(ours).param_groups[0]
    expected = getattr(torch.optim, name)(theirs).param_groups[0]
    assert {key: group[key] for key in group if key != "params"} == {
        key: expected[key] for key in group if key != "params"
    }


@pytest.mark.parametrize("name", NAMES)
def test_saved_state_continues_with_the_same_numbers(continues, name):
    continues(lambda parameters: getattr(optim, name)(parameters, lr=0.1, weight_decay=0.1))


def test_one_overflowing_gradient_of_infinity_spoils_no_other_element(twins):
    (parameter, *_), _ = twins()
    optimizer = optim.Adam([parameter])
    parameter.grad = np.ones(parameter.shape)
    parameter.grad[0, 0] = np.inf
    with np.errstate(invalid="ignore"):
        optimizer.step()
    assert np.isfinite(parameter.data).sum() == parameter.data.size - 1
