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


@given(milestones=st.lists(st.integers(0, 12), max_size=4), gamma=st.floats(0.1, 1))
def test_milestones_are_pytorchs(milestones, gamma):
    agree_over(15, lambda library, optimizer: library.MultiStepLR(optimizer, milestones, gamma))


@given(gamma=st.floats(0.1, 1))
def test_exponential_is_pytorchs(gamma):
    agree_over(12, lambda library, optimizer: library.ExponentialLR(optimizer, gamma))


@given(total=st.integers(1, 9), power=st.floats(0.2, 3))
def test_polynomial_is_pytorchs(total, power):
    agree_over(12, lambda library, optimizer: library.PolynomialLR(optimizer, total, power))


@given(first=st.integers(1, 6), mult=st.integers(1, 3), least=st.sampled_from([0.0, 1e-9]))
def test_warm_restarts_are_pytorchs(first, mult, least):
    agree_over(30, lambda library, optimizer: library.CosineAnnealingWarmRestarts(optimizer, first, mult, least))


@pytest.mark.parametrize("name", ["SGD", "Adam"])
@settings(max_examples=60)
@given(
    total=st.integers(7, 25),
    start=st.sampled_from([0.23, 0.3, 0.47]),
    strategy=st.sampled_from(["cos", "linear"]),
    three_phase=st.booleans(),
    cycle=st.booleans(),
    several=st.booleans(),
)
def test_one_cycle_of_rate_and_momentum_is_pytorchs(name, total, start, strategy, three_phase, cycle, several):
    options = {"momentum": 0.9} if name == "SGD" else {}
    ours = getattr(optim, name)([{"params": [Parameter(np.zeros(1))]} for _ in RATES], lr=0.1, **options)
    tensors = [{"params": [torch.nn.Parameter(torch.zeros(1))]} for _ in RATES]
    theirs = getattr(torch.optim, name)(tensors, lr=0.1, **options)
    settings = {
        "max_lr": [0.5, 0.2] if several else 0.3,
        "total_steps": total,
        "pct_start": start,
        "anneal_strategy": strategy,
        "cycle_momentum": cycle,
        "three_phase": three_phase and start < 0.5,
    }
    schedule = optim.OneCycleLR(ours, **settings)
    expected = torch.optim.lr_scheduler.OneCycleLR(theirs, **settings)
    for step in range(total):
        for mine, other in zip(ours.param_groups, theirs.param_groups, strict=True):
            assert mine["lr"] == pytest.approx(other["lr"], rel=1e-12, abs=1e-15), step
            for key in {"momentum", "betas"} & set(mine):
                assert mine[key] == pytest.approx(other[key], rel=1e-12), step
        if step < total - 1:
            theirs.step()
            schedule.step(), expected.step()


def test_one_cycle_continues_from_its_state_and_ends():
    ours, _ = optimizers()
    schedule = optim.OneCycleLR(ours, 0.1, epochs=2, steps_per_epoch=3, cycle_momentum=False)
    for _ in range(3):
        schedule.step()
    expected, saved = rates(ours), schedule.state_dict()
    others, _ = optimizers()
    resumed = optim.OneCycleLR(others, 0.1, total_steps=6, cycle_momentum=False)
    resumed.load_state_dict(saved)
    assert rates(others) == expected
    for _ in range(3):
        resumed.step()
    with pytest.raises(ValueError, match="OneCycleLR got step 7 of 6: build it for more total_steps"):
        resumed.step()


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda o: optim.PolynomialLR(o, 0), "total_iters=0: expected at least 1 step"),
        (lambda o: optim.CosineAnnealingWarmRestarts(o, 0), "T_0=0, T_mult=1: expected whole numbers"),
        (lambda o: optim.OneCycleLR(o, 0.1), "expected total_steps, or epochs and steps_per_epoch"),
        (lambda o: optim.OneCycleLR(o, 0.1, 5, pct_start=2), "pct_start=2"),
        (lambda o: optim.OneCycleLR(o, [0.1], 5), "max_lr has 1 numbers: expected one, or 2"),
    ],
)
def test_impossible_schedules_are_refused(build, message):
    with pytest.raises(ValueError, match=message):
        build(optimizers()[0])


def test_one_cycle_of_an_optimizer_without_momentum_is_refused():
    optimizer = optim.Adagrad([Parameter(np.zeros(1))])
    with pytest.raises(ValueError, match="Adagrad has no momentum: build OneCycleLR with cycle_momentum=False"):
        optim.OneCycleLR(optimizer, 0.1, 5)
