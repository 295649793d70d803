import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mytorch import optim
from mytorch.nn import Parameter

RATES = [0.1, 5e-9]


def optimizers():
    ours = optim.SGD([{"params": [Parameter(np.zeros(1))], "lr": lr} for lr in RATES])
    theirs = torch.optim.SGD([{"params": [torch.nn.Parameter(torch.zeros(1))], "lr": lr} for lr in RATES])
    return ours, theirs


def rates(optimizer):
    return [group["lr"] for group in optimizer.param_groups]


def agree_over(steps, build):
    """`build(library's schedules, optimizer)` gives the same rates at the start and after every step."""
    ours, theirs = optimizers()
    schedule, expected = build(optim, ours), build(torch.optim.lr_scheduler, theirs)
    for _ in range(steps):
        assert rates(ours) == pytest.approx(rates(theirs), rel=1e-12)
        assert schedule.get_last_lr() == rates(ours)
        theirs.step()  # PyTorch warns of a schedule that steps before its optimizer
        schedule.step(), expected.step()
    assert rates(ours) == pytest.approx(rates(theirs), rel=1e-12)


@given(step_size=st.integers(1, 7), gamma=st.floats(0.1, 1))
def test_steps_are_pytorchs(step_size, gamma):
    agree_over(25, lambda library, optimizer: library.StepLR(optimizer, step_size, gamma))


@given(total=st.integers(1, 30), data=st.data(), least=st.sampled_from([0.0, 0.1]))
def test_cosine_after_a_warm_up_is_the_formula_over_the_whole_run(total, data, least):
    warmup = data.draw(st.integers(0, total - 1))

    def formula(step):
        if step < warmup:
            return (step + 1) / (warmup + 1)
        part = min(step - warmup, total - warmup) / (total - warmup)
        return least + (1 - least) * 0.5 * (1 + math.cos(math.pi * part))

    def build(library, optimizer):
        if library is optim:
            return optim.CosineWithWarmup(optimizer, total, warmup, least)
        return library.LambdaLR(optimizer, formula)

    agree_over(total + 3, build)


def test_cosine_without_warm_up_is_pytorchs_cosine_annealing():
    def build(library, optimizer):
        if library is optim:
            return optim.CosineWithWarmup(optimizer, 20)
        return library.CosineAnnealingLR(optimizer, 20)

    agree_over(20, build)


def test_cosine_ends_at_its_least_and_stays_there():
    ours, _ = optimizers()
    schedule = optim.CosineWithWarmup(ours, total_steps=10, warmup_steps=3, min_factor=0.01)
    seen = []
    for _ in range(15):
        seen.append(rates(ours)[0])
        schedule.step()
    assert seen[:4] == pytest.approx([0.025, 0.05, 0.075, 0.1])
    assert seen[10:] == pytest.approx([0.001] * 5)
    assert seen[3:11] == sorted(seen[3:11], reverse=True)


METRICS = st.lists(
    st.integers(-40, 40).map(lambda n: n / 20) | st.floats(-2, 2) | st.sampled_from([1.0, 1.0 - 1e-5, math.nan]),
    min_size=1,
    max_size=30,
)


@settings(max_examples=400)
@given(
    metrics=METRICS,
    mode=st.sampled_from(["min", "max"]),
    patience=st.integers(0, 4),
    factor=st.floats(0.05, 0.9),
    threshold=st.sampled_from([0.0, 1e-4, 0.1, 0.5]),
    min_lr=st.sampled_from([0.0, 1e-3]),
)
def test_plateau_is_pytorchs_over_any_sequence(metrics, mode, patience, factor, threshold, min_lr):
    options = {"mode": mode, "patience": patience, "factor": factor, "threshold": threshold, "min_lr": min_lr}
    ours, theirs = optimizers()
    schedule = optim.ReduceLROnPlateau(ours, **options)
    expected = torch.optim.lr_scheduler.ReduceLROnPlateau(theirs, **options)
    for metric in metrics:
        schedule.step(np.float64(metric)), expected.step(metric)
        assert rates(ours) == pytest.approx(rates(theirs), rel=1e-12, abs=0)


SCHEDULES = [
    lambda optimizer: optim.StepLR(optimizer, 3, 0.5),
    lambda optimizer: optim.CosineWithWarmup(optimizer, 12, 4),
    lambda optimizer: optim.ReduceLROnPlateau(optimizer, patience=1, factor=0.5),
]


@pytest.mark.parametrize("build", SCHEDULES)
def test_saved_schedule_continues_with_the_same_rates(build):
    def step(schedule):
        schedule.step(1.0) if isinstance(schedule, optim.ReduceLROnPlateau) else schedule.step()

    ours, _ = optimizers()
    schedule = build(ours)
    for _ in range(5):
        step(schedule)
    resumed, _ = optimizers()
    resumed.load_state_dict(ours.state_dict())
    again = build(resumed)
    again.load_state_dict(schedule.state_dict())
    assert rates(resumed) == rates(ours)
    for _ in range(6):
        step(schedule), step(again)
        assert rates(resumed) == rates(ours)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda optimizer: optim.StepLR(optimizer, 0), "step_size=0"),
        (lambda optimizer: optim.CosineWithWarmup(optimizer, 5, 5), "warmup_steps=5, total_steps=5"),
        (lambda optimizer: optim.ReduceLROnPlateau(optimizer, factor=1), "factor=1"),
        (lambda optimizer: optim.ReduceLROnPlateau(optimizer, mode="least"), "mode='least': expected 'min' or 'max'"),
    ],
)
def test_impossible_schedule_is_refused(build, message):
    with pytest.raises(ValueError, match=message):
        build(optimizers()[0])
