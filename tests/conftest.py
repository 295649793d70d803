"""Fixtures for every test."""

import gc
import os
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("here", deadline=None, max_examples=60)
settings.register_profile("automatic", settings.get_profile("here"), derandomize=True, print_blob=True)
settings.load_profile("automatic" if os.environ.get("CI") else "here")


def pytest_collection_finish() -> None:
    """Leave what is loaded by now out of every later garbage collection: there are millions of objects.

    Accelerate collects all garbage at the beginning and the end of each stage of a training.
    """
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The real faces next to the project, or in the folder that FACES_SHARED names; skips where there are none."""
    next_to_project = Path(__file__).parents[2] / "shared" / "data"
    folder = Path(os.environ.get("FACES_SHARED") or next_to_project)
    if not folder.is_dir():
        pytest.skip(f"no real faces: {folder} is not there; set FACES_SHARED to the folder that holds them")
    return folder
