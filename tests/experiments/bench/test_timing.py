"""Timing in turns, and what is made of the times."""

from collections.abc import Callable
from typing import Any

import pytest

from experiments.bench.timing import Device, Plan, geometric_mean, race, ratios


class Told(Device):
    """A device whose clock is told how long each backend's call takes, and which notes whose turn it was."""

    name = "cpu"

    def __init__(self, **milliseconds: float):
        self.milliseconds, self.turns = milliseconds, []

    def seconds(self, backend: str, run: Callable[[], Any], calls: int) -> float:
        self.turns.append((backend, calls))
        return calls * self.milliseconds[backend] / 1e3


RUNNERS = {"mytorch": lambda: None, "torch": lambda: None, "torch_channels_last": lambda: None}


def test_sides_take_turns_and_none_is_always_first():
    device = Told(mytorch=10.0, torch=20.0, torch_channels_last=40.0)
    race(RUNNERS, Plan(repeats=3, seconds=0.0), device)
    turns = [backend for backend, _ in device.turns[6:]]  # after two calls each to warm up
    assert turns == [
        "mytorch", "torch", "torch_channels_last",
        "torch", "torch_channels_last", "mytorch",
        "torch_channels_last", "mytorch", "torch",
    ]  # fmt: skip


@pytest.mark.parametrize("milliseconds", [0.001, 1.0, 300.0])
def test_every_side_computes_long_enough(milliseconds):
    device = Told(mytorch=milliseconds, torch=2 * milliseconds, torch_channels_last=milliseconds / 3)
    times = race(RUNNERS, Plan(repeats=5, seconds=0.3), device)
    for backend, time in times.items():
        assert time["ms"] == pytest.approx(device.milliseconds[backend])
        assert time["rounds"] >= 5
        assert time["rounds"] * time["calls"] * time["ms"] >= 299


def test_a_disturbed_round_moves_the_quartiles_and_not_the_median():
    device = Told(mytorch=1.0, torch=1.0, torch_channels_last=1.0)
    honest = device.seconds
    device.seconds = lambda backend, run, calls: (
        honest(backend, run, calls) * (9 if len(device.turns) in (10, 11) else 1)
    )
    times = race(RUNNERS, Plan(repeats=5, seconds=0.0), device)
    assert [time["ms"] for time in times.values()] == [1.0, 1.0, 1.0]


def test_without_channels_last_torchs_one_layout_counts_for_both():
    times = {"mytorch": {"ms": 3.0}, "torch": {"ms": 6.0}}
    assert ratios(times) == {"ratio": 0.5, "ratio_channels_last": 0.5}
    assert ratios({**times, "torch_channels_last": {"ms": 2.0}})["ratio_channels_last"] == 1.5


def test_a_geometric_mean_says_the_same_of_inverses():
    assert geometric_mean([0.5, 2.0]) == pytest.approx(1.0)
    assert 1 / geometric_mean([0.3, 0.7, 4.0]) == pytest.approx(geometric_mean([1 / 0.3, 1 / 0.7, 1 / 4.0]))
