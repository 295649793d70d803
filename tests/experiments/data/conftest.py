"""Small image folders, made afresh for each test."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

Paint = Callable[..., Path]


@pytest.fixture
def paint(tmp_path: Path) -> Paint:
    """Write a PNG of one color under tmp_path; every call that names no color gets one of its own."""
    used = 0

    def write(name: str, color: tuple[int, int, int] | None = None, size: tuple[int, int] = (6, 5)) -> Path:
        nonlocal used
        used += 1
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", size, color or (used % 256, used // 256, 77)).save(path)
        return path

    return write


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(20)


@pytest.fixture
def competition(own_people, tmp_path):
    folder = tmp_path / "competition"
    folder.mkdir()
    own_people.rename(folder / "train")
    (folder / "test").mkdir()
    for number in (1, 2, 10):
        Image.new("RGB", (30, 20), (number, 2 * number, 3)).save(folder / "test" / f"{number}.png")
    (folder / "sample_submission.csv").write_text("image_name,label\n1.png,anna\n10.png,anna\n2.png,anna\n")
    return folder
