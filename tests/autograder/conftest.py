"""The corpora of submissions are imported as `corpus`; PyTorch keeps to one thread."""

import sys
from pathlib import Path

import pytest
import torch

from autograder.rubric import Rubric, load

sys.path.insert(0, str(Path(__file__).parent))
torch.set_num_threads(1)


@pytest.fixture(scope="session")
def default() -> Rubric:
    return load("default").model_copy(update={"seed": 11})


@pytest.fixture(scope="session")
def earlier() -> Rubric:
    return load("earlier").model_copy(update={"seed": 11})


@pytest.fixture(scope="session")
def hasty(default: Rubric) -> Rubric:
    """The default with a second for each test."""
    sections = [
        section.model_copy(update={"tests": [test.model_copy(update={"seconds": 1.5}) for test in section.tests]})
        for section in default.sections
    ]
    return default.model_copy(update={"sections": sections})
