import copy
from collections.abc import Callable, Iterator

import numpy as np
import pytest
import torch

from mytorch.nn import Parameter

SHAPES = [(4, 3), (3,), (2, 2, 3)]


def _twins(dtype: type = np.float64) -> tuple[list, list]:
    rng = np.random.default_rng(0)
    values = [rng.standard_normal(shape).astype(dtype) for shape in SHAPES]
    return (
        [Parameter(value.copy()) for value in values],
        [torch.nn.Parameter(torch.tensor(value)) for value in values],
    )


def _steps(ours: list, theirs: list, count: int, seed: int = 1) -> Iterator[int]:
    """Give both the same gradients, step by step. The second parameter has none at every third step."""
    rng = np.random.default_rng(seed)
    for index in range(count):
        for number, (mine, other) in enumerate(zip(ours, theirs, strict=True)):
            grad = rng.standard_normal(mine.shape).astype(mine.dtype)
            absent = number == 1 and index % 3 == 2
            mine.grad = None if absent else grad
            other.grad = None if absent else torch.tensor(grad)
        yield index


@pytest.fixture(scope="session")
def twins() -> Callable[..., tuple[list, list]]:
    """twins(dtype): the same parameters here and in PyTorch."""
    return _twins


@pytest.fixture(scope="session")
def steps() -> Callable[..., Iterator[int]]:
    """steps(ours, theirs, count): before each step, the same gradients for both."""
    return _steps


@pytest.fixture(scope="session")
def continues() -> Callable[..., None]:
    """continues(build): an optimizer saved after 7 steps and loaded into a new one continues with the same steps."""

    def check(build: Callable) -> None:
        parameters, unused = _twins()
        optimizer = build(parameters)
        for _ in _steps(parameters, unused, 7):
            optimizer.step()
        saved = copy.deepcopy(optimizer.state_dict())
        copies = [Parameter(parameter.data.copy()) for parameter in parameters]
        resumed = build(copies)
        resumed.load_state_dict(saved)
        for _ in _steps(parameters, unused, 5, seed=2):
            optimizer.step()
        for _ in _steps(copies, unused, 5, seed=2):
            resumed.step()
        for one, other in zip(parameters, copies, strict=True):
            np.testing.assert_array_equal(one.data, other.data)

    return check
