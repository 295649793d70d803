import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mytorch import optim

OPTIONS = st.fixed_dictionaries(
    {"lr": st.floats(1e-4, 0.1), "weight_decay": st.just(0.0) | st.floats(0, 0.1)},
).flatmap(
    lambda first: st.tuples(st.just(0.0) | st.floats(0.1, 0.99), st.booleans()).map(
        lambda then: {**first, "momentum": then[0], "nesterov": then[1] and then[0] > 0}
    )
)


@given(options=OPTIONS)
def test_thirty_steps_are_pytorchs(twins, steps, close, options):
    ours, theirs = twins()
    optimizer, expected = optim.SGD(ours, **options), torch.optim.SGD(theirs, **options)
    for _ in steps(ours, theirs, 30):
        optimizer.step(), expected.step()
    for mine, other in zip(ours, theirs, strict=True):
        close("parameter", mine.data, other)


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_saved_state_continues_with_the_same_numbers(continues, momentum):
    continues(lambda parameters: optim.SGD(parameters, lr=0.1, momentum=momentum, weight_decay=0.01))


def test_nesterov_without_momentum_is_refused(twins):
    with pytest.raises(ValueError, match=r"nesterov=True with momentum=0\.0"):
        optim.SGD(twins()[0], nesterov=True)
